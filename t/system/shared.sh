#!/bin/bash

# What machines share, without nginx: every interleaving of its protocol in
# small bounds, and that each of its rules is needed; and the script for Redis,
# whose short way must do what its long one does.

. t/tools/tap.sh
. t/tools/load.sh

load_dir shared

# explore MODEL [RULE]: the exit status is that of the model: 0 if no state
# admits too much, 1 if one does.
explore() {
    "$dir/$1" "${2:-}" > "$dir/model.log"
    local status=$?
    cat "$dir/model.log"
    return $status
}

# finds MODEL RULE: too much is admitted where that rule is left out.
finds() {
    explore "$@"
    [ $? = 1 ]
}

names=(sliding fixed calendar gcra)

# bounds ALGORITHM WHAT "RULE..." OPTION...: exact, and by each rule.
bounds() {
    local algorithm=$1 name="${names[$1]}, $2" model=model$1 rules=$3 rule
    shift 3
    g++ -O2 -DALG="$algorithm" "$@" -o "$dir/$model" t/system/shared/model.cc
    check "$name: never more than the quota" explore "$model"
    note "$name: $(cat "$dir/model.log")"
    for rule in $rules; do
        check "$name: found without the rule $rule" finds "$model" "$rule"
    done
}

# What is kept under a lease that is renewed; a Redis that loses everything; a
# row that is forgotten; windows of several leases; units that are taken back;
# costs that are settled into debt; a row that several workers have, one of which
# is killed; a key that is reset; a policy that is.
renewed() { bounds "$1" 'renewals' shorter -DT=3 -DQ=1 -DW=1 -DDMIN=1 -DD=3; }
lost() { bounds "$1" 'a loss' grace -DT=3 -DQ=1 -DFAIL=2; }
told() { bounds "$1" 'renewals and a loss' told -DT=3 -DQ=1 -DW=1 -DDMIN=1 -DD=3 -DFAIL=2; }
forgotten() { bounds "$1" 'a forgotten row' samerow -DT=3 -DQ=1 -DFORGET=1; }
windows() { bounds "$1" 'a longer window' 'end back' -DT=4 -DQ=1 -DW=3; }
workers() { bounds "$1" 'a row of several workers' "$2" -DT="$3" -DQ=1 -DSHARE=1 -DFORGET=1; }
debts() { bounds "$1" debts lent -DN=1 -DT=3 -DQ=1 -DREFUND=1 -DDEBT=1 -DOPS=3; }
refunds() { bounds "$1" refunds "$2" -DN=1 -DT=3 -DREFUND=1 -DOPS=4; }
reset_of_one() { bounds "$1" 'a reset, one machine' "$2" -DT=4 -DQ=1 -DW=3 -DN=1 -DOPS=4 -DRESET=1; }
resets() { bounds "$1" 'a reset' "$2" -DT="$3" -DQ=1 -DRESET=1; }

renewal() { bounds "$1" 'a reset of all' 'hand noted late' -DT=3 -DQ=1 -DW=1 -DD=1 -DRENEW=1; }
renewal_and_loss() {
    bounds "$1" 'a reset of all and a loss' 'grace noted' -DT=3 -DQ=1 -DW=1 -DD=1 -DFAIL=2 -DRENEW=1
}
renewal_over() { bounds "$1" 'a reset of all that is over' over -DT=4 -DQ=1 -DW=1 -DD=1 -DRENEW=1; }

rules=(
    'end seq two keep late back date'
    'seq two keep late received cut'
    'seq two keep late received cut'
    'end seq two keep late received back date refill drain'
)
for algorithm in 0 1 2 3; do
    bounds $algorithm 'bounds of all' "${rules[algorithm]}" -DT="$(short_or_long 3 5)"
done

renewed 0
lost 0
windows 1
workers 0 seen 3
refunds 0 'stale newest twice'
refunds 1 'other twice'
debts 0
debts 1
reset_of_one 0 'after unsent'
reset_of_one 1 after
renewal 0
if [ -n "${RATELIMIT_LONG:-}" ]; then
    refunds 2 'other twice'
    refunds 3 'refilled twice'
    debts 2
    debts 3
    reset_of_one 2 after
    reset_of_one 3 'after unsent'
    resets 0 'charged after' 4
    resets 1 after 3
    resets 2 after 3
    resets 3 'charged after' 4
    for algorithm in 1 2 3; do
        renewal $algorithm
    done
    for algorithm in 0 1 2 3; do
        renewal_and_loss $algorithm
        renewal_over $algorithm
    done
    windows 2
    renewed 3
    workers 0 'samerow late two' 3
    workers 1 'samerow late two' 3
    workers 2 'samerow late two' 3
    workers 3 'seen samerow late two' 3
    for algorithm in 0 1 2 3; do
        lost $algorithm
        forgotten $algorithm
    done
    told 0
    told 3
fi

. t/tools/redis.sh

for seed in $(seq "$(short_or_long 1 6)"); do
    check "the script's short way is its long one, seed $seed" \
        python3 t/system/shared/ways.py src/ratelimit/shared/rows.lua "$seed" \
        "$(short_or_long 12 60)"
done

finish
