#!/bin/bash

# The protocol of locks and redo logs, every interleaving of it, by spin; and
# that spin notices where a part of it is left out.

. t/tools/tap.sh
. t/tools/load.sh

if ! command -v spin > /dev/null; then
    echo '1..0 # SKIP spin is not installed'
    exit
fi

load_dir model
optimize=2

# explore DEFINES...: whether all states are reached and none is an error.
explore() {
    (
        cd "$dir" &&
            spin -a "$@" "$OLDPWD/t/system/model/commit.pml" > spin.log &&
            cc "-O$optimize" -w -DSAFETY -DCOLLAPSE -DVECTORSZ=2048 -o pan pan.c &&
            ./pan -m1000000 > pan.log 2>&1
        cat pan.log
        grep -q 'errors: 0$' pan.log && ! grep -q -E 'too small|out of memory' pan.log
    )
}

# finds DEFINES...
finds() {
    ! explore "$@" && grep 'assertion violated' "$dir/pan.log"
}

states() {
    note "$1: $(sed -n 's/^ *\([0-9]*\) states, stored.*/\1/p' \
        "$dir/pan.log") states"
}

check 'two workers, of which two are killed and one replaced' \
    explore -DCRASHES=2
states 'two workers, two killed'
if [ "$long" ]; then
    check 'two replaced' explore -DCRASHES=2 -DRESPAWNS=2
    states 'two workers, two killed, two replaced'
    check 'three workers, of which one is killed' \
        explore -DWORKERS=3 -DCRASHES=1
    states 'three workers, one killed'
fi

# Compiling takes longer than these.
optimize=0
check 'found: pending before the images' finds -DBROKEN=1
check 'found: pending cleared too early' finds -DBROKEN=2
check 'found: a commit that nobody finishes' finds -DBROKEN=3
check 'found: a slot given away too early' finds -DBROKEN=4
check 'found: a claim on who comes after the dead one' \
    finds -DBROKEN=5 -DWORKERS=3 -DCRASHES=1

finish
