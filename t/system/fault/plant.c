/*
 * Linked into the module in front of nginx's ngx_pnalloc (ld's --wrap): what a
 * run with sanitizers has to notice, as the environment's PLANT says.
 */

#include <stdlib.h>
#include <string.h>

char *__real_ngx_pnalloc(void *pool, size_t size);
char *__wrap_ngx_pnalloc(void *pool, size_t size);

char *__wrap_ngx_pnalloc(void *pool, size_t size) {
  const char *plant = getenv("PLANT");
  char *p = __real_ngx_pnalloc(pool, size);
  volatile char *lost;

  if (plant != NULL && strcmp(plant, "overrun") == 0) {
    ((volatile char *) p)[size] = 'x';
  }
  if (plant != NULL && strcmp(plant, "leak") == 0) {
    lost = malloc(77);
    lost[0] = 'x';
    lost = NULL;
  }
  return p;
}
