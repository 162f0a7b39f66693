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
check 'three machines, and connections that break' run 3 "$seconds" links
check 'three, and workers that are killed' run 3 "$seconds" workers
check 'three, and a Redis that loses everything' run 3 "$seconds" lost
if [ -n "${RATELIMIT_LONG:-}" ]; then
    check 'two, and nothing breaks' run 2 "$seconds" none
    check 'three, and machines that are killed' run 3 "$seconds" machines
    check 'three, and a Redis that is stopped for 3 s' run 3 "$seconds" stop
    check 'three, and one that is cut off for 3 s' run 3 "$seconds" partition
fi
check 'with on_error=allow that is too much, and seen' goes_over 2 "$seconds" lost allow

finish
