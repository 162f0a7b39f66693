#!/bin/bash

# Decisions, and what is charged at a request's end, over HTTP/3: Debian's
# chromium as the client, by playwright-core of npm, where nginx has HTTP/3.

. t/tools/ports.sh

skip() {
    echo "# SKIPPED: HTTP/3, $1" >&2
    echo "1..0 # SKIP $1"
    exit
}

[ -n "${NPM_DIR:-}" ] && [ -z "${NO_BROWSER:-}" ] ||
    skip "${NO_BROWSER:-t/run has not installed a browser}"
# 1.24 and before know no such option, and say so.
"$NGINX_BINARY" -V 2>&1 | grep -q -e --with-http_v3_module ||
    skip 'this nginx has none'

dir=$BUILD/http3
rm -rf "$dir" && mkdir -p "$dir"
port=$(free_port 2)

openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 \
    -subj /CN=localhost -keyout "$dir/tls.key" -out "$dir/tls.crt" 2> "$dir/openssl.log" ||
    exit 1

cat > "$dir/nginx.conf" << END
${MODULE:+load_module $MODULE;}
pid nginx.pid;
error_log error.log warn;
worker_processes 1;
events { }
http {
    access_log off;
    client_body_temp_path tmp1;
    proxy_temp_path tmp2;
    fastcgi_temp_path tmp3;
    uwsgi_temp_path tmp4;
    scgi_temp_path tmp5;

    ratelimit_zone   zone=api:1m;
    ratelimit_policy requests key=\$arg_k quota=3/1h;
    ratelimit_policy bytes    key=\$arg_k quota=1M/1h;
    ratelimit_policy tokens   key=\$arg_k quota=1000/1h;
    ratelimit_policy places   key=\$arg_k concurrent=1;
    ratelimit_usage  \$tokens json=/usage/total_tokens;
    ratelimit_headers x-ratelimit;

    server {
        listen 127.0.0.1:$port quic;
        listen 127.0.0.1:$port ssl;
        ssl_certificate     tls.crt;
        ssl_certificate_key tls.key;

        location = /       { default_type text/html; return 200 "<title>x</title>"; }
        location /requests { ratelimit requests; empty_gif; }
        location /bytes    { ratelimit bytes settle=\$bytes_sent settle_at=end; alias $dir/; }
        location /slow     { ratelimit bytes settle=\$bytes_sent settle_at=end; ratelimit places;
                             limit_rate 50k; alias $dir/; }
        location /tokens   { ratelimit tokens settle=\$tokens settle_at=end;
                             proxy_pass http://127.0.0.1:$((port + 1)); }
    }

    server {
        listen 127.0.0.1:$((port + 1));
        location /tokens { default_type application/json;
                           return 200 '{"usage": {"total_tokens": 42}}'; }
        location /ratelimit/ { ratelimit_api; allow all; }
    }
}
END
head -c 300000 /dev/zero | tr '\0' x > "$dir/large.txt"
chmod 0755 "$dir"

"$NGINX_BINARY" -p "$dir/" -c "$dir/nginx.conf" -e "$dir/error.log" || exit 1
trap 'kill "$(cat "$dir/nginx.pid")"' EXIT

key=$(openssl x509 -in "$dir/tls.crt" -pubkey -noout |
    openssl pkey -pubin -outform der | openssl dgst -sha256 -binary | base64)
NODE_PATH=$NPM_DIR/node_modules NO_PROXY='*' \
    timeout 120 node t/clients/http3.js "$port" "$key" "$dir/error.log"
