#!/bin/bash

# A zone's size changes while workers of the configuration before still have
# requests to decide: every one of them is counted in the same buckets.

. t/tools/tap.sh
. t/tools/load.sh

load_dir resize
mkdir -m 0777 "$dir/state"

# conf SIZE [LISTEN]
conf() {
    main_conf 2
    echo 'http {'
    http_conf
    cat << END
    access_log off;
    ratelimit_zone   zone=api:$1 state=$dir/state/api.state;
    ratelimit_policy minute key=\$arg_k quota=1000/1h zone=api;

    server {
        listen 127.0.0.1:$port;
        $2
        location /k { ratelimit minute; ratelimit_headers x-ratelimit; empty_gif; }
        location /ratelimit/ { allow 127.0.0.1; deny all; ratelimit_api write=on; }
    }
}
END
}

# hold NAME: a request that a worker waits for, whatever is reloaded.
declare -A held
hold() {
    exec {held[$1]}<> "/dev/tcp/127.0.0.1/$port"
    printf 'GET /k?k=a HTTP/1.1\r\nHost: a\r\n' >&"${held[$1]}"
    sleep 0.2
}

# finish_held NAME: and what it says is left.
finish_held() {
    printf 'Connection: close\r\n\r\n' >&"${held[$1]}"
    remaining <&"${held[$1]}"
    exec {held[$1]}>&-
}

remaining() {
    tr -d '\0\r' 2> /dev/null | sed -n 's/^X-RateLimit-Remaining: //p'
}

left() {
    get 'k?k=a' -i --output - | remaining
}

# times_moved COUNT: so many lines tell it.
times_moved() {
    [ "$(grep -c 'zone "api" moves to' "$dir/error.log")" = "$1" ]
}

# has_room COUNT: keys, as the API tells.
has_room() {
    [ "$(metric nginx_ratelimit_zone_capacity_buckets 'zone="api"')" = "$1" ]
}

conf 64k > "$dir/nginx.conf"
start
hold first
check 'the first request' same 999 "$(left)"

reload 1m
check 'after a reload with another size' same 998 "$(left)"
hold second
reload 1m
check 'after one with the same size, while that has not moved' \
    same 997 "$(left)"
reload 256k
check 'after one with a third size' same 996 "$(left)"

# One that fails when its memory is there already leaves all as it was.
perl -MIO::Socket::INET -e 'my $s = IO::Socket::INET->new(Listen => 1,
    LocalAddr => "127.0.0.1:$ARGV[0]") or die; sleep 600' $((port + 1)) &
blocker=$!
sleep 0.3
conf 2m "listen 127.0.0.1:$((port + 1));" > "$dir/nginx.conf"
kill -HUP "$master"
check 'a fourth size, in a configuration that fails' \
    wait_for grep -q 'still could not bind' "$dir/error.log"
kill "$blocker"
conf 256k > "$dir/nginx.conf"

check 'a request of the first configuration counts where they do' \
    same 995 "$(finish_held first)"
check '... and is counted' same 994 "$(left)"
sleep 0.5
check 'nothing moves while a worker before the last change is there' \
    times_moved 0
check '... and the zone is what it was' has_room 930
check 'a request of the second configuration as well' \
    same 993 "$(finish_held second)"
check 'then it moves' wait_for times_moved 1
check '... to the last size' wait_for has_room 3906
check '... with what was counted' same 992 "$(left)"

# A key that nobody asks for on the way through two more moves.
ask 7 '/k?k=quiet' > "$dir/answers"
reload 64k
check 'it moves once more' wait_for times_moved 2
check '... with what was counted' same 991 "$(left)"
reload 2m
check 'and again' wait_for times_moved 3
check '... with what was counted then' same 990 "$(left)"
check 'a key that nobody asked for has moved twice' \
    same 992 "$(get 'k?k=quiet' -i --output - | remaining)"

# An operator's override goes along.
get 'ratelimit/overrides?zone=api&scale=50%' -X PUT > "$dir/answers"
reload 64k
check 'it moves again' wait_for times_moved 4
check '... with the override that an operator set' same 489 "$(left)"

# And what is left is written at exit, and read at the next start.
kill -QUIT "$master"
wait_for test ! -e "$dir/nginx.pid"
start
check 'after a restart' same 488 "$(left)"
check 'nothing else in the log' \
    same '' "$(grep -E '\[(warn|error|crit|alert|emerg)\]' "$dir/error.log" |
        grep -v -e 'bind' -e 'by "ratelimit_api"')"

finish
