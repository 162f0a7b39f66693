#!/bin/bash

# Workers that are killed under load, at random, and one that is stopped: the
# others go on, the master replaces the dead, and what was admitted is the
# quota to the request, but for requests that died with their worker between
# the decision and the log.

. t/tools/tap.sh
. t/tools/load.sh

load_dir crash
kills=$(short_or_long 20 1000)
keys=20
# Of each of them; a thousand kills leave time for millions of requests.
quota=$(short_or_long 100000 10000000)

conf() {
    main_conf "$1"
    echo 'http {'
    http_conf
    cat << END
    log_format admitted "\$arg_k";
    map \$ratelimit_status \$admitted { PASSED 1; }
    access_log admitted.log admitted if=\$admitted;

    ratelimit_zone   zone=api:64k;
    ratelimit_policy one   key=\$arg_k quota=$quota/1h algorithm=fixed;
    ratelimit_policy two   key=\$arg_k quota=$quota/1h;
    ratelimit_policy three key=\$arg_k quota=1/366d algorithm=gcra capacity=$quota;
    server {
        listen 127.0.0.1:$port reuseport;
        location /t { ratelimit one; ratelimit two three; empty_gif; }
        location /left {
            ratelimit one; ratelimit two three cost=0;
            return 200 "\$ratelimit_remaining_one \$ratelimit_remaining_two \$ratelimit_remaining_three\n";
        }
        location /ratelimit/ { ratelimit_api; allow all; }
    }
}
END
}

cat > "$dir/wrk.lua" << END
request = function()
    return wrk.format("GET", "/t?k=" .. math.random(0, $keys - 1))
end
END

log_of() {
    sort "$dir/admitted.log" | uniq -c | awk '{ print $2, $1 }' | sort
}

# charged: "key units units units" of the three policies.
charged() {
    local k
    for ((k = 0; k < keys; k++)); do
        echo "$k $(get "left?k=$k" |
            awk -v q=$quota '{ print q - $1, q - $2, q - $3 }')"
    done | sort
}

# A killed worker's requests are at most those of its connections.
lost_at_most() {
    join <(log_of) <(charged) | awk -v most="$1" '
        { if ($3 != $4 || $4 != $5) { print "not all or none:", $0; bad = 1 }
          if ($3 < $2) { print "admitted and not charged:", $0; bad = 1 }
          lost += $3 - $2; n++ }
        END { print n " keys, " lost " charged and never logged"
              exit bad || n == 0 || lost > most }'
}

# slowest: the longest of 50 requests, in milliseconds, as connections of
# their own find a worker.
slowest() {
    local i
    for ((i = 0; i < 50; i++)); do
        get "t?k=$((i % keys))" -o /dev/null -w '%{time_total}\n'
    done 2> /dev/null | sort -n | tail -n 1 | awk '{ print int($1 * 1000) }'
}

all_live() {
    [ "$(workers | wc -l)" = "$1" ]
}

# kill_some WORKERS KILLS
kill_some() {
    local i pid load before took
    conf "$1" > "$dir/nginx.conf"
    rm -f "$dir/admitted.log"
    start
    wait_for all_live "$1"
    wrk -t1 -c16 -d600s -s "$dir/wrk.lua" "http://127.0.0.1:$port" \
        > "$dir/wrk" 2>&1 &
    load=$!
    before=$SECONDS
    for ((i = 0; i < $2; i++)); do
        sleep "0.0$((RANDOM % 5))$((RANDOM % 10))"
        pid=$(workers | shuf -n 1)
        kill -KILL "$pid"
        wait_for all_live "$1" || break
    done
    took=$(slowest)
    kill -INT "$load"
    wait "$load"
    note "$1 workers: $i killed in $((SECONDS - before)) s," \
        "$(sed -n 's/^ *\([0-9]* requests\) in.*/\1/p' "$dir/wrk")," \
        "lock_recoveries $(metric nginx_ratelimit_zone_lock_recoveries_total \
            'zone="api"'), then the slowest of 50 requests $took ms;" \
        "$(lost_at_most 1000000)"
    check "$1 workers: the master replaced every one" test "$i" = "$2"
    check "$1 workers: nobody waits afterwards" test "$took" -lt 1000
    check "$1 workers: all or none, and no more lost than died" \
        lost_at_most $((16 * $2))
}

# A worker that is stopped, in the midst of a decision now and then, is no
# obstacle to the other: what it asks is answered, at worst as undecided.
stop_one() {
    local i pid load before after worst=0 rate
    for ((i = 0; i < 10; i++)); do
        pid=$(workers | shuf -n 1)
        kill -STOP "$pid"
        rate=$(served_for_a_while)
        [ "$i" -gt 0 ] && [ "$worst" -le "$rate" ] || worst=$rate
        kill -CONT "$pid"
        sleep 0.02
    done
    note "one of two workers stopped: at least $worst admitted in 0.2 s by" \
        'the other'
    [ "$worst" -gt 50 ]
}

served_for_a_while() {
    local before
    before=$(wc -l < "$dir/admitted.log")
    sleep 0.2
    echo $(($(wc -l < "$dir/admitted.log") - before))
}

stop_under_load() {
    wrk -t1 -c16 -d600s -s "$dir/wrk.lua" "http://127.0.0.1:$port" \
        > "$dir/wrk" 2>&1 &
    local load=$! good
    sleep 0.3
    stop_one
    good=$?
    kill -INT "$load"
    wait "$load"
    return $good
}

clean_log() {
    ! grep -E '\[(warn|error|crit|emerg)\]' "$dir/error.log" &&
        ! grep '\[alert\]' "$dir/error.log" |
            grep -v -E 'worker process [0-9]+ exited on signal 9'
}

stop_here() {
    stop_nginx
    wait_for test ! -e "$dir/nginx.pid"
}

kill_some 2 "$kills"
stop_under_load
check 'with a worker stopped the other goes on' test $? = 0
check 'counts are right behind that, too' lost_at_most $((16 * kills))
check 'nothing in the log but the kills' clean_log
stop_here
kill_some 3 "$kills"
check 'nothing in the log but the kills' clean_log

finish
