#!/usr/bin/env bats

# README's recipes, each as it stands there, in a running nginx: what is above
# the empty line in http, the rest in a server, behind an application that
# answers as the recipe expects.  127.0.0.1:8081 is a socket here.

dir=$BUILD/recipes

# The blocks to files, n.block, with the bold words before each in n.title; the
# first is what all of them need.
setup_file() {
    . t/tools/ports.sh
    rm -rf "$dir" && mkdir -p "$dir/files"
    export port=$(free_port)
    awk -v dir="$dir" '
        /^## / { recipes = $0 == "## Recipes" }
        !recipes { next }
        /^\*\*/ { title = $0; sub(/^\*\*/, "", title); sub(/[,.]?\*\*.*/, "", title) }
        /^```/ {
            inside = !inside && $0 == "```nginx"
            if (inside) print title > (dir "/" ++n ".title")
            next
        }
        inside { print > (dir "/" n ".block") }
    ' README.md
    openssl genrsa -out "$dir/issuer.key" 2048
    openssl rsa -in "$dir/issuer.key" -pubout > "$dir/issuer.pem"
    head -c 3000 /dev/zero > "$dir/files/3000"
}

teardown() {
    [ ! -s "$dir/nginx.pid" ] || kill "$(cat "$dir/nginx.pid")"
    [ ! -s "$dir/redis.pid" ] || kill "$(cat "$dir/redis.pid")"
    for _ in $(seq 100); do
        [ -e "$dir/nginx.pid" ] || return 0
        sleep 0.02
    done
}

titled() {
    grep -l -x -F "$1" "$dir"/*.title | sed 's/title$/block/'
}

# recipe TITLE [LINE OF THE SERVER...]: nginx runs it.
recipe() {
    local block http=d
    block=$(titled "$1")
    shift
    grep -q '^$' "$block" && http=
    grep -q '^location /  *{' "$block" || set -- "$@" 'location / { proxy_pass http://app; }'
    {
        echo "load_module $MODULE;"
        echo 'pid nginx.pid;'
        echo 'events { }'
        echo 'http {'
        echo "log_format limits '\$ratelimit_status'; access_log access.log limits;"
        echo 'keepalive_requests 100000;'
        for temporary in client_body proxy fastcgi uwsgi scgi; do
            echo "${temporary}_temp_path tmp_$temporary;"
        done
        cat "$dir/1.block"
        sed "${http:+1,\$d;}/^$/,\$d" "$block"
        application
        echo 'server {'
        echo "listen 127.0.0.1:$port;"
        [ -n "$http" ] && cat "$block" || sed '1,/^$/d' "$block"
        printf '%s\n' "$@"
        echo '}'
        echo '}'
    } | sed "s|127.0.0.1:8081|unix:$dir/app.sock|; s|127.0.0.1:6379|unix:$dir/redis.sock|" > "$dir/nginx.conf"
    "$NGINX_BINARY" -p "$dir/" -c "$dir/nginx.conf" -e "$dir/error.log" 3>&-
}

application() {
    cat << END
server {
    listen unix:$dir/app.sock;
    location /         { return 200 "application\n"; }
    location /same     { return 304; }
    location /login    { return 401; }
    location /graphql  { add_header X-Cost 90; return 200 "{}\n"; }
    location /v1/      { default_type application/json; return 200 '{"usage":{"total_tokens":30000}}'; }
    location /files/   { root $dir; }
}
END
}

# statuses N PATH [CURL'S ARGUMENTS...]: as in "20 200, 1 429".
statuses() {
    curl -sS --noproxy '*' -o /dev/null -w '%{http_code}\n' "${@:3}" \
        "http://127.0.0.1:$port$2#[1-$1]" | uniq -c |
        awk '{ line = line (NR > 1 ? ", " : "") $1 " " $2 } END { print line }'
}

# fields PATH [CURL'S ARGUMENTS...]: with the status' line, in lower case.
fields() {
    curl -sS --noproxy '*' -o /dev/null -D - "${@:2}" "http://127.0.0.1:$port$1" |
        tr -d '\r' | tr '[:upper:]' '[:lower:]'
}

# within_a_second COMMAND...: what it prints, the first time that it takes no
# longer than the windows it is about.  A machine that is busy with other things
# has more tries, each with what was counted before forgotten.
within_a_second() {
    local began printed
    for _ in $(seq 20); do
        began=${EPOCHREALTIME/./}
        printed=$("$@")
        [ $((${EPOCHREALTIME/./} - began)) -ge 1000000 ] || { echo "$printed"; return; }
        sleep 2
    done
    echo 'never within a second'
}

is() {
    echo "got: $1"
    [ "$1" = "$2" ]
}

token() { # CLAIMS
    local input
    input=$(printf '{"alg":"RS256"}' | base64url).$(printf '%s' "$1" | base64url)
    printf 'Authorization: Bearer %s.%s' "$input" \
        "$(printf '%s' "$input" | openssl dgst -sha256 -sign "$dir/issuer.key" | base64url)"
}

base64url() {
    base64 -w 0 | tr '+/' '-_' | tr -d '='
}

@test 'no recipe has more than eight lines' {
    ! wc -l "$dir"/*.block | awk '$2 != "total" && $1 > 8' | grep .
}

@test 'every recipe is run' {
    diff <(cat "$dir"/*.title | sort -u | grep .) \
        <(sed -n "s/^ *recipe '\([^']*\)'.*/\1/p" "$BATS_TEST_FILENAME" | sort -u)
}

