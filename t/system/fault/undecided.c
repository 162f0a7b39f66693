/*
 * Linked into the module in front of its core and of nginx (ld's --wrap): what
 * keeps a worker from deciding, as the first byte of the file named by
 * FAULT_FILE says: "p", it finds no place in the process table; "l", a lock's
 * owner does not move; "k", nor does it for who only looks; "v", nginx fails to
 * evaluate a variable; "s", a worker is slow to begin with shared rows.  The
 * second byte counts how often a place was looked for in vain.
 */

#include <fcntl.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include "ratelimit/ratelimit.h"

static volatile unsigned char *control;

/* While the module is loaded, before nginx clears its environment. */
__attribute__((constructor)) static void map_control(void) {
  const int fd = open(getenv("FAULT_FILE"), O_RDWR | O_CLOEXEC);

  control = mmap(NULL, 2, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
  if (control == MAP_FAILED) abort();
  close(fd);
}

int __real_rl_process_join(rl_process_t *process, void *process_table,
                           rl_zone_t *const *zones, size_t n);
int __wrap_rl_process_join(rl_process_t *process, void *process_table,
                           rl_zone_t *const *zones, size_t n);
int __wrap_rl_process_join(rl_process_t *process, void *process_table,
                           rl_zone_t *const *zones, size_t n) {
  if (control[0] != 'p') {
    return __real_rl_process_join(process, process_table, zones, n);
  }
  control[1]++;
  return RL_ERROR;
}

rl_verdict_e __real_rl_decide(rl_process_t *process, rl_item_t *items,
                              size_t n, const rl_time_t *now);
rl_verdict_e __wrap_rl_decide(rl_process_t *process, rl_item_t *items,
                              size_t n, const rl_time_t *now);
rl_verdict_e __wrap_rl_decide(rl_process_t *process, rl_item_t *items,
                              size_t n, const rl_time_t *now) {
  return control[0] == 'l' || control[0] == 'k'
             ? RL_TIMEOUT
             : __real_rl_decide(process, items, n, now);
}

rl_verdict_e __real_rl_look(rl_process_t *process, rl_item_t *items, size_t n,
                            const rl_time_t *now);
rl_verdict_e __wrap_rl_look(rl_process_t *process, rl_item_t *items, size_t n,
                            const rl_time_t *now);
rl_verdict_e __wrap_rl_look(rl_process_t *process, rl_item_t *items, size_t n,
                            const rl_time_t *now) {
  return control[0] == 'k' ? RL_TIMEOUT
                           : __real_rl_look(process, items, n, now);
}

rl_leases_t *__real_rl_leases_create(void *memory, uint32_t n,
                                     const rl_process_t *process, void *rows,
                                     uint32_t timeout_ms, int borrow);
rl_leases_t *__wrap_rl_leases_create(void *memory, uint32_t n,
                                     const rl_process_t *process, void *rows,
                                     uint32_t timeout_ms, int borrow);
rl_leases_t *__wrap_rl_leases_create(void *memory, uint32_t n,
                                     const rl_process_t *process, void *rows,
                                     uint32_t timeout_ms, int borrow) {
  if (control[0] == 's') usleep(700000);
  return __real_rl_leases_create(memory, n, process, rows, timeout_ms, borrow);
}

void *__real_ngx_http_get_flushed_variable(void *request, uintptr_t index);
void *__wrap_ngx_http_get_flushed_variable(void *request, uintptr_t index);
void *__wrap_ngx_http_get_flushed_variable(void *request, uintptr_t index) {
  return control[0] == 'v'
             ? NULL
             : __real_ngx_http_get_flushed_variable(request, index);
}
