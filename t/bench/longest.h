/*
 * The longest of what was measured, for turns.c and steps.c.
 */

#ifndef RATELIMIT_T_BENCH_LONGEST_H_
#define RATELIMIT_T_BENCH_LONGEST_H_

#include <stdint.h>
#include <time.h>


static uint64_t
now_ns(clockid_t clock)
{
    struct timespec  ts;

    clock_gettime(clock, &ts);

    return ts.tv_sec * UINT64_C(1000000000) + ts.tv_nsec;
}


/* longest: n of them, in descending order */

static void
note(uint64_t *longest, int n, uint64_t ns)
{
    int       i;
    uint64_t  shorter;

    for (i = 0; i < n; i++) {
        if (ns > longest[i]) {
            shorter = longest[i];
            longest[i] = ns;
            ns = shorter;
        }
    }
}


#endif /* RATELIMIT_T_BENCH_LONGEST_H_ */
