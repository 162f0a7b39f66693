/*
 * Copyright (C) ngx_http_ratelimit_module authors
 *
 * JSON Web Tokens.
 * A chapter of ratelimit.h.
 */

#ifndef RATELIMIT_ABI_JWT_H_
#define RATELIMIT_ABI_JWT_H_

#include "ratelimit/abi/types.h"
#include "ratelimit/abi/zone.h"

#ifdef __cplusplus
extern "C" {
#endif

#define RL_JWT_MAX_TOKEN_LEN 16384  /* a longer one does not verify; twice the
                                       longest field that nginx takes unless
                                       told otherwise */
#define RL_JWT_MAX_FILE_LEN 262144  /* of a key file */
#define RL_JWT_MAX_KEYS 64          /* of a key file */
#define RL_JWT_MAX_TRIES 4          /* keys that a token is tried with */

typedef enum {
  RL_HS256 = 0,
  RL_HS384,
  RL_HS512,
  RL_RS256,
  RL_RS384,
  RL_RS512,
  RL_PS256,
  RL_ES256,
  RL_ES384,
  RL_EDDSA
} rl_jwt_algorithm_e;

const char *rl_parse_jwt_algorithm(rl_str_t text,
                                   rl_jwt_algorithm_e *out) RL_NOEXCEPT;

/* A claim as written: a member's name, or a JSON pointer (RFC 6901). */
const char *rl_parse_claim(rl_str_t text) RL_NOEXCEPT;

/*
 * The keys that a key file holds for one algorithm: a PEM public key or
 * several, a JWKS (RFC 7517), or, for HS*, a secret: all its bytes, but the
 * newline behind a text.  Read-only once made; freed by rl_jwt_keys_destroy.
 */
typedef struct rl_jwt_keys_s rl_jwt_keys_t;

const char *rl_jwt_keys_create(rl_jwt_algorithm_e algorithm, rl_str_t file,
                               rl_jwt_keys_t **out) RL_NOEXCEPT;
void rl_jwt_keys_destroy(rl_jwt_keys_t *keys) RL_NOEXCEPT;

/* One way to verify a token. */
typedef struct {
  const rl_jwt_keys_t *keys;
  uint64_t leeway_ms;    /* around exp and nbf */
} rl_jwt_line_t;

/* A token verifies if it does by one of the lines. */
typedef struct {
  uint64_t id;           /* of these lines, in the cache */
  const rl_jwt_line_t *lines;
  size_t nlines;
} rl_jwt_set_t;

/*
 * Whether the set is one that a forged token costs at most RL_JWT_MAX_TRIES
 * checks; called at configuration whenever a line was added.  *kid_needed:
 * there are more keys than that for the last line's algorithm, so that a token
 * without "kid" is tried only with those that have none.
 */
const char *rl_jwt_check(const rl_jwt_set_t *set, int *kid_needed) RL_NOEXCEPT;

/*
 * What a process remembers of tokens, in memory given by the caller (aligned
 * to 8) that never grows: of those that verified, the claims' values; of those
 * that did not, for a minute, that they did not.  claims and seed (the secret
 * under which tokens are hashed) are those of every call with this cache.
 * The memory may be copied, as a fork does.
 */
typedef struct rl_jwt_cache_s rl_jwt_cache_t;

size_t rl_jwt_cache_size(size_t nclaims) RL_NOEXCEPT;
rl_jwt_cache_t *rl_jwt_cache_create(void *memory, const rl_str_t *claims,
                                    size_t nclaims,
                                    const unsigned char seed[16]) RL_NOEXCEPT;

/*
 * A token, and the name that a cache knows it by for one set.  To name it
 * takes as long as it is, and is done once for all that is asked of it.
 */
typedef struct {
  rl_str_t text;
  rl_hash_t name;
} rl_jwt_token_t;

void rl_jwt_name(const rl_jwt_cache_t *cache, const rl_jwt_set_t *set,
                 rl_str_t text, rl_jwt_token_t *out) RL_NOEXCEPT;

/*
 * The claim's value as text: a string's bytes or an integer's digits, never
 * empty.  The token was named with this cache and this set.  NULL: *out is
 * the value, until the next call with this cache; else why there is none, as
 * "has expired".  Only now->wall_ms counts.
 */
const char *rl_jwt_claim(rl_jwt_cache_t *cache, const rl_jwt_set_t *set,
                         const rl_jwt_token_t *token, size_t claim,
                         const rl_time_t *now, rl_str_t *out) RL_NOEXCEPT;

#ifdef __cplusplus
} /* extern "C" */
#endif

#endif /* RATELIMIT_ABI_JWT_H_ */
