# Sourced by t/bench/run: what is compared, as nginx configurations.
#
# row NAME LOAD HTTP SERVER: a line of the table, of known keys and new ones;
# row_known, row_new: of these alone.  Its bounds are in t/bench/bounds.
#
# Windows are of a day, so that nothing rolls while a row is counted: it does
# for each key once in a 16th of the window, and how often that comes would
# depend on how fast this machine is.

zone='ratelimit_zone zone=z:32m;'
arg='ratelimit_key $c arg=k;'
gif='location / { empty_gif; }'
json='{"error":"rate_limited"}'

# One policy, and three on two keys as the Upstat API has them.
policy() {
    echo "$zone $1 ratelimit_policy p key=$2 quota=${3:-600/24h} algorithm=$algorithm;"
}

three() {
    echo "$zone $arg ratelimit_key \$a arg=a;"
    echo "ratelimit_policy token_minute key=\$c quota=1000/24h algorithm=$algorithm;"
    echo "ratelimit_policy token_hour key=\$c quota=10000/24h algorithm=$algorithm;"
    echo "ratelimit_policy account_minute key=\$a quota=5000/24h algorithm=$algorithm;"
}

limit_req_zone() {
    echo "limit_req_zone $2 zone=$1:10m rate=1000r/s;"
}

rows_of_peers() {
    local add='add_header X-RateLimit-Limit 600; add_header X-RateLimit-Remaining 599;
        add_header X-RateLimit-Reset 60;'

    row 'limit_req' args "$(limit_req_zone a '$arg_k')" \
        "limit_req zone=a burst=1000 nodelay; $gif"
    row 'limit_req + three add_header' args "$(limit_req_zone a '$arg_k')" \
        "limit_req zone=a burst=1000 nodelay; $add $gif"
    row 'limit_req, two zones' two \
        "$(limit_req_zone a '$arg_k') $(limit_req_zone b '$arg_a')" \
        "limit_req zone=a burst=1000 nodelay; limit_req zone=b burst=1000 nodelay; $gif"
    row 'limit_req burst=20, nobody waits' args \
        "$(limit_req_zone a '$arg_k')" "limit_req zone=a burst=20; $gif"
    row 'limit_conn' args 'limit_conn_zone $arg_k zone=c:10m;' \
        "limit_conn c 10; $gif"
    row 'limit_req, refused, error_page and body' args \
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
    row 'a Lua counter' args 'lua_shared_dict c 32m;' \
        "access_by_lua_block { $counter } $gif"
    row 'a Lua counter, two fields' args 'lua_shared_dict c 32m;' \
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
        row "$algorithm, key arg=k" args "$(policy "$arg" '$c')" \
            "ratelimit p; $gif"
        row "$algorithm, key \$arg_k" args "$(policy '' '$arg_k')" \
            "ratelimit p; $gif"
        row "$algorithm, key arg=k, x-ratelimit" args \
            "$(policy "$arg" '$c')" "ratelimit p; $x $gif"
        row "$algorithm, key \$arg_k, x-ratelimit" args \
            "$(policy '' '$arg_k')" "ratelimit p; $x $gif"
        row "$algorithm, key bearer, ietf" tokens \
            "$(policy 'ratelimit_key $c bearer;' '$c')" \
            "ratelimit p; ratelimit_headers ietf; $gif"
        row "$algorithm, three policies, two keys, x-ratelimit" two \
            "$(three)" "ratelimit token_minute token_hour account_minute; $x $gif"
        row "$algorithm, refused, x-ratelimit and body" args \
            "$(policy "$arg" '$c' 1/24h)" \
            "ratelimit p; $x ratelimit_body application/json '$json'; $gif"
    done
    algorithm=sliding
    row 'requests at once, key $arg_k' args \
        "$zone ratelimit_policy p key=\$arg_k concurrent=10;" "ratelimit p; $gif"
    row 'gcra with wait=, nobody waits' args \
        "$zone ratelimit_policy p key=\$arg_k quota=1000/1s algorithm=gcra capacity=1;" \
        "ratelimit p wait=2s queue=20; $gif"
    row 'a policy that bans, key $arg_k' args \
        "$zone ratelimit_policy p key=\$arg_k quota=600/24h ban=10m;" "ratelimit p; $gif"
    row 'a location without ratelimit' args "$(policy "$arg" '$c')" \
        "$gif location /limited { ratelimit p; }"
}

