#!/usr/bin/env bats

# What conf-examples/fail2ban-filter.conf makes of nginx's own error log, as
# fail2ban reads it.

setup_file() {
    . t/tools/ports.sh
    export dir=$BUILD/fail2ban port=$(free_port)
    rm -rf "$dir" && mkdir -p "$dir"
    chmod 0755 "$dir"
    conf > "$dir/nginx.conf"
    "$NGINX_BINARY" -p "$dir/" -c "$dir/nginx.conf" -e "$dir/error.log" 3>&-
    wait_for_port
    for _ in 1 2 3 4 5; do
        curl -sS --noproxy '*' "http://127.0.0.1:$port/login" -o /dev/null
    done
    curl -sS --noproxy '*' "http://127.0.0.1:$port/dry" -o /dev/null
    # Without its service, which an installed one is.
    command -v fail2ban-regex > /dev/null || (
        cd "$dir" && apt-get -qq download fail2ban && dpkg -x fail2ban_*.deb .
    ) || rm -rf "$dir/usr"
}

wait_for_port() {
    for _ in $(seq 100); do
        ! curl -s --noproxy '*' "http://127.0.0.1:$port/" -o /dev/null || return 0
        sleep 0.05
    done
}

teardown_file() {
    kill "$(cat "$dir/nginx.pid")"
}

conf() {
    [ -z "$MODULE" ] || echo "load_module $MODULE;"
    cat << END
pid nginx.pid;
error_log error.log notice;
events { }
http {
    access_log off;
    client_body_temp_path tmp1;
    proxy_temp_path tmp2;
    fastcgi_temp_path tmp3;
    uwsgi_temp_path tmp4;
    scgi_temp_path tmp5;
    ratelimit_zone   zone=api:64k;
    ratelimit_policy login key=\$remote_addr quota=1/1h ban=1h after=2;
    ratelimit_policy dry   key=\$remote_addr quota=0/1h ban=1h after=1;
    server {
        listen 127.0.0.1:$port;
        location /login { ratelimit login; empty_gif; }
        location /dry   { ratelimit dry dry_run=on; empty_gif; }
    }
}
END
}

# found FILTER: how many lines it matches, and whose.
found() {
    local regex=fail2ban-regex
    command -v "$regex" > /dev/null || regex=$dir/usr/bin/fail2ban-regex
    [ -x "$(command -v "$regex")" ] || skip 'fail2ban cannot be had'
    PYTHONPATH=$dir/usr/lib/python3/dist-packages "$regex" --print-all-matched \
        "$dir/error.log" "$1"
}

@test 'each ban is a line that it matches, with the address' {
    run found "$PWD/conf-examples/fail2ban-filter.conf"
    echo "$output"
    [[ $output == *' 1 matched'* ]]
    [[ $output == *'banned by policy "login"'*'client: 127.0.0.1'* ]]
}

@test 'so is each refusal, where that is asked for' {
    sed -e '/^failregex/d' -e 's/^#  *^/failregex = ^/' \
        conf-examples/fail2ban-filter.conf > "$dir/refused.conf"
    run found "$dir/refused.conf"
    echo "$output"
    [[ $output == *'refused by policy "login"'*'client: 127.0.0.1'* ]]
    [[ $output != *'would be'*'matched'* ]]
}
