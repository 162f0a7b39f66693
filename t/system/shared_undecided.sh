#!/bin/bash

# A request over a shared policy and one of this machine's own: Redis has
# refused, and the own one cannot be decided, as its lock's owner does not move.
# It stays refused, and nothing of the own one is charged or told.

. t/tools/tap.sh
. t/tools/load.sh

if [ -z "$MODULE" ]; then
    echo '1..0 # SKIP the module is linked into nginx'
    exit
fi

load_dir shared_undecided
. t/tools/redis.sh

start_redis

conf() {
    main_conf 1
    echo 'http {'
    http_conf
    cat << END
    access_log off;
    ratelimit_redis  main server=127.0.0.1:$redis_port timeout=2s;
    ratelimit_zone   zone=all:1m redis=main mode=strict on_error=refuse;
    ratelimit_zone   zone=own:1m;
    ratelimit_policy shared key=\$arg_k quota=1/1h zone=all;
    ratelimit_policy own    key=\$arg_k quota=9/1h zone=own;
    server {
        listen 127.0.0.1:$port;
        ratelimit_headers ietf;
        add_header X-Status "\$ratelimit_status \$ratelimit_policy" always;
        location /t    { ratelimit own shared; empty_gif; }
        location /left { return 200 "\$ratelimit_remaining_own\n"; }
    }
}
END
}

plant() {
    printf '%s\0' "$1" | dd of="$dir/fault" conv=notrunc status=none
}

# told PATH: status, who refused, and the policies that are told.
told() {
    get "$1" -o /dev/null -w '%{http_code} %header{x-status} %header{ratelimit-policy}\n'
}

check 'it links' link_faulty undecided
printf '\0\0' > "$dir/fault"
chmod 0666 "$dir/fault"
export FAULT_FILE=$dir/fault
MODULE=$dir/faulty.so conf > "$dir/nginx.conf"
start
sleep 2

both='"own";q=9;w=3600, "shared";q=1;w=3600'
check 'both admit' same "200 PASSED shared $both" "$(told 't?k=a')"
check 'Redis refuses, the own one is told as well' \
    same "429 REJECTED shared $both" "$(told 't?k=a')"
check 'and is not charged' same 8 "$(get 'left?k=a')"

plant k
check 'it cannot be decided: what Redis has refused stays refused' \
    same '429 REJECTED shared "shared";q=1;w=3600' "$(told 't?k=a')"
check 'where Redis admits the request passes undecided' \
    same '200 ERROR ' "$(told 't?k=b')"

plant ''
check 'nothing of it was charged here' same '8 9' "$(get 'left?k=a') $(get 'left?k=b')"
check 'nor in Redis: the other key has its unit' \
    same "200 PASSED shared $both" "$(told 't?k=b')"

# rows: what this machine has of all buckets in Redis.
rows() {
    local line
    exec 3<> "/dev/tcp/127.0.0.1/$redis_port"
    cat >&3 << 'END'
EVAL "local n = 0 for _, k in ipairs(redis.call('KEYS', '*')) do if not k:find('gen') and not k:find('machines') then n = n + (redis.call('STRLEN', k) - 72) / 36 end end return n" 0
END
    read -r line <&3
    exec 3>&-
    tr -d -c 0-9 <<< "$line"
}

# A reload whose worker begins when the one before has gone.
had=$(rows)
plant s
old=$(pgrep -P "$master")
kill -HUP "$master"
wait_for sh -c "! kill -0 $old 2> /dev/null"
check 'rows are left to a worker that is about to begin' test "$had" -gt 0
sleep 1
check 'which goes on with them' same "$had" "$(rows)"

# A worker that finds no place when it begins, and later does.
stop_nginx
wait_for test ! -e "$dir/nginx.pid"
plant p
start
sleep 2
check 'without a place among the processes the request passes undecided' \
    same '200 ERROR ' "$(told 't?k=c')"
check 'and the log says why' grep -q \
    'this worker process found no place in the process table' "$dir/error.log"
plant ''
sleep 1.2
check 'once it has one Redis decides' \
    same "200 PASSED shared $both" "$(told 't?k=c')"
check 'and counts' same "429 REJECTED shared $both" "$(told 't?k=c')"

finish
