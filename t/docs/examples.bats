#!/usr/bin/env bats

# nginx accepts every example as it stands, but for the path of the module and
# the machine's own log, which a test leaves alone.

# All but what is for another program.
nginx_files() {
    ls conf-examples/*.conf | grep -v fail2ban
}

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

@test 'nginx -t of each' {
    local file
    for file in $(nginx_files); do
        echo "$file:"
        accepted "$file" 2>&1
    done
}

@test 'it warns of nothing' {
    local file
    for file in $(nginx_files); do
        echo "$file:"
        accepted "$file" 2>&1 | { ! grep -E '\[(warn|error|alert|crit)\]'; }
    done
}