# As most clients come: nginx packs each field for HTTP/2, and encrypts it.
rows_of_tls() {
    local x='ratelimit_headers x-ratelimit;' tls='TLS and HTTP/2:'
    algorithm=sliding
    row_known "$tls limit_req" tls "$(limit_req_zone a '$arg_k')" \
        "limit_req zone=a burst=1000 nodelay; $gif"
    row_known "$tls limit_req + three add_header" tls "$(limit_req_zone a '$arg_k')" \
        "limit_req zone=a burst=1000 nodelay; add_header X-RateLimit-Limit 600;
        add_header X-RateLimit-Remaining 599; add_header X-RateLimit-Reset 60; $gif"
    row_known "$tls sliding, key arg=k" tls "$(policy "$arg" '$c')" "ratelimit p; $gif"
    row_known "$tls sliding, key arg=k, x-ratelimit" tls "$(policy "$arg" '$c')" \
        "ratelimit p; $x $gif"
    row_known "$tls three policies, two keys, x-ratelimit" tls "$(three)" \
        "ratelimit token_minute token_hour account_minute; $x $gif"
}

# What is less usual, so that nothing of it falls off: where limit_req has the
# same, beside it.
rows_of_edges() {
    rows_of_constants
    rows_of_overrides
    rows_of_variables
    rows_of_refusals
    rows_of_many
    rows_of_keys
    rows_of_full_zones
}

rows_of_constants() {
    local day='quota=60000/24h'
    row_known 'limit_req, binary address' args \
        'limit_req_zone $binary_remote_addr zone=a:10m rate=10000r/s;' \
        "limit_req zone=a burst=100000 nodelay; $gif"
    row_known 'gcra with capacity=, binary address, as limit_req' args \
        "$zone ratelimit_policy p key=\$binary_remote_addr quota=1000000/1s
            algorithm=gcra capacity=100000;" "ratelimit p; $gif"
    row_known 'constant capacity=' args \
        "$zone $arg ratelimit_policy p key=\$c quota=1000/1s algorithm=gcra capacity=2000;" \
        "ratelimit p; $gif"
    row_known 'constant cost=' args "$zone $arg ratelimit_policy p key=\$c $day;" \
        "ratelimit p cost=3; $gif"
    row_known 'constant scale=' args \
        "$zone $arg ratelimit_policy p key=\$c $day scale=50%;" "ratelimit p; $gif"
    row_known 'methods=GET' args "$zone $arg ratelimit_policy p key=\$c $day;" \
        "ratelimit p methods=GET; $gif"
    row_known 'dry_run on' args "$zone $arg ratelimit_policy p key=\$c $day;" \
        "ratelimit p; ratelimit_dry_run on; $gif"
    row_known 'quota above 65,535' args \
        "$zone $arg ratelimit_policy p key=\$c quota=100000000/24h;" "ratelimit p; $gif"
    row_known 'numbers of five digits, x-ratelimit' args \
        "$zone $arg ratelimit_policy p key=\$c $day;" \
        "ratelimit p; ratelimit_headers x-ratelimit; $gif"
    row_known '600/60s: some sixteenths of the window roll' args \
        "$zone $arg ratelimit_policy p key=\$c quota=600/60s;" "ratelimit p; $gif"
}

override() { # KEY
    curl -sf -o "$dir/override" -X PUT \
        "http://127.0.0.1:$port/api/overrides?policy=p&key=$1&quota=9"
}

rows_of_overrides() {
    local before='override arg:of-another'
    row_known 'an override of another key' args \
        "$zone $arg ratelimit_policy p key=\$c quota=60000/24h;" \
        "ratelimit p; $gif
        location /api { ratelimit off; ratelimit_api write=on; allow 127.0.0.1; }"
}

