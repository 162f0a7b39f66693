#!/usr/bin/env bats

# ratelimit-suggest as people call it.  t/unit/suggest_test.cc has its parts.

program=$BUILD/ratelimit-suggest
dir=$BUILD/suggest-check

setup_file() {
    [ -x "$program" ] || cmake --build "$BUILD" --target ratelimit-suggest
    rm -rf "$dir" && mkdir -p "$dir"
    combined 1000 > "$dir/access.log"
}

# combined N: so many requests a second apart, every tenth of 203.0.113.9, the
# rest of 180 clients in turn.
combined() {
    awk -v n="$1" 'BEGIN {
        for (i = 0; i < n; i++) {
            address = i % 10 == 0 ? "203.0.113.9" : "192.0.2." i % 200
            printf "%s - - [28/Nov/2026:%02d:%02d:%02d +0000] \"GET /%s HTTP/1.1\" 200 5 \"-\" \"curl\"\n",
                address, 10 + int(i / 3600), int(i / 60) % 60, i % 60, i % 2 ? "api/x" : ""
        }
    }'
}

fails() {
    ! "$program" "$@" > "$dir/told" 2> "$dir/error" && [ ! -s "$dir/told" ] && cat "$dir/error"
}

@test 'how much is asked, and what follows from it' {
    "$program" "$dir/access.log" > "$dir/told"
    cat "$dir/told"
    grep -x '1,000 requests of 181 clients (addr), 28 Nov 2026 10:00:00 to 28 Nov 2026 10:16:39 UTC' "$dir/told"
    grep -x -E '  1m +1 +1 +1 +6' "$dir/told"
    grep -x '  ratelimit_policy per_1m key=$client quota=2/1m;' "$dir/told"
    ! grep per_1h "$dir/told"
}

@test 'whom that would have refused' {
    grep -x -E '  per_1m .* 1  203\.0\.113\.9 \([0-9]+\)' "$dir/told"
}

# What is suggested stands in a configuration as it is.
@test 'nginx accepts what is suggested' {
    {
        echo "load_module $MODULE;"
        echo 'events { }'
        echo 'http {'
        sed -n 's/^  \(ratelimit.*;\).*/\1/p' "$dir/told"
        echo '}'
    } > "$dir/nginx.conf"
    "$NGINX_BINARY" -t -q -p "$dir/" -c "$dir/nginx.conf" -g "pid $dir/pid;" -e stderr
}

@test 'a policy to try' {
    "$program" --policy='quota=5/1m algorithm=fixed' --policy='quota=1/10s algorithm=gcra capacity=2' \
        - < "$dir/access.log" > "$dir/told"
    cat "$dir/told"
    grep -x -E '  5/1m algorithm=fixed +[1-9][0-9]* +[0-9.]+ % +1  203\.0\.113\.9 .*' "$dir/told"
    grep -x -E '  1/10s algorithm=gcra capacity=2 +0 +0\.00 % +0  ' "$dir/told"
    ! grep Suggested "$dir/told"
}

@test 'some of the paths, other windows' {
    "$program" --path=/api/ --windows=10s,5m "$dir/access.log" > "$dir/told"
    grep '^500 requests of 100 clients' "$dir/told"
    grep -x -E '  5m .*' "$dir/told"
}

@test 'another format, several files, in any order' {
    printf '{"t":"%s","k":"%s"}\n' 1795900003.500 a 1795900004.000 - > "$dir/later"
    printf '{"t":"%s","k":"%s"}\nnonsense\n' 1795900001.500 a > "$dir/earlier"
    "$program" --format='{"t":"$msec","k":"$http_x_api_key"}' --key='$http_x_api_key' --windows=1s \
        "$dir/later" "$dir/earlier" > "$dir/told"
    cat "$dir/told"
    grep -x '2 requests of 1 clients ($http_x_api_key), 28 Nov 2026 21:06:41 to 28 Nov 2026 21:06:43 UTC' "$dir/told"
    grep -x '1 more have no key, and would not be limited' "$dir/told"
    grep -x "1 lines were not understood, the first is $dir/earlier:2" "$dir/told"
    grep -x '  ratelimit_policy per_1s key=$http_x_api_key quota=2/1s;' "$dir/told"
}

