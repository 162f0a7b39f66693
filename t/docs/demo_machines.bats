#!/usr/bin/env bats

# The demo of two machines that share a quota: with Redis, without it, and with
# one that is new.

told=$BUILD/demo-machines.told

setup_file() {
    BUILD_DIR=$BUILD bash conf-examples/demo --machines=2 > "$told" 2>&1 \
        < /dev/null 3>&- || { cat "$told"; return 1; }
}

# answers FROM TO: statuses of both machines, of what is shown between these.
answers() {
    sed -n "/$1/,/$2/s/^  machine [12]  \([0-9]*\) .*/\1/p" "$told" |
        sort | uniq -c | xargs
}

# the_quota FROM TO: on a slow machine a unit may be back before all have asked.
the_quota() {
    answers "$@" | grep -x '1[01] 200 [12] 429'
}

@test 'with Redis both admit the quota together' {
    the_quota 'one Redis:' 'Redis is killed'
}

@test 'without it each admits its part' {
    the_quota 'Redis is killed' 'Redis is back'
}

@test 'and together again' {
    the_quota 'Redis is back' '^ratelimit'
}

@test 'each of the three is in the log' {
    grep 'redis "main" is away' "$told"
    grep 'the counts of redis "main" are new' "$told"
    grep 'redis "main" is back' "$told"
}

@test 'nothing is left running' {
    ! pgrep -f "$BUILD/demo-[12]"
}
