#!/bin/bash

# Memory that cannot be had while a key is looked up in Redis: each allocation
# that the module makes for it fails once.  The answer may be an error, whose page
# takes a while; what Redis answers then is for nobody, and nothing crashes.

. t/tools/tap.sh
. t/tools/load.sh

if [ -z "$MODULE" ]; then
    echo '1..0 # SKIP the module is linked into nginx'
    exit
fi

load_dir shared_allocations
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
    ratelimit_policy shared key=\$arg_k quota=2/1h;
    server {
        listen 127.0.0.1:$port;
        location /t          { ratelimit shared; empty_gif; }
        location /ratelimit/ { ratelimit_api; allow all; error_page 500 /page; }
        location /page       { proxy_pass http://127.0.0.1:$port/slow; proxy_read_timeout 100ms; }
        location /slow       { empty_gif; limit_rate 1; }
    }
}
END
}

look_up() {
    get 'ratelimit/keys?policy=shared&key=a' -m 10 -w '%{http_code}'
}

# fail N: the Nth allocation from now on, or none (0).
fail() {
    perl -e 'print pack "Q2", $ARGV[0], 0' "$1" | dd of="$dir/fault" conv=notrunc status=none
}

# Statuses, one for each allocation that failed.
fail_each() {
    local n

    for n in $(seq 1 200); do
        fail "$n"
        look_up > "$dir/answer"
        [ "$(od -An -tu8 -j8 -N8 "$dir/fault" | tr -d ' ')" != 0 ] || return
        tail -c 3 "$dir/answer"
        echo
    done
}

check 'it links' link_faulty alloc
head -c 16 /dev/zero > "$dir/fault"
chmod 0666 "$dir/fault"
export FAULT_FILE=$dir/fault
MODULE=$dir/faulty.so conf > "$dir/nginx.conf"
start
sleep 2

get 't?k=a' > /dev/null
get 't?k=a' > /dev/null
check 'a key is looked up' grep -q '"rows": 1' <(look_up)

worker=$(pgrep -P "$master")
fail_each > "$dir/statuses"
fail 0
note "$(sort "$dir/statuses" | uniq -c | tr '\n' ',')"
check 'allocations fail' test "$(wc -l < "$dir/statuses")" -gt 5
check 'each is an answer, or an error' \
    sh -c "! grep -v -x -E '200|50.|000' '$dir/statuses'"
check 'the worker is the same' test "$(pgrep -P "$master")" = "$worker"
check 'and still looks keys up' grep -q '"rows": 1' <(look_up)
check 'no process died' \
    sh -c "! grep -E '\[(alert|emerg)\]|exited on signal' '$dir/error.log'"

finish
