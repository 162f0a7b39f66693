#!/bin/bash

# The page of ratelimit_api in Debian's chromium, by playwright-core of npm.
# $NPM_DIR is where t/run has put that, $NO_BROWSER why there is none.

if [ -n "${NO_BROWSER:-}" ] || [ -z "${NPM_DIR:-}" ]; then
    echo "# SKIPPED: no browser test, ${NO_BROWSER:-t/run has not installed one}" >&2
    echo "ok 1 # SKIP ${NO_BROWSER:-t/run has not installed a browser}"
    echo '1..1'
    exit
fi

. t/tools/ports.sh

dir=$BUILD/browser
port=$(free_port)
rm -rf "$dir" && mkdir -p "$dir"

cat > "$dir/nginx.conf" <<END
load_module $MODULE;
worker_processes 2;
pid nginx.pid;
error_log error.log warn;
events { }
http {
    ratelimit_zone   zone=api:1m;
    ratelimit_zone   "zone=<b>zone</b>:64k";
    ratelimit_policy token  key=\$http_x_key quota=100000/60s zone=api;
    ratelimit_policy strict key=\$http_x_key quota=1/1h zone=api label=Who-\$http_x_key;
    ratelimit_policy pair   key=\$http_x_key key=x quota=\$arg_q "zone=<b>zone</b>";
    ratelimit_log_level info;
    access_log off;
    client_body_temp_path tmp1;
    proxy_temp_path tmp2;
    fastcgi_temp_path tmp3;
    uwsgi_temp_path tmp4;
    scgi_temp_path tmp5;
    server {
        listen 127.0.0.1:$port;
        location /token  { ratelimit token; empty_gif; }
        location /strict { ratelimit strict; empty_gif; }
        location /elsewhere { default_type text/html; return 200 "<title>x</title>"; }
        location /ratelimit { ratelimit_api write=on; allow 127.0.0.1; deny all; }
        location /readonly  { ratelimit_api; allow 127.0.0.1; deny all; }
    }
}
END

"$NGINX_BINARY" -p "$dir/" -c "$dir/nginx.conf" -e "$dir/error.log" || exit 1
trap 'kill "$(cat "$dir/nginx.pid")"' EXIT

export NODE_PATH=$NPM_DIR/node_modules NO_PROXY='*'
timeout 240 node t/page/page.js "http://127.0.0.1:$port" "$dir"
