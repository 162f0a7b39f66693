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
    run "$@" | tee "$dir/control.log"
    grep -q '[1-9][0-9]* beyond' "$dir/control.log"
}

FAKETIME_LIBRARY=$(dpkg -L libfaketime 2> /dev/null | grep -m 1 '/libfaketime\.so\.')
export FAKETIME_LIBRARY

seconds=$(short_or_long 8 60)
check 'three that borrow, and one thing after the other breaks' run 3 "$seconds" several refuse lease
check 'three that borrow, and keys that fill their zones' run 3 "$seconds" full refuse lease
check 'three that borrow, and a Redis that loses everything' run 3 "$seconds" lost refuse lease
check 'three that ask each time, and a Redis that is empty after 5 s' run 3 11 away refuse strict
check 'three that borrow, and keys that are reset' run 3 "$seconds" resets refuse lease
check 'three that borrow, and policies that are reset' run 3 "$(short_or_long 11 60)" renewals refuse lease
check 'three that borrow, and a replica that lacks writes takes over' run 3 9 failover refuse lease
[ -z "$FAKETIME_LIBRARY" ] ||
    check 'four that borrow, and clocks that step and drift' run 4 "$seconds" clocks refuse lease
if [ -n "${RATELIMIT_LONG:-}" ]; then
    for mode in lease strict; do
        for fault in none several full links delays workers machines stop partition reload \
            resize upgrade resets renewals frozen; do
            check "$mode: three, and $fault" run 3 "$seconds" $fault refuse $mode
        done
        [ -z "$FAKETIME_LIBRARY" ] ||
            check "$mode: four, and clocks" run 4 "$seconds" clocks refuse $mode
        check "$mode: three, and a Redis that is empty after 5 s" run 3 11 away refuse $mode
        check "$mode: three, and a replica that lacks writes takes over" run 3 10 failover refuse $mode
        check "$mode: three, and a Redis that loses everything 50 times" run 3 225 lost refuse $mode
    done
fi
# For 5 s nothing is refused for want of Redis, in windows that are longer.
check 'with on_error=allow that is too much, and seen' goes_over 2 9 away allow strict

finish