@test 'what is wrong' {
    fails --policy=quota=1/x | grep 'invalid quota "1/x" of --policy=, it must be UNITS/WINDOW'
    fails --policy=key=x | grep 'it must be quota=, algorithm= or capacity='
    fails --windows=1x | grep 'invalid window "1x"'
    fails --format='$a$b' | grep 'nothing stands between $a and $b'
    fails --key='$nobody' | grep 'the format has no $nobody'
    fails "$dir/none" | grep 'No such file or directory'
    fails /etc/passwd | grep 'no line is of the format, the first that is not is /etc/passwd:1'
    gzip -k "$dir/access.log"
    fails "$dir/access.log.gz" | grep 'try zcat'
    fails --other | grep "unrecognized option '--other'"
}

# history FIRST: an hour of samples from then on, in seconds.
history() {
    awk -v first="$1" 'BEGIN {
        printf "{\"now_ms\": 1, \"policies\": [{\"name\": \"search\", \"zone\": \"api\", \"samples\": ["
        for (i = 0; i < 360; i++) {
            printf "%s[%d, 10, %d, %d, 0, 0]", i ? ", " : "", first + (i + 1) * 10, 5 + (i == 100) * 70, i == 100
        }
        print "]}]}"
    }'
}

@test 'how much policies admitted, by saved answers of .../history' {
    history 1795953600 > "$dir/1.json"
    history 1795957200 > "$dir/2.json"
    "$program" --history "$dir/2.json" "$dir/1.json" "$dir/1.json" > "$dir/told"
    cat "$dir/told"
    grep -x '1 policy, 29 Nov 2026 12:00:00 to 29 Nov 2026 14:00:00 UTC' "$dir/told"
    grep -x -E '  api/search +120 +30 +30 +100 +100' "$dir/told"
    grep -x -E ' +refused: 2, 0\.05 % of its requests, at most 1 a minute' "$dir/told"
    grep 'which have no keys' "$dir/told"
    diff "$dir/told" <(cat "$dir/1.json" "$dir/2.json" | "$program" --history)
}

# metrics ADMITTED REFUSED: as REFERENCE.md shows them, with these counts.
metrics() {
    sed -n '/^nginx_ratelimit_requests_total/p; /^nginx_ratelimit_used_ratio_bucket/p' src/REFERENCE.md |
        sed -e "s/\"admitted\"} .*/\"admitted\"} $1/" -e "s/\"refused\"} .*/\"refused\"} $2/"
}

@test 'how much of their quotas keys use, by saved answers of .../metrics' {
    metrics 83 5 > "$dir/1.metrics"
    "$program" --metrics "$dir/1.metrics" > "$dir/told"
    cat "$dir/told"
    grep -x -E '  api/search +83 +5 +0 +45\.78 % +20\.48 % +7\.23 %' "$dir/told"
    metrics 93 9 > "$dir/2.metrics"
    "$program" --metrics "$dir/1.metrics" "$dir/2.metrics" > "$dir/told"
    cat "$dir/told"
    grep -x -E '  api/search +10 +4 +0 +- +- +-' "$dir/told"
}

@test 'what is no such answer' {
    fails --history "$dir/access.log" | grep "$dir/access.log: that is no answer of .../history"
    echo '{"policies": []}' > "$dir/none.json"
    fails --metrics "$dir/none.json" | grep 'that is no answer of .../metrics'
    fails --history "$dir/none.json" | grep 'these answers have no whole minute'
}

@test 'a progress line on a terminal, and none elsewhere' {
    "$program" "$dir/access.log" 2> "$dir/error" > /dev/null
    [ ! -s "$dir/error" ]
    script -q -e -c "'$program' '$dir/access.log'" /dev/null < /dev/null > "$dir/told" 2>&1
    grep "reading $dir/access.log: 100 %" "$dir/told"
}

@test 'a million lines in three seconds' {
    [ -n "${RATELIMIT_LONG:-}" ] || skip 'in the long form'
    combined 50000 > "$dir/some"
    for _ in $(seq 20); do cat "$dir/some"; done > "$dir/many"
    time "$program" "$dir/many" > "$dir/told"
    SECONDS=0
    "$program" "$dir/many" > "$dir/told"
    [ "$SECONDS" -le 3 ]
    rm "$dir/many"
}
