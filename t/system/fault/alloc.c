/*
 * Linked into the module in front of nginx's allocators (ld's --wrap): the Nth
 * call of any of them fails, N being what the file named by FAULT_FILE says.
 * Calls count it down; behind 0 all succeed.
 */

#include <fcntl.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

/* The file: N, and how often a call failed. */
typedef struct {
  uint64_t countdown;
  uint64_t failed;
} control_t;

static control_t *control(void) {
  static control_t off, *mapped;
  const char *name;
  int fd;

  if (mapped == NULL) {
    mapped = &off;
    name = getenv("FAULT_FILE");
    fd = name ? open(name, O_RDWR | O_CLOEXEC) : -1;
    if (fd >= 0) {
      mapped = mmap(NULL, sizeof(control_t), PROT_READ | PROT_WRITE,
                    MAP_SHARED, fd, 0);
      close(fd);
      if (mapped == MAP_FAILED) abort();
    }
  }
  return mapped;
}

static int fails(void) {
  control_t *c = control();

  if (c->countdown == 0 || --c->countdown != 0) return 0;
  c->failed++;
  return 1;
}

#define WRAP(name, parameters, arguments) \
  void *__real_##name parameters;         \
  void *__wrap_##name parameters;         \
  void *__wrap_##name parameters {        \
    return fails() ? NULL : __real_##name arguments; \
  }

WRAP(ngx_palloc, (void *pool, size_t size), (pool, size))
WRAP(ngx_pnalloc, (void *pool, size_t size), (pool, size))
WRAP(ngx_pcalloc, (void *pool, size_t size), (pool, size))
WRAP(ngx_alloc, (size_t size, void *log), (size, log))
WRAP(ngx_list_push, (void *list), (list))
WRAP(ngx_array_push, (void *array), (array))
WRAP(ngx_array_push_n, (void *array, uintptr_t n), (array, n))
WRAP(ngx_create_temp_buf, (void *pool, size_t size), (pool, size))
WRAP(ngx_alloc_chain_link, (void *pool), (pool))
WRAP(ngx_pool_cleanup_add, (void *pool, size_t size), (pool, size))
WRAP(ngx_http_cleanup_add, (void *request, size_t size), (request, size))

/* A complex value's own allocations: NGX_ERROR. */
intptr_t __real_ngx_http_complex_value(void *request, void *value, void *out);
intptr_t __wrap_ngx_http_complex_value(void *request, void *value, void *out);
intptr_t __wrap_ngx_http_complex_value(void *request, void *value, void *out) {
  return fails() ? -1 : __real_ngx_http_complex_value(request, value, out);
}