@test 'several limits at once' {
    recipe 'Several limits at once'
    is "$(within_a_second statuses 21 /)" '20 200, 1 429'
    fields / | grep -E '^ratelimit-policy: "hourly";q=1000;w=3600, "burst";q=20;w=1$'
}

@test 'plans' {
    recipe 'Plans, tiers'
    is "$(statuses 61 /)" '60 200, 1 429'
    is "$(statuses 601 / -H "$(token '{"sub":"a","plan":"pro"}')")" '600 200, 1 429'
    is "$(statuses 700 / -H "$(token '{"sub":"b","plan":"internal"}')")" '700 200'
}

@test 'an allowlist' {
    recipe 'Allowlist, whitelist' 'set_real_ip_from 127.0.0.1;'
    is "$(statuses 101 / -H 'X-Real-IP: 192.0.2.1')" '100 200, 1 429'
    is "$(statuses 150 / -H 'X-Real-IP: 10.1.2.3')" '150 200'
}

@test 'health checks, preflights, cached answers' {
    recipe 'Health checks, CORS preflights, cached answers'
    is "$(statuses 601 /healthz)" '601 200'
    is "$(statuses 601 / -X OPTIONS)" '601 200'
    is "$(statuses 601 /same)" '601 304'
    is "$(statuses 601 /)" '600 200, 1 429'
}

@test 'a login' {
    recipe 'Login, brute force'
    is "$(statuses 10 /login)" '5 401, 5 429'
}

@test 'costs' {
    recipe 'Costs, GraphQL'
    is "$(statuses 10 /graphql)" '10 200'
    is "$(statuses 6 /export)" '5 200, 1 429'
}

@test 'tokens' {
    recipe 'Tokens of a language model'
    is "$(statuses 5 /v1/chat)" '4 200, 1 429'
}

@test 'tokens that are reported later' {
    recipe 'Tokens of a language model' \
        'location /report { ratelimit tokens cost=0 settle=$arg_n; empty_gif; }'
    is "$(statuses 1 '/report?n=99000')" '1 200'
    is "$(statuses 1 /v1/chat)" '1 429'
}

@test 'bytes' {
    recipe 'Bytes, traffic, seconds' \
        'location /used { ratelimit bytes cost=0; ratelimit seconds cost=0; add_header Used $ratelimit_used_bytes; add_header Ms $ratelimit_used_seconds; empty_gif; }'
    is "$(statuses 10 /files/3000)" '10 200'
    fields /used | grep -x 'used: 3[0-9]\{4\}'      # with their headers
    fields /used | grep -x 'ms: [0-9]\{1,3\}'       # not what was reserved
}

@test 'months' {
    recipe 'Monthly quota' 'ratelimit_headers ietf;'
    fields / | grep -E '^ratelimit: "monthly";r=9999;t=[0-9]+$'
}

