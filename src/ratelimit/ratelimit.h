/*
 * Copyright (C) ngx_http_ratelimit_module authors
 *
 * The C ABI of the rate limiting core, and the only header of it that the
 * nginx shim includes.  Compiles as C99 and C++17.
 *
 * The core knows no nginx type.  It takes no clock, no allocator and no log:
 * time and memory come in as arguments, decisions go out as values.  Nothing
 * here throws, and nothing is kept in static variables.
 *
 * Terms follow the IETF draft "RateLimit header fields for HTTP": a quota
 * policy gives a quota of units per time window to each partition key.  A
 * bucket is what is stored for one policy and one key.
 *
 * Its chapters stand in abi/.
 */

#ifndef RATELIMIT_RATELIMIT_H_
#define RATELIMIT_RATELIMIT_H_

#include "ratelimit/abi/decision.h"
#include "ratelimit/abi/jwt.h"
#include "ratelimit/abi/key.h"
#include "ratelimit/abi/override.h"
#include "ratelimit/abi/policy.h"
#include "ratelimit/abi/response.h"
#include "ratelimit/abi/shared.h"
#include "ratelimit/abi/shared_ban.h"
#include "ratelimit/abi/shared_override.h"
#include "ratelimit/abi/statistics.h"
#include "ratelimit/abi/types.h"
#include "ratelimit/abi/usage.h"
#include "ratelimit/abi/zone.h"

#endif /* RATELIMIT_RATELIMIT_H_ */
