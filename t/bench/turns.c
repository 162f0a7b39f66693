/*
 * Preloaded into nginx: how long the turns of its event loop take, from an
 * epoll_wait() that returns to the next one that is called, in time of the
 * processor and of the clock.  The longest are in the file that $TURNS names,
 * which bench/stalls reads and clears while nginx runs.
 */

#define _GNU_SOURCE

#include <dlfcn.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <unistd.h>

#include "longest.h"


#define LONGEST  4


typedef struct {
    uint64_t  turns;
    uint64_t  cpu_ns[LONGEST];    /* in descending order */
    uint64_t  wall_ns[LONGEST];
} turns_t;


static turns_t   *turns;          /* common to all processes of one nginx */
static uint64_t   cpu_ns, wall_ns;


/* nginx takes the environment away later */

__attribute__((constructor))
static void
map_turns(void)
{
    int    fd;
    void  *memory;

    if (getenv("TURNS") == NULL) {
        return;
    }

    fd = open(getenv("TURNS"), O_RDWR);

    if (fd == -1) {
        return;
    }

    memory = mmap(NULL, sizeof(turns_t), PROT_READ|PROT_WRITE, MAP_SHARED, fd,
                  0);
    close(fd);

    if (memory != MAP_FAILED) {
        turns = memory;
    }
}


int
epoll_wait(int epfd, struct epoll_event *events, int maxevents, int timeout)
{
    static int (*next)(int, struct epoll_event *, int, int);

    int  n;

    if (next == NULL) {
        next = (int (*)(int, struct epoll_event *, int, int))
               dlsym(RTLD_NEXT, "epoll_wait");
    }

    if (turns && wall_ns) {
        note(turns->cpu_ns, LONGEST,
             now_ns(CLOCK_THREAD_CPUTIME_ID) - cpu_ns);
        note(turns->wall_ns, LONGEST, now_ns(CLOCK_MONOTONIC) - wall_ns);
        turns->turns++;
    }

    n = next(epfd, events, maxevents, timeout);

    cpu_ns = now_ns(CLOCK_THREAD_CPUTIME_ID);
    wall_ns = now_ns(CLOCK_MONOTONIC);

    return n;
}
