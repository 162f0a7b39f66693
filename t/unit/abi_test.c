/*
 * ratelimit.h from a C99 caller's side: it compiles, links, and structs come
 * across by value and by pointer.
 */

#include <stdio.h>
#include <string.h>

#include "ratelimit/ratelimit.h"

static int failed;

static void
check(int ok, const char *what)
{
  if (!ok) {
    printf("FAILED: %s\n", what);
    failed = 1;
  }
}

static rl_str_t
str(const char *text)
{
  rl_str_t s;

  s.len = strlen(text);
  s.data = (const unsigned char *) text;
  return s;
}

static int
is(rl_str_t s, const char *text)
{
  return s.len == strlen(text) && memcmp(s.data, text, s.len) == 0;
}

int
main(void)
{
  unsigned char buf[128];
  rl_str_t tag, values[RL_MAX_FIELDS], key;
  rl_quota_t quota;
  rl_source_t source;
  rl_policy_t policy;
  rl_item_t item;
  rl_template_t field;
  rl_fields_t fields;
  rl_time_t now = {1, 2000};
  uint32_t scale = 50000;

  check(rl_parse_quota(str("600/60s"), 0, &quota) == NULL, "a quota");
  check(quota.units == 600 && quota.window_ms == 60000, "its parts");
  check(is(quota.window_text, "60s"), "its window's text");
  check(rl_parse_quota(str("600"), 0, &quota) != NULL, "no quota");
  check(rl_scale_units(600, &scale, 1) == 300, "a scale");
  check(strcmp(rl_algorithm_name(RL_GCRA), "gcra") == 0, "an algorithm");

  tag = rl_source_tag(RL_SOURCE_HEADER);
  check(is(tag, "header"), "a struct returned");
  check(rl_parse_source(str("arg=k"), &source) == NULL
        && source.kind == RL_SOURCE_ARG, "a source");
  check(rl_key_arg(str("a=b&k=%76"), source.name, buf, &key) == 1
        && is(key, "v"), "a key");
  check(rl_key_bearer(str("Basic x"), &key) == 0, "no key");

  memset(&policy, 0, sizeof(policy));
  memset(&item, 0, sizeof(item));
  memset(&fields, 0, sizeof(fields));
  policy.name = str("token");
  item.policy = &policy;
  item.admitted = 1;
  item.limit_units = 600;
  item.remaining_units = 599;
  item.reset_ms = 1;
  check(rl_parse_template(str("X-Left: {remaining}/{limit}"), &field) == NULL
        && rl_fields_add(&fields, &field) == 1, "a template");
  check(rl_fields_len(&fields, &item, 1) <= sizeof(buf), "its length");
  rl_render_values(&fields, &item, &now, 0, buf, values);
  check(is(values[0], "599/600"), "its value");

  printf("%s\n", failed ? "FAILED" : "passed");
  return failed;
}
