#!/bin/bash
# math.random() in a Redis script: the same numbers after each restart.
#
# guess:   scripts have to be deterministic, so Redis seeds the generator anew
#          for each EVAL, and each call gets the same number; or, since scripts
#          are replicated by their effects, the numbers are random.
# happens: neither. The calls of a running server get different numbers, and it
#          is the same sequence on every server and after every restart, 397
#          841 354 447 and so on; functions (FCALL) draw from the same one. So
#          ids, tokens of locks and samples that a script makes of it come
#          again after a restart, and two shards make the same ones, while a
#          test that looks at one running server sees nothing of it.
# source:  Redis 7.0.15, src/script_lua.c replaces math.random by its own, on
#          src/rand.c, whose state begins as a constant; nothing seeds it from
#          the clock. Until 6.2 each EVAL seeded it: redisSrand48(0) in
#          src/scripting.c.

cd "$(dirname "$0")"
. ./common.sh
. ./redis.sh

draw() { redis EVAL 'return math.random(1000)' 0; }

four() { echo "$(draw) $(draw) $(draw) $(draw)"; }

redis_start
expect "four EVALs of a fresh server" "$(four)" "397 841 354 447"
expect "the four EVALs after those" "$(four)" "319 887 16 585"
kill "$redis_pid"
wait "$redis_pid" || :

redis_start
expect "four EVALs after a restart" "$(four)" "397 841 354 447"
redis FUNCTION LOAD '#!lua name=draw
redis.register_function("draw", function() return math.random(1000) end)' \
    >"$tmp/library"
expect "two FCALLs, then an EVAL" \
    "$(redis FCALL draw 0) $(redis FCALL draw 0) $(draw)" "319 887 16"
