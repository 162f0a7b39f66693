/*
 * What the machine itself holds a process up for: steps of 0.25 ms, as long
 * work is cut into, that do nothing, and steps that touch one page of new
 * shared memory after the other.  bench/stalls prints it above nginx's turns.
 *
 * steps SECONDS MIB: for so long each, or until so much memory was touched.
 */

#define _DEFAULT_SOURCE

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>

#include "longest.h"


#define STEP_NS   250000
#define PAGE      4096
#define LONGEST   3


/* a row of the table; memory NULL: nothing is touched */

static void
steps(const char *name, uint64_t end_ns, volatile char *memory, size_t len)
{
    size_t    at;
    uint64_t  cpu_ns, wall_ns, cpu[LONGEST] = { 0 }, wall[1] = { 0 };

    at = 0;

    while (now_ns(CLOCK_MONOTONIC) < end_ns && at < len) {
        cpu_ns = now_ns(CLOCK_THREAD_CPUTIME_ID);
        wall_ns = now_ns(CLOCK_MONOTONIC);

        do {
            if (memory && at < len) {
                memory[at] = 1;
                at += PAGE;
            }

        } while (now_ns(CLOCK_MONOTONIC) < wall_ns + STEP_NS);

        note(cpu, LONGEST, now_ns(CLOCK_THREAD_CPUTIME_ID) - cpu_ns);
        note(wall, 1, now_ns(CLOCK_MONOTONIC) - wall_ns);
    }

    printf("| %s | %.2f, %.2f, %.2f ms | %.1f ms | | |\n", name,
           cpu[0] / 1e6, cpu[1] / 1e6, cpu[2] / 1e6, wall[0] / 1e6);
}


int
main(int argc, char **argv)
{
    void      *memory;
    size_t     len;
    uint64_t   ns;

    if (argc != 3) {
        return 2;
    }

    ns = strtoull(argv[1], NULL, 10) * UINT64_C(1000000000);
    len = strtoull(argv[2], NULL, 10) << 20;

    memory = mmap(NULL, len, PROT_READ|PROT_WRITE, MAP_SHARED|MAP_ANONYMOUS,
                  -1, 0);
    if (memory == MAP_FAILED) {
        return 1;
    }

    steps("a loop, cut at 0.25 ms", now_ns(CLOCK_MONOTONIC) + ns, NULL, len);
    steps("… that touches new memory", now_ns(CLOCK_MONOTONIC) + ns, memory,
          len);

    return 0;
}
