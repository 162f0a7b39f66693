/*
 * Copyright (C) ngx_http_ratelimit_module authors
 *
 * What a response says that it has used, read as it passes.
 * A chapter of ratelimit.h.
 */

#ifndef RATELIMIT_ABI_USAGE_H_
#define RATELIMIT_ABI_USAGE_H_

#include "ratelimit/abi/types.h"

#ifdef __cplusplus
extern "C" {
#endif

#define RL_MAX_USAGE_VALUES 8u

/*
 * A JSON pointer (RFC 6901) to a number, and which of the values it gives:
 * where several give the same one, the last that is found is it.
 */
typedef struct {
  rl_str_t pointer;
  rl_str_t name;  /* its last, which must stand in a text that has it; empty:
                     nobody can tell */
  uint32_t value; /* below RL_MAX_USAGE_VALUES */
  size_t place;   /* of the name between quotes: the byte that is looked for */
} rl_usage_pointer_t;

/* As rl_parse_quota; the texts point into the parsed one. */
const char *rl_parse_usage_pointer(rl_str_t text, uint32_t value,
                                   rl_usage_pointer_t *out) RL_NOEXCEPT;

/* How texts are searched for the names of all pointers at once. */
typedef struct {
  const rl_usage_pointer_t *pointers;
  size_t n;
  unsigned char first[16];  /* bytes that are looked for, by the lower half */
  unsigned char second[16]; /* what may stand two places behind */
  int everywhere;           /* any text may have a name */
  size_t vectors_from;      /* the length of texts that vectors are for */
} rl_usage_search_t;

/* Refers to the pointers, and says where in each name its byte is. */
void rl_usage_search(rl_usage_pointer_t *pointers, size_t n,
                     rl_usage_search_t *out) RL_NOEXCEPT;

typedef enum {
  RL_USAGE_JSON = 0, /* one text; of an array each element as well */
  RL_USAGE_EVENTS,   /* text/event-stream: a text is the data of an event */
  RL_USAGE_LINES     /* a text is a line */
} rl_usage_form_e;

/* Of a media type, without its parameters. */
rl_usage_form_e rl_usage_form(rl_str_t type) RL_NOEXCEPT;

/* Of one body; its members are the core's. */
typedef struct {
  const rl_usage_search_t *search;
  rl_usage_form_e form;

  unsigned char *memory; /* the caller's */
  size_t room;           /* for texts, in memory */
  size_t ended;          /* bytes of texts that have yet to be read, */
  size_t held;           /* and of one behind them that has not ended */
  uint32_t matched;      /* bytes of "data:" at the beginning of a line */
  uint32_t marked;       /* of a byte order mark at the body's */
  int at_start;          /* nothing has come but such bytes */
  int in_data;           /* behind "data:", */
  int at_value;          /* at once */
  int was_cr;            /* a line feed that follows ends no other line */
  int has_data;          /* the event has a line of data already */
  int too_long;          /* the text is not held */
  int inside;            /* bytes of a text have been taken, not its end */
  int broken;            /* the last text was no JSON */
  uint32_t found;        /* a bit for each value */
  uint64_t values[RL_MAX_USAGE_VALUES];
} rl_usage_t;

void rl_usage_begin(rl_usage_t *usage, const rl_usage_search_t *search,
                    rl_usage_form_e form) RL_NOEXCEPT;

/* Memory for that many bytes: what jansson takes stands behind them. */
#define RL_USAGE_MEMORY(len) (2 * (size_t)(len) + (size_t)(len) / 8 + 8)

/* Moves what is held into memory of RL_USAGE_MEMORY(room) bytes. */
void rl_usage_grow(rl_usage_t *usage, unsigned char *memory,
                   size_t room) RL_NOEXCEPT;

/*
 * Takes bytes of the body, cut anywhere, and returns how many are left: if
 * any, there is too little room.  It is to grow, or rl_usage_make_room is to
 * be called, before these are given.
 *
 * rl_usage_make_room: reads what has ended; 0: nothing has, and the text that
 * needs the room is given up.
 */
size_t rl_usage_take(rl_usage_t *usage, rl_str_t bytes) RL_NOEXCEPT;
int rl_usage_make_room(rl_usage_t *usage) RL_NOEXCEPT;
void rl_usage_skip(rl_usage_t *usage) RL_NOEXCEPT;

/* The body is complete. */
void rl_usage_end(rl_usage_t *usage) RL_NOEXCEPT;

/* The values so far, added up, at most RL_MAX_UNITS; 0: there is none. */
int rl_usage_units(rl_usage_t *usage, uint64_t *units) RL_NOEXCEPT;

#ifdef __cplusplus
} /* extern "C" */
#endif

#endif /* RATELIMIT_ABI_USAGE_H_ */
