#!/bin/bash

# Several nginx with one quota through one Redis: never more than the quota,
# whatever breaks; and that this check would notice.

. t/tools/tap.sh
. t/tools/load.sh

if [ -z "$MODULE" ]; then
    echo '1..0 # SKIP the module is linked into nginx'
    exit
fi

load_dir machines
. t/tools/redis.sh
export TMPDIR=$dir

run() {
    python3 t/system/shared/machines.py "$@"
}

goes_over() {
    ! run "$@" > "$dir/control.log" && grep -q '[1-9][0-9]* beyond' "$dir/control.log"
}

seconds=$(short_or_long 8 60)
check 'three that borrow, and connections that break' run 3 "$seconds" links refuse lease
check 'three that borrow, and workers that are killed' run 3 "$seconds" workers refuse lease
check 'three that borrow, and a Redis that loses everything' run 3 "$seconds" lost refuse lease
check 'three that ask each time, and a Redis that loses everything' run 3 "$seconds" lost refuse strict
check 'three that ask each time, and a Redis that is empty after 5 s' run 3 11 away refuse strict
check 'three that borrow, and a replica that lacks writes takes over' run 3 9 failover refuse lease
if [ -n "${RATELIMIT_LONG:-}" ]; then
    for mode in lease strict; do
        check "$mode: two, and nothing breaks" run 2 "$seconds" none refuse $mode
        check "$mode: three, and machines that are killed" run 3 "$seconds" machines refuse $mode
        check "$mode: three, and a Redis that is stopped for 3 s" run 3 "$seconds" stop refuse $mode
        check "$mode: three, and one that is cut off for 3 s" run 3 "$seconds" partition refuse $mode
        check "$mode: three, and a Redis that is empty after 5 s" run 3 11 away refuse $mode
        check "$mode: three, and a replica that lacks writes takes over" run 3 10 failover refuse $mode
        check "$mode: three, and reloads" run 3 "$seconds" reload refuse $mode
        check "$mode: three, and workers that stand still for 1.5 s" run 3 "$seconds" frozen refuse $mode
    done
    check 'strict: three, and connections that break' run 3 "$seconds" links refuse strict
    check 'strict: three, and workers that are killed' run 3 "$seconds" workers refuse strict
fi
check 'with on_error=allow that is too much, and seen' goes_over 2 "$seconds" lost allow lease

finish
