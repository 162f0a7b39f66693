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
rm -rf "$dir" && mkdir -p "$dir"

stop() {
    local pid
    for pid in "$dir"/*/nginx.pid; do
        [ ! -e "$pid" ] || kill "$(cat "$pid")"
    done
}
trap stop EXIT

# start NAME WORKERS: an nginx of its own, with what stdin has in http { }.
start() {
    mkdir -p "$dir/$1"
    {
        cat <<END
load_module $MODULE;
worker_processes $2;
pid nginx.pid;
error_log error.log warn;
events { }
http {
    ratelimit_log_level info;
    access_log off;
    client_body_temp_path tmp1;
    proxy_temp_path tmp2;
    fastcgi_temp_path tmp3;
    uwsgi_temp_path tmp4;
    scgi_temp_path tmp5;
END
        cat
        echo '}'
    } > "$dir/$1/nginx.conf"
    "$NGINX_BINARY" -p "$dir/$1/" -c "$dir/$1/nginx.conf" -e "$dir/$1/error.log" || exit 1
}

# For what an operator does.  Workers write state files, perhaps as nobody.
port=$(free_port)
chmod 0755 "$dir" && mkdir -p "$dir/day" && mkdir -m 0777 "$dir/day/state"
start day 2 <<END
    ratelimit_zone   zone=api:1m state=state/api.state;
    ratelimit_zone   "zone=<b>zone</b>:64k";
    ratelimit_policy token  key=\$http_x_key quota=100000/60s zone=api;
    ratelimit_policy strict key=\$http_x_key quota=1/1h zone=api label=Who-\$http_x_key;
    ratelimit_policy login  key=\$http_x_key quota=1/5m zone=api label=Who-\$http_x_key
                     ban=10m,1h after=1;
    ratelimit_policy pair   key=\$http_x_key key=x quota=\$arg_q "zone=<b>zone</b>";
    server {
        listen 127.0.0.1:$port;
        location /token  { ratelimit token; empty_gif; }
        location /strict { ratelimit strict; empty_gif; }
        location /login  { ratelimit login; empty_gif; }
        location /pair   { ratelimit pair; empty_gif; }
        location /elsewhere { default_type text/html; return 200 "<title>x</title>"; }
        location /ratelimit { ratelimit_api write=on; allow 127.0.0.1; deny all; }
        location /readonly  { ratelimit_api; allow 127.0.0.1; deny all; }
    }
END

# For what he sees: thirty policies, of which few matter, and an nginx that
# stops, or has somebody before it who asks to sign in.
many_port=$(free_port)
long=policy_whose_name_has_sixty_characters_as_some_generators_do
calm=$(seq -f calm_%g 10 36)
{
    for name in $calm; do
        echo "    ratelimit_policy $name key=\$http_x_key quota=1000/60s zone=many;"
    done
    cat <<END
    ratelimit_zone   zone=many:1m;
    ratelimit_policy trial  key=\$http_x_key quota=1/1h zone=many;
    ratelimit_policy near   key=\$http_x_key quota=100/1h zone=many;
    ratelimit_policy plan   key=\$http_x_key quota=\$http_x_quota zone=many;
    ratelimit_policy $long  key=\$http_x_key quota=10/1h zone=many;
    ratelimit_policy probed key=\$http_x_key quota=1/5m zone=many ban=10m after=1;
    server {
        listen 127.0.0.1:$many_port;
        location /calm  { ratelimit $(echo $calm); empty_gif; }
        location /trial { ratelimit trial; ratelimit_dry_run on; empty_gif; }
        location /near  { ratelimit near; empty_gif; }
        location /plan  { ratelimit plan; empty_gif; }
        location /long  { ratelimit $long; empty_gif; }
        location /probed { ratelimit probed; empty_gif; }
        location /ratelimit {
            if (\$cookie_session = redirected) { return 302 https://sso.example/; }
            if (\$cookie_session = page) { rewrite ^ /sign-in last; }
            if (\$cookie_session = unauthorized) { return 401; }
            ratelimit_api write=on; allow 127.0.0.1; deny all;
        }
        location = /sign-in { default_type text/html; return 200 "<title>Sign in</title>"; }
    }
END
} | start many 2

empty_port=$(free_port)
start empty 1 <<END
    server {
        listen 127.0.0.1:$empty_port;
        location /ratelimit { ratelimit_api write=on; allow 127.0.0.1; deny all; }
    }
END

export NODE_PATH=$NPM_DIR/node_modules NO_PROXY='*'
timeout 240 node t/page/page.js "$dir" "http://127.0.0.1:$port" \
    "http://127.0.0.1:$many_port" "http://127.0.0.1:$empty_port"
