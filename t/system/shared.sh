#!/bin/bash

# What machines share, without nginx: every interleaving of its protocol in
# small bounds, and that each of its rules is needed; and the script for Redis,
# whose short way must do what its long one does.

. t/tools/tap.sh
. t/tools/load.sh

load_dir shared

# explore ALGORITHM [RULE]: the exit status is that of the model: 0 if no state
# admits too much, 1 if one does.
explore() {
    "$dir/model$1" "${2:-}" > "$dir/model.log"
    local status=$?
    cat "$dir/model.log"
    return $status
}

# finds ALGORITHM RULE: too much is admitted where that rule is left out.
finds() {
    explore "$@"
    [ $? = 1 ]
}

names=(sliding fixed calendar gcra)
rules=(
    'end seq two keep late back date'
    'seq two keep late received cut'
    'seq two keep late received cut'
    'end seq two keep late received back date refill drain'
)

for algorithm in 0 1 2 3; do
    g++ -O2 -DALG=$algorithm -DT="$(short_or_long 3 5)" -o "$dir/model$algorithm" \
        t/system/shared/model.cc
    check "${names[algorithm]}: never more than the quota" explore $algorithm
    note "${names[algorithm]}: $(cat "$dir/model.log")"
    for rule in ${rules[algorithm]}; do
        check "${names[algorithm]}: found without the rule $rule" finds $algorithm "$rule"
    done
done

. t/tools/redis.sh

for seed in $(seq "$(short_or_long 1 6)"); do
    check "the script's short way is its long one, seed $seed" \
        python3 t/system/shared/ways.py src/ratelimit/shared/rows.lua "$seed" \
        "$(short_or_long 12 60)"
done

finish
