#!/bin/bash

# What ratelimit_usage costs: instructions of a proxied stream of about 1 MB in
# 2,000 events, chunked as servers stream, of which the last has the number; without the module, with
# a policy that knows its cost, with ratelimit_usage, and with a body filter in
# Lua that does the same (Debian's libnginx-mod-http-lua, if it is here).
#
#   MODULE=build/ngx_http_ratelimit_module.so t/bench/usage.sh

set -eu

. "$(dirname "${BASH_SOURCE[0]}")/../tools/ports.sh"

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

# 2,000 events of 505 bytes, each of which is a chunk, 512 bytes as it is sent,
# and one read from the back end; so is the response's head.
perl -e '
    for my $i (1 .. 2000) {
        my $event = "data: {\"id\":\"chatcmpl-1234567890\",\"object\":\"chat.completion.chunk\",\"created\":1700000000,"
            . "\"model\":\"m\",\"system_fingerprint\":\"fp_1234567890\",\"service_tier\":\"default\","
            . "\"choices\":[{\"index\":0,\"delta\":{\"content\":\"TEXT\"},\"logprobs\":null,"
            . "\"finish_reason\":null}],"
            . ($i < 2000 ? "\"usage\":null"
               : "\"usage\":{\"prompt_tokens\":20,\"completion_tokens\":2000,\"total_tokens\":2020}")
            . "}\n\n";
        my $text = substr "word " x 100, 0, 505 + 4 - length $event;
        $event =~ s/TEXT/$text/;
        print $event;
    }
    print "data: [DONE]\n\n";' > "$dir/stream"

perl -MIO::Socket::UNIX -e '
    my ($path, $file) = @ARGV;
    open my $stream, "<", $file or die $!;
    my $head = "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n"
        . "Transfer-Encoding: chunked\r\nX-Filling: ";
    my @writes = $head . "x" x (512 - 4 - length $head) . "\r\n\r\n";
    local $/ = "\n\n";
    push @writes, map { sprintf "%x\r\n%s\r\n", length, $_ } <$stream>;
    push @writes, "0\r\n\r\n";
    my $listener = IO::Socket::UNIX->new(Local => $path, Listen => 8) or die $!;
    chmod 0777, $path;
    $SIG{CHLD} = $SIG{PIPE} = "IGNORE";
    while (my $socket = $listener->accept) {
        next if fork;
        my $got = "";
        while (sysread $socket, $got, 4096, length $got) {
            while ($got =~ s/^.*?\r\n\r\n//s) {
                syswrite $socket, $_ for @writes;
            }
        }
        exit;
    }' "$dir/backend.sock" "$dir/stream" &
echo $! > "$dir/backend.pid"
until [ -S "$dir/backend.sock" ]; do
    sleep 0.1
done

# measure REQUESTS MODULES HTTP LOCATION: of nginx as a whole.
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
        location /t {
            $4
            proxy_buffering off; proxy_buffer_size 512;
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
    until curl -sf -o "$dir/got" "http://127.0.0.1:$port/t?k=a"; do
        sleep 0.2
    done
    cmp -s "$dir/got" "$dir/stream" || { echo "another body than the back end's" >&2; exit 1; }
    [ "$1" = 0 ] || curl -s -o /dev/null "http://127.0.0.1:$port/t?k=a&n=[1-$1]"
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
    printf '%-44s %12d %+12d %7.2f %%\n' "$1" "$2" $(($2 - bare)) \
        "$(awk -v n="$2" -v bare="$bare" 'BEGIN { print (n - bare) / bare * 100 }')"
}

policy='ratelimit_zone zone=api:1m; ratelimit_policy tokens key=$arg_k quota=999999999/1h;'
bare=$(cost '' '' '')
row 'proxy_pass alone' "$bare"
row '+ ratelimit, cost=2020' "$(cost "load_module $module;" "$policy" 'ratelimit tokens cost=2020;')"
row '+ ratelimit_usage, settle_at=end' "$(cost "load_module $module;" \
    "$policy ratelimit_usage \$tokens json=/usage/total_tokens;" \
    'ratelimit tokens cost=500 settle=$tokens settle_at=end;')"

[ -e $modules/ngx_http_lua_module.so ] || exit 0
# The events' text alone is searched, as the module does, and only the one that
# has the number is looked at; there is no JSON parser in Debian's package.
row '+ the same in Lua, body_filter_by_lua' "$(cost \
    "load_module $modules/ndk_http_module.so; load_module $modules/ngx_http_lua_module.so;" '' '
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
    }')"