@test 'where a client stands' {
    recipe 'Where do I stand?'
    statuses 3 /
    statuses 3 /rate_limit
    curl -sS --noproxy '*' "http://127.0.0.1:$port/rate_limit" | grep -x '      "remaining": 597,'
}

@test 'a canary' {
    recipe 'Dry run, then canary, then enforce'
    is "$(statuses 601 / -H 'Authorization: Bearer 13')" '601 200'
    is "$(statuses 601 / -H 'Authorization: Bearer 14')" '600 200, 1 429'
    is "$(statuses 601 / -H 'Authorization: Bearer 15')" '601 200'
    is "$(grep -c -x REJECTED_DRY_RUN "$dir/access.log")" 2
}

@test 'who is being refused' {
    recipe 'Who is being refused, and unblock a customer'
    curl -sS --noproxy '*' "http://127.0.0.1:$port/ratelimit/" | grep -q '"policies"'
    curl -sS --noproxy '*' "http://127.0.0.1:$port/ratelimit/metrics" | grep -q '^# TYPE nginx_ratelimit_requests_total counter'
}

@test 'bans' {
    recipe 'Ban'
    is "$(statuses 15 /)" '10 200, 5 429'
    fields / | grep -E '^retry-after: (600|59[0-9])$'
}

@test 'ten at once' {
    recipe 'At most ten at once' \
        'location /slow/ { limit_rate_after 1k; limit_rate 1; alias files/; }'
    local number slow=()
    for number in $(seq 10); do
        curl -sS --noproxy '*' -i -N "http://127.0.0.1:$port/slow/3000" \
            > "$dir/slow.$number" 3>&- &
        slow+=($!)
    done
    for _ in $(seq 300); do
        [ "$(grep -a -l '^HTTP/1.1 200' "$dir"/slow.* | wc -l)" -lt 10 ] || break
        sleep 0.1
    done
    is "$(statuses 4 /)" '4 429'
    kill "${slow[@]}"
    wait "${slow[@]}" || true
    for _ in $(seq 300); do
        [ "$(statuses 4 /)" != '4 200' ] || return 0
        sleep 0.1
    done
    return 1
}

@test 'a queue' {
    recipe 'Queue instead of refusing'
    is "$(statuses 5 /)" '5 200'
}

@test 'behind a proxy' {
    recipe 'Behind a proxy, load balancer, CDN' 'set_real_ip_from 127.0.0.1;'
    is "$(statuses 101 / -H 'X-Forwarded-For: 192.0.2.1')" '100 200, 1 429'
    is "$(statuses 101 / -H 'X-Forwarded-For: 192.0.2.2')" '100 200, 1 429'
}

@test 'several machines' {
    local server
    server=${REDIS_SERVER:-$(command -v redis-server || echo /usr/bin/redis-check-rdb)}
    [ -x "$server" ] || skip 'no redis-server'
    ln -sf "$server" "$dir/redis-server"
    (cd "$dir" && ./redis-server --port 0 --unixsocket redis.sock --save '' \
        --daemonize yes --pidfile "$dir/redis.pid" --logfile redis.log) 3>&-
    for _ in $(seq 300); do
        ! redis-cli -s "$dir/redis.sock" ping || break
        sleep 0.1
    done
    recipe 'Several machines, one quota'
    sleep 0.6
    is "$(statuses 601 /)" '600 200, 1 429'
}

@test 'gRPC' {
    recipe 'gRPC, WebSocket'
    is "$(within_a_second grpc_statuses 101)" '100 502, 1 200 8'
}

# grpc_statuses CALLS: as statuses, with gRPC's where there is one.
grpc_statuses() {
    curl -sS --noproxy '*' -o /dev/null -w '%{http_code} %header{grpc-status}\n' \
        -H 'Content-Type: application/grpc' "http://127.0.0.1:$port/#[1-$1]" | uniq -c |
        awk '{ $1 = $1; line = line (NR > 1 ? ", " : "") $0 } END { print line }'
}

@test 'your own error' {
    recipe 'Your own error'
    is "$(statuses 601 /)" '600 200, 1 503'
    fields / | grep -E '^x-quota: 600/600$'
    curl -sS --noproxy '*' "http://127.0.0.1:$port/" | grep -x -E '\{"error":"slow down","retry_after":[0-9]+\}'
}
