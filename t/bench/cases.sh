# Sourced by t/bench/run: what is compared, as nginx configurations.
#
# row NAME GOAL LOAD HTTP SERVER: a line of the table.  GOAL is the most
# instructions over bare nginx that the project allows itself, or "".

zone='ratelimit_zone zone=z:32m;'
arg='ratelimit_key $c arg=k;'
gif='location / { empty_gif; }'
json='{"error":"rate_limited"}'

# One policy, and three on two keys as the Upstat API has them.
policy() {
    echo "$zone $1 ratelimit_policy p key=$2 quota=${3:-600/60s} algorithm=$algorithm;"
}

three() {
    echo "$zone $arg ratelimit_key \$a arg=a;"
    echo "ratelimit_policy token_minute key=\$c quota=1000/1m algorithm=$algorithm;"
    echo "ratelimit_policy token_hour key=\$c quota=10000/1h algorithm=$algorithm;"
    echo "ratelimit_policy account_minute key=\$a quota=5000/1m algorithm=$algorithm;"
}

limit_req_zone() {
    echo "limit_req_zone $2 zone=$1:10m rate=1000r/s;"
}

rows_of_peers() {
    local add='add_header X-RateLimit-Limit 600; add_header X-RateLimit-Remaining 599;
        add_header X-RateLimit-Reset 60;'

    row 'limit_req' '' args "$(limit_req_zone a '$arg_k')" \
        "limit_req zone=a burst=1000 nodelay; $gif"
    row 'limit_req + three add_header' '' args "$(limit_req_zone a '$arg_k')" \
        "limit_req zone=a burst=1000 nodelay; $add $gif"
    row 'limit_req, two zones' '' two \
        "$(limit_req_zone a '$arg_k') $(limit_req_zone b '$arg_a')" \
        "limit_req zone=a burst=1000 nodelay; limit_req zone=b burst=1000 nodelay; $gif"
    row 'limit_req burst=20, nobody waits' '' args \
        "$(limit_req_zone a '$arg_k')" "limit_req zone=a burst=20; $gif"
    row 'limit_conn' '' args 'limit_conn_zone $arg_k zone=c:10m;' \
        "limit_conn c 10; $gif"
    row 'limit_req, refused, error_page and body' '' args \
        'limit_req_zone $arg_k zone=a:10m rate=1r/m; limit_req_status 429;' \
        "limit_req zone=a; error_page 429 /429; $gif
         location = /429 { internal; default_type application/json;
             add_header Retry-After 60 always; return 429 '$json'; }"
}

# Not a copy of lua-resty-limit-traffic, which Debian does not package, but
# what its "count" comes down to: one incr with a time to live.
rows_of_lua() {
    local counter='local n = ngx.shared.c:incr(ngx.var.arg_k, 1, 0, 60)
        if n > 600 then return ngx.exit(429) end'
    local fields='ngx.header["X-RateLimit-Limit"] = 600
        ngx.header["X-RateLimit-Remaining"] = 600 - n'
    local modules
    modules=$(nginx -V 2>&1 | sed -n 's/.*--modules-path=\([^ ]*\).*/\1/p')
    preamble="pcre_jit on; load_module $modules/ndk_http_module.so;
        load_module $modules/ngx_http_lua_module.so;"
    row 'a Lua counter' '' args 'lua_shared_dict c 32m;' \
        "access_by_lua_block { $counter } $gif"
    row 'a Lua counter, two fields' '' args 'lua_shared_dict c 32m;' \
        "access_by_lua_block { $counter $fields } $gif"
    preamble=
}

rows_of_haproxy() {
    local track='stick-table type string len 32 size 100k expire 60s store http_req_rate(60s)
        http-request track-sc0 url_param(k)
        http-request deny deny_status 429 if { sc_http_req_rate(0) gt 600 }'
    local fields='http-after-response set-header X-RateLimit-Limit 600
        http-after-response set-header X-RateLimit-Remaining %[int(600),sub(0)]
        http-after-response set-header X-RateLimit-Reset 60'
    haproxy_row 'HAProxy stick table' "$track"
    haproxy_row 'HAProxy stick table, three fields' "$track
        $fields"
}

# Of one key, asked for by ten connections all the time; RATE stands for a rate.
rows_of_lines() {
    local ours="$zone ratelimit_policy p key=\$arg_k"
    line_row 'limit_req burst=20, all wait' 'limit_req_zone $arg_k zone=a:10m rate=RATEr/s;' \
        "limit_req zone=a burst=20; $gif"
    line_row '`gcra` with `wait=`, all wait' \
        "$ours quota=RATE/1s algorithm=gcra capacity=1;" "ratelimit p wait=2s queue=20; $gif"
    line_row 'limit_conn' 'limit_conn_zone $arg_k zone=c:10m;' "limit_conn c 20; $gif"
    line_row '`concurrent=`' "$ours concurrent=20;" "ratelimit p; $gif"
}

rows_of_ours() {
    local x='ratelimit_headers x-ratelimit;'
    for algorithm in sliding fixed calendar gcra; do
        row "$algorithm, key arg=k" 550 args "$(policy "$arg" '$c')" \
            "ratelimit p; $gif"
        row "$algorithm, key \$arg_k" 700 args "$(policy '' '$arg_k')" \
            "ratelimit p; $gif"
        row "$algorithm, key arg=k, x-ratelimit" 1000 args \
            "$(policy "$arg" '$c')" "ratelimit p; $x $gif"
        row "$algorithm, key \$arg_k, x-ratelimit" 1150 args \
            "$(policy '' '$arg_k')" "ratelimit p; $x $gif"
        row "$algorithm, key bearer, ietf" 1100 tokens \
            "$(policy 'ratelimit_key $c bearer;' '$c')" \
            "ratelimit p; ratelimit_headers ietf; $gif"
        row "$algorithm, three policies, two keys, x-ratelimit" 1600 two \
            "$(three)" "ratelimit token_minute token_hour account_minute; $x $gif"
        row "$algorithm, refused, x-ratelimit and body" '' args \
            "$(policy "$arg" '$c' 1/1h)" \
            "ratelimit p; $x ratelimit_body application/json '$json'; $gif"
    done
    algorithm=sliding
    row 'requests at once, key $arg_k' 700 args \
        "$zone ratelimit_policy p key=\$arg_k concurrent=10;" "ratelimit p; $gif"
    row 'gcra with wait=, nobody waits' '' args \
        "$zone ratelimit_policy p key=\$arg_k quota=1000/1s algorithm=gcra capacity=1;" \
        "ratelimit p wait=2s queue=20; $gif"
    row 'a policy that bans, key $arg_k' '' args \
        "$zone ratelimit_policy p key=\$arg_k quota=600/60s ban=10m;" "ratelimit p; $gif"
    row 'a location without ratelimit' 40 args "$(policy "$arg" '$c')" \
        "$gif location /limited { ratelimit p; }"
}