rows_of_variables() {
    local day='quota=60000/24h' p="$zone $arg ratelimit_policy p key=\$c"
    row_known 'cost=$arg_n' cost "$p $day;" "ratelimit p cost=\$arg_n; $gif"
    row_known 'settle=$arg_n' cost "$p $day;" "ratelimit p settle=\$arg_n; $gif"
    row_known 'skip_status=, not met' args "$p $day skip_status=404;" "ratelimit p; $gif"
    row_known 'skip_status=, met: given back' args "$p $day skip_status=200;" \
        "ratelimit p; $gif"
    row_known 'key of two parts' args "$zone $arg
        ratelimit_policy p key=\$c key=\$uri $day;" "ratelimit p; $gif"
    row_known 'a map and an add_header of it, for comparison' args \
        'map $arg_k $q { default 60000/24h; free 600/24h; }' "add_header X \$q; $gif"
    row_known 'quota=$map' args "$p quota=\$q;
        map \$arg_k \$q { default 60000/24h; free 600/24h; }" "ratelimit p; $gif"
    row_known 'scale=$map' args "$p $day scale=\$s;
        map \$arg_k \$s { default 50%; free 10%; }" "ratelimit p; $gif"
}

# policies N QUOTA: p1 to pN.
policies() {
    local i
    for ((i = 1; i <= $1; i++)); do
        echo "ratelimit_policy p$i key=\$c quota=$2;"
    done
}

names() {
    local i
    for ((i = 1; i <= $1; i++)); do
        echo "p$i"
    done
}

rows_of_refusals() {
    local told="ratelimit_headers x-ratelimit; ratelimit_body application/json '$json';" n
    for n in 1 2; do
        row_known "refused by one of $((n + 1)) policies, x-ratelimit and body" args \
            "$zone $arg $(policies $n 60000/24h)
            ratelimit_policy q key=\$c quota=1/24h;" \
            "ratelimit $(names $n) q; $told $gif"
    done
    row_known 'dry run, over its quota' args "$zone $arg $(policies 1 1/24h)" \
        "ratelimit p1; ratelimit_dry_run on; $gif"
    row_known 'dry run, three policies over their quotas' args \
        "$zone $arg $(policies 3 1/24h)" \
        "ratelimit $(names 3); ratelimit_dry_run on; $gif"
}

rows_of_many() {
    local n
    for n in 2 3 9 20 100; do
        row_known "$n policies of one key" args "$zone $arg $(policies $n 60000/24h)" \
            "ratelimit $(names $n); $gif"
    done
}

rows_of_keys() {
    local p='ratelimit_policy p key=$c quota=60000/24h;' set
    row_known 'key header=X-API-Key among 14 fields' fields \
        "$zone ratelimit_key \$c header=X-API-Key; $p" "ratelimit p; $gif"
    row_known 'key cookie=' cookies "$zone ratelimit_key \$c cookie=sid; $p" \
        "ratelimit p; $gif"
    row_known 'key addr' args "$zone ratelimit_key \$c addr;
        ratelimit_policy p key=\$c quota=60000/24h;" "ratelimit p; $gif"
    set="ratelimit_jwt HS256 $dir/secret.txt;"
    row_known 'a claim of an 800-byte token, cached' jwt \
        "$zone ratelimit_key \$c jwt=sub; $set $p" "ratelimit p; $gif"
    row_known 'two claims of it' jwt "$zone ratelimit_key \$c jwt=sub;
        ratelimit_key \$o jwt=org; $set $p
        ratelimit_policy q key=\$o quota=60000/24h;" "ratelimit p q; $gif"
}

rows_of_full_zones() {
    local small='ratelimit_zone zone=z:64k;' i
    row_new 'limit_req, zone full' args \
        'limit_req_zone $arg_k zone=a:64k rate=1r/m;' \
        "limit_req zone=a burst=5 nodelay; $gif"
    row_new 'zone full of idle keys' args \
        "$small $arg ratelimit_policy p key=\$c quota=600/100ms;" "ratelimit p; $gif"
    row_new 'zone full of live keys' args \
        "$small $arg ratelimit_policy p key=\$c quota=600/24h;" "ratelimit p; $gif"
    row_new 'three policies, zone full of live keys' args \
        "$small $arg $(policies 3 600/24h)" "ratelimit $(names 3); $gif"
}
