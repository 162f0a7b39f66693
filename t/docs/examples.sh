#!/bin/bash

# nginx accepts every example as it stands, but for the path of the module and
# the machine's own log, which a test leaves alone.

. t/tools/tap.sh

accepted() {
    local prefix=$BUILD/examples/${1##*/}
    rm -rf "$prefix" && mkdir -p "$prefix/logs"
    cp -r conf-examples/. "$prefix/"
    sed -e "s|^ *load_module .*ratelimit.*|load_module $MODULE;|" \
        -e 's|^http {|& access_log logs/access.log;|' "$1" \
        > "$prefix/nginx.conf"
    grep -q '^ *pid ' "$1" || set -- "$1" -g "pid $prefix/nginx.pid;"
    shift
    "$NGINX_BINARY" -t -p "$prefix/" -c "$prefix/nginx.conf" -e stderr "$@"
}

quiet() {
    ! accepted "$1" 2>&1 | grep -E '\[(warn|error|alert|crit)\]'
}

for file in conf-examples/*.conf; do
    check "nginx -t ${file##*/}" accepted "$file"
    check "nginx -t ${file##*/} warns of nothing" quiet "$file"
done

finish
