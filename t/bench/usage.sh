#!/bin/bash

# What ratelimit_usage costs: instructions of a proxied stream of about 1 MB in
# 2,000 events, chunked as servers stream, over those of nginx without the
# module.  Of OpenAI's shape, where the last event has the number, a body filter
# in Lua that does the same is beside it (Debian's libnginx-mod-http-lua, if it
# is here); then other shapes and other ways in which events arrive.
#
#   MODULE=build/ngx_http_ratelimit_module.so t/bench/usage.sh

set -eu

here=$(dirname "${BASH_SOURCE[0]}")
. "$here/../tools/ports.sh"

nginx=${NGINX_BINARY:-/usr/sbin/nginx}
module=$(realpath "${MODULE:-build/ngx_http_ratelimit_module.so}")
modules=/usr/lib/nginx/modules
dir=$(mktemp -d)
chmod 755 "$dir"
port=$(free_port)
jemalloc=$(/sbin/ldconfig -p | sed -n 's/.*libjemalloc.so.2 .*=> //p' | head -n 1)

cleanup() {
    [ ! -s "$dir/backend.pid" ] || kill "$(cat "$dir/backend.pid")"
    rm -rf "$dir"
}
trap cleanup EXIT

perl "$here/usage_backend.pl" "$dir" &
echo $! > "$dir/backend.pid"
until [ -S "$dir/backend.sock" ]; do
    sleep 0.1
done

# measure REQUESTS MODULES HTTP LOCATION: of nginx as a whole, which passes
# the stream $shape on by reads of $read bytes.
measure() {
    cat > "$dir/nginx.conf" << END
master_process off; daemon off; pid nginx.pid; error_log error.log;
$2
events { worker_connections 64; }
http {
    access_log off; client_body_temp_path t1; proxy_temp_path t2; fastcgi_temp_path t3; uwsgi_temp_path t4; scgi_temp_path t5;
    keepalive_requests 100000;
    upstream backend { server unix:$dir/backend.sock; keepalive 4; }
    $3
    server {
        listen 127.0.0.1:$port;
        location / {
            $4
            proxy_buffering off; proxy_buffer_size $read;
            proxy_http_version 1.1; proxy_set_header Connection "";
            proxy_pass http://backend;
        }
    }
}
END
    LD_PRELOAD=$jemalloc valgrind --quiet --tool=callgrind \
        --callgrind-out-file="$dir/out" \
        "$nginx" -p "$dir/" -c nginx.conf -e "$dir/error.log" 2> "$dir/valgrind" &
    local pid=$!
    until curl -sf -o "$dir/got" "http://127.0.0.1:$port/$shape?k=a"; do
        sleep 0.2
    done
    cmp -s "$dir/got" "$dir/$shape" || { echo "another body than the back end's" >&2; exit 1; }
    [ "$1" = 0 ] || curl -s -o /dev/null "http://127.0.0.1:$port/$shape?k=a&n=[1-$1]"
    while kill -QUIT $pid 2> /dev/null; do
        sleep 0.2
    done
    wait $pid || true
    awk '/^summary:|^totals:/ { print $2; exit }' "$dir/out"
}

# Of one response: ten more, less what nginx does besides.
cost() {
    local few many
    few=$(measure 2 "$@")
    many=$(measure 12 "$@")
    echo $(((many - few) / 10))
}

row() { # WHAT INSTRUCTIONS
    printf '%-44s %12d %+12d %8.2f %%\n' "$1" "$2" $(($2 - bare)) \
        "$(awk -v n="$2" -v bare="$bare" 'BEGIN { print (n - bare) / bare * 100 }')"
}

policy='ratelimit_zone zone=api:1m; ratelimit_policy tokens key=$arg_k quota=999999999/1h;'

# usage POINTERS...: what it costs to read these out of $shape.
usage() {
    cost "load_module $module;" "$policy ratelimit_usage \$tokens $*;" \
        'ratelimit tokens cost=500 settle=$tokens settle_at=end;'
}

shape=openai read=512
bare=$(cost '' '' '')
row 'proxy_pass alone' "$bare"
row '+ ratelimit, cost=2020' "$(cost "load_module $module;" "$policy" 'ratelimit tokens cost=2020;')"
elsewhere='server { listen 127.0.0.1:1; ratelimit tokens settle=$tokens settle_at=end; }'
row '+ ratelimit, ratelimit_usage elsewhere' "$(cost "load_module $module;" \
    "$policy ratelimit_usage \$tokens json=/usage/total_tokens; $elsewhere" 'ratelimit tokens cost=2020;')"
row '+ ratelimit_usage, settle_at=end' "$(usage json=/usage/total_tokens)"

# The events' text alone is searched, as the module does, and only the one that
# has the number is looked at; there is no JSON parser in Debian's package.
lua='
    body_filter_by_lua_block {
        local ctx, chunk = ngx.ctx, ngx.arg[1]
        local held = (ctx.held or "") .. chunk
        local from = 1
        while true do
            local at, last = string.find(held, "\n\n", from, true)
            if not at then break end
            local event = string.sub(held, from, at - 1)
            if string.find(event, "total_tokens", 1, true) then
                ctx.tokens = tonumber(string.match(event, "\"total_tokens\":(%d+)")) or ctx.tokens
            end
            from = last + 1
        end
        ctx.held = string.sub(held, from)
    }'
if [ -e $modules/ngx_http_lua_module.so ]; then
    row '+ the same in Lua, body_filter_by_lua' "$(cost \
        "load_module $modules/ndk_http_module.so; load_module $modules/ngx_http_lua_module.so;" '' "$lua")"
fi

# other SHAPE READ WHAT POINTERS...
other() {
    shape=$1 read=$2
    bare=$(cost '' '' '')
    row "$3" "$(usage "${@:4}")"
}

total=json=/usage/total_tokens
echo 'Over proxy_pass alone of the same stream:'
other prose 512 'English prose, \n and \" in it' $total
other foreign 512 'each letter escaped, \u4e2d' $total
other each 512 'each event says its usage' $total
other cut 512 'chunks of 450 bytes, which cut events' $total
other whole 4k 'read by 4 KB' $total
other anthropic 512 'of Anthropic, four pointers' \
    'json=/usage/input_tokens|/message/usage/input_tokens' \
    'json=/usage/output_tokens|/message/usage/output_tokens'
other ollama 512 'of Ollama, lines' json=/prompt_eval_count json=/eval_count
