#!/usr/bin/env bats

# The suites of shared quotas with Valkey instead of Redis; t/run gets it.
# RATELIMIT_LONG=1: all of them, and not the first alone.

setup() {
    [ -n "$MODULE" ] || skip 'the module is linked into nginx'
    [ -z "${NO_VALKEY:-}" ] || skip "$NO_VALKEY"
    [ -n "${VALKEY:-}" ] || skip 'VALKEY names no server'
    export REDIS_SERVER=$VALKEY BUILD=$BUILD/valkey
    mkdir -p "$BUILD"
}

with_valkey() {
    [ "$1" = redis ] || [ -n "${RATELIMIT_LONG:-}" ] || skip 'in the long form'
    prove -It/lib "t/suite/$1.t"
}

@test 'one server' {
    with_valkey redis
}

@test 'one that is away, and comes back empty' {
    with_valkey redis_away
}

@test 'users, passwords, TLS' {
    with_valkey redis_connect
}

@test 'a master that moves' {
    with_valkey redis_master
}

@test 'a cluster' {
    with_valkey redis_cluster
}

@test 'bans' {
    with_valkey redis_bans
}

@test 'what the script of bans does' {
    prove -It/lib t/suite/redis_bans_script.t
}

@test "the script's short way is its long one" {
    python3 t/system/shared/ways.py src/ratelimit/shared/rows.lua 1 12
}
