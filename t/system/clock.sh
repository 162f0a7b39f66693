#!/bin/bash

# Clocks that step, made by libfaketime: the wall clock by a day, forwards (as
# after a machine was suspended too, whose monotonic clock stands still
# meanwhile) and back, and the monotonic clock back by a day.  Who was refused
# still is, and nobody has more, or less, than a quota.

. t/tools/tap.sh
. t/tools/load.sh

library=$(dpkg -L libfaketime 2> /dev/null | grep -m 1 '/libfaketime\.so\.')
if [ -z "$library" ]; then
    echo '1..0 # SKIP libfaketime is not installed'
    exit
fi

load_dir clock
algorithms='sliding fixed calendar gcra'

write_conf() {
    main_conf 2
    cat << END
env LD_PRELOAD;
env FAKETIME_TIMESTAMP_FILE;
env FAKETIME_NO_CACHE;
env FAKETIME_DONT_FAKE_MONOTONIC;
http {
$(http_conf)
    access_log off;
    ratelimit_zone zone=api:1m;
    ratelimit_headers x-ratelimit reset=unix;
$(for algorithm in $algorithms; do
    echo "ratelimit_policy $algorithm key=\$arg_k quota=10/30d algorithm=$algorithm;"
done)
    server {
        listen 127.0.0.1:$port;
$(for algorithm in $algorithms; do
    echo "location /$algorithm { ratelimit $algorithm; empty_gif; }"
done)
        location = /now { return 200 "\$msec\n"; }
    }
}
END
}

# step OFFSET: of the clock, as in "+1d", and until nginx has it.
step() {
    local wanted=$(($(date +%s) + ${1%d} * 86400))
    echo "$1" > "$dir/offset"
    wait_for is_about "$wanted"
}

is_about() {
    local now
    now=$(get now)
    [ $((${now%.*} - $1)) -ge -60 ] && [ $((${now%.*} - $1)) -le 60 ]
}

# Of twenty more requests of a key COUNT are admitted, by each algorithm.
all_admit() { # COUNT KEY
    local algorithm
    for algorithm in $algorithms; do
        same "$1" "$(answers 200 20 "/$algorithm?k=$2")" || return
    done
}

# The Unix second that a field tells, seen from the clock that it is told by.
reset_is_ahead() { # KEY
    local algorithm reset now
    for algorithm in $algorithms; do
        now=$(get now)
        reset=$(get "$algorithm?k=$1" -o /dev/null -D - |
            tr -d '\r' | sed -n 's/^X-RateLimit-Reset: //p')
        [ "$reset" -gt "${now%.*}" ] &&
            [ "$reset" -le $((${now%.*} + 31 * 86400)) ] ||
            { echo "$algorithm: reset $reset, now $now"; return 1; }
    done
}

start_faked() { # DONT_FAKE_MONOTONIC
    echo '+0d' > "$dir/offset"
    export FAKETIME_TIMESTAMP_FILE=$dir/offset FAKETIME_NO_CACHE=1
    export FAKETIME_DONT_FAKE_MONOTONIC=$1
    LD_PRELOAD=$library start
    unset FAKETIME_TIMESTAMP_FILE
}

write_conf > "$dir/nginx.conf"
start_faked 1

check 'ten are admitted' all_admit 10 used
check 'the wall clock goes forward by a day' step '+1d'
check 'and nobody who was refused gets in' all_admit 0 used
check 'resets are told by the new time' reset_is_ahead used
check 'nor has anybody else less' all_admit 10 later
check 'it goes back by two days' step '-1d'
check 'and nobody gets in' all_admit 0 used
check 'nor who came in between' all_admit 0 later
check 'nor has anybody else less than a quota' all_admit 10 last
check 'resets are told by the time of yesterday' reset_is_ahead used
check 'nothing in the log' quiet_log

stop_nginx
wait_for test ! -e "$dir/nginx.pid"
start_faked 0

check 'with a faked monotonic clock ten are admitted' all_admit 10 used
check 'both clocks go back by a day' step '-1d'
check 'and nobody who was refused gets in' all_admit 0 used
check 'nor has anybody else less' all_admit 10 later
check 'nothing in the log' quiet_log

finish
