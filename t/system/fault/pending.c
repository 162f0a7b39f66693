/*
 * Linked into the module in front of its core (ld's --wrap): decisions that are
 * not to be had at once, as the file named by FAULT_FILE says.  Its bytes:
 *
 *   0  "p": pending; "r": requests that wait are resumed by the next decision,
 *      which is real, as are those of the resumed; else: real
 *   1  how often a decision is pending, 255: always
 *   2  after how many tenths of a second it is to be asked again
 *   3  how many requests wait (written here)
 */

#include <fcntl.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include "ratelimit/ratelimit.h"

#define MAX_DECISIONS 256

/* What nginx calls when a request ends. */
struct cleanup {
  void (*handler)(void *data);
  void *data;
  struct cleanup *next;
};
struct cleanup *ngx_http_cleanup_add(void *request, size_t size);

void ngx_http_ratelimit_resume(void *request);

/* A decision that was pending; of a request that waits, or is taken up. */
static struct decision {
  const rl_item_t *items; /* NULL: this place is free */
  void *request;
  unsigned attempts;
} decisions[MAX_DECISIONS];

static struct decision *last; /* that was pending */
static volatile unsigned char *control;

/* While the module is loaded, before nginx clears its environment. */
__attribute__((constructor)) static void map_control(void) {
  const int fd = open(getenv("FAULT_FILE"), O_RDWR | O_CLOEXEC);

  control = mmap(NULL, 4, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
  if (control == MAP_FAILED) abort();
  close(fd);
}

static struct decision *find(const rl_item_t *items) {
  for (int i = 0; i < MAX_DECISIONS; i++) {
    if (decisions[i].items == items) return &decisions[i];
  }
  if (items == NULL) abort();
  return NULL;
}

static void finish(struct decision *decision) {
  if (decision->request != NULL) control[3]--;
  decision->items = NULL;
  decision->request = NULL;
}

static void request_ends(void *request) {
  for (int i = 0; i < MAX_DECISIONS; i++) {
    if (decisions[i].request == request) finish(&decisions[i]);
  }
}

rl_verdict_e __real_rl_decide(rl_process_t *process, rl_item_t *items,
                              size_t n, const rl_time_t *now);
rl_verdict_e __wrap_rl_decide(rl_process_t *process, rl_item_t *items,
                              size_t n, const rl_time_t *now);
rl_verdict_e __wrap_rl_decide(rl_process_t *process, rl_item_t *items,
                              size_t n, const rl_time_t *now) {
  struct decision *decision = find(items);
  if (control[0] == 'p') {
    if (decision == NULL) {
      decision = find(NULL);
      decision->items = items;
      decision->attempts = 0;
    }
    if (control[1] == 255 || decision->attempts < control[1]) {
      decision->attempts++;
      items->retry_after_ms = control[2] * 100u;
      last = decision;
      return RL_PENDING;
    }
  }
  if (decision != NULL) finish(decision);
  if (control[0] == 'r') {
    for (int i = 0; i < MAX_DECISIONS; i++) {
      if (decisions[i].request != NULL) {
        ngx_http_ratelimit_resume(decisions[i].request);
      }
    }
  }
  return __real_rl_decide(process, items, n, now);
}

intptr_t __real_ngx_http_ratelimit_wait(void *request, void **wait,
                                        uint64_t ms);
intptr_t __wrap_ngx_http_ratelimit_wait(void *request, void **wait,
                                        uint64_t ms);
intptr_t __wrap_ngx_http_ratelimit_wait(void *request, void **wait,
                                        uint64_t ms) {
  struct cleanup *cleanup;
  const intptr_t rc = __real_ngx_http_ratelimit_wait(request, wait, ms);

  if (rc != -2) { /* not NGX_AGAIN */
    finish(last);
  } else if (last->request == NULL) {
    cleanup = ngx_http_cleanup_add(request, 0);
    if (cleanup == NULL) abort();
    cleanup->handler = request_ends;
    cleanup->data = request;
    last->request = request;
    control[3]++;
  }
  return rc;
}
