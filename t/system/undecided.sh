#!/bin/bash

# What becomes of requests that cannot be decided, by "ratelimit_on_error": a
# worker that finds no place in the process table, and one that comes upon a lock
# whose owner does not move, and a variable that nginx fails to evaluate, all
# planted.  Then workers that pile up over reloads, each with a request that
# lasts: none is without a place.

. t/tools/tap.sh
. t/tools/load.sh

if [ -z "$MODULE" ]; then
    echo '1..0 # SKIP the module is linked into nginx'
    exit
fi

load_dir undecided
# Beyond 500 workers in the long form.
newest=$(short_or_long 4 24)
reloads=$(short_or_long 3 23)

conf() {
    main_conf "$1"
    echo 'http {'
    http_conf
    cat << END
    access_log off;
    ratelimit_zone   zone=api:1m;
    ratelimit_policy quick key=\$arg_k quota=100/1h;
    ratelimit_policy full  key=\$arg_k quota=100/1h algorithm=gcra capacity=\$arg_c;
    ratelimit_policy wide  key=\$arg_k quota=100/1h;
    ratelimit_policy each  key=\$arg_n quota=100/1h;
    ratelimit_policy host  key=\$host quota=100/1h;
    ratelimit_body   problem;
    server {
        listen 127.0.0.1:$port reuseport;
        add_header X-Status "\$ratelimit_status \$ratelimit_status_quick" always;
        location /pass   { ratelimit quick; empty_gif; }
        location /refuse {
            ratelimit_on_error refuse;
            location /refuse/quick { ratelimit quick wide; empty_gif; }
            location /refuse/full  { ratelimit full; empty_gif; }
            location /refuse/page  { ratelimit quick; error_page 503 /page; empty_gif; }
            location /refuse/look  { ratelimit quick cost=0; empty_gif; }
            location /refuse/dry   { ratelimit quick wide; ratelimit_dry_run on; empty_gif; }
            location /refuse/late  { ratelimit quick phase=precontent; empty_gif; }
        }
        location /host       { ratelimit host; empty_gif; }
        location /host/full  { ratelimit host cost=\$arg_c; empty_gif; }
        location = /page { return 200 "a page\n"; }
        location /left   { return 200 "\$ratelimit_remaining_quick \$ratelimit_remaining_wide\n"; }
        location /lasts  {
            ratelimit          each;
            proxy_pass         http://127.0.0.1:\$arg_u;
            proxy_set_header   X-Worker \$pid;
            proxy_read_timeout 1h;
        }
        location /ratelimit/ { ratelimit_api; allow all; }
    }
}
END
}

# plant BYTE: and no vain look for a place so far.
plant() {
    printf '%s\0' "$1" | dd of="$dir/fault" conv=notrunc status=none
}

looks() {
    od -An -tu1 -j1 -N1 "$dir/fault" | tr -d ' '
}

# told PATH...: status, X-Status and Retry-After of each.
told() {
    local path
    for path; do
        get "$path" -o /dev/null \
            -w '%{http_code} %header{x-status}/%header{retry-after}\n'
    done
}

lines() {
    grep -c "$1" "$dir/error.log"
}

errors() {
    metric nginx_ratelimit_errors_total "zone=\"api\",policy=\"$1\""
}

check 'it links' link_faulty undecided
printf 'p\0' > "$dir/fault"
chmod 0666 "$dir/fault"
export FAULT_FILE=$dir/fault
MODULE=$dir/faulty.so conf 1 > "$dir/nginx.conf"
start

no_place='this worker process found no place in the process table'
locked='another worker process holds a lock and does not move'
refusing='refuse/quick?k=a refuse/full?k=a&c=9 refuse/late?k=a'

for fault in p l; do
    plant "$fault"
    [ $fault = p ] && reason=$no_place || reason=$locked
    sleep 1.1
    before=$(errors quick)
    check "$fault: pass lets the request in and says ERROR" \
        same '200 ERROR ERROR/' "$(told 'pass?k=a')"
    check "$fault: the log says why and what follows" grep -q \
        "policy \"quick\": $reason; the request is not counted, client" \
        "$dir/error.log"
    check "$fault: refuse answers 503 with Retry-After" \
        same "$(printf '503 ERROR ERROR/1\n%.0s' 1 2 3)" "$(told $refusing)"
    check "$fault: nginx's page, not ratelimit_body" \
        grep -q -E '<h1>503 Service (Temporarily )?Unavailable</h1>' \
        <(get 'refuse/quick?k=a')
    check "$fault: or what error_page says" \
        same '200 ERROR ERROR/1' "$(told 'refuse/page?k=a' | sed s/^503/200/)"
    check "$fault: a look and a dry run are let in" \
        same "$(printf '200 ERROR ERROR/\n%.0s' 1 2)" \
        "$(told 'refuse/look?k=a' 'refuse/dry?k=a')"
    sleep 1.1
    logged=$(lines "$reason")
    check "$fault: 300 more" test "$(answers 200 300 '/pass?k=a')" = 300
    check "$fault: nobody looks for a place more often" test "$(looks)" -le 9
    check "$fault: a line a second" test $(($(lines "$reason") - logged)) -le 3
    sleep 1.1
    told 'pass?k=a' > /dev/null
    check "$fault: that count" grep -q "$reason; .* [0-9]* similar suppressed" \
        "$dir/error.log"
    check "$fault: metric" \
        test $(($(errors quick) - before)) -ge 308
done

plant v
check 'where nginx cannot evaluate a key a request fails' \
    same "$(printf '500 ERROR ERROR/\n%.0s' 1 2)" "$(told host 'host/full?c=1')"
plant -
check 'and is counted as an error' test "$(errors host)" = 2

plant p
check 'a worker that has its place keeps it' \
    same '200 PASSED PASSED/' "$(told 'pass?k=b')"
plant -
check 'nothing was charged' same '100 100' "$(get 'left?k=a')"
check 'all is decided again' \
    same "$(printf '200 PASSED PASSED/\n%.0s' 1 2)" \
    "$(told 'refuse/quick?k=a' 'pass?k=a')"
check 'nothing worse' \
    sh -c "! grep -E '\[(crit|emerg)\]|exited on signal' '$dir/error.log'"
stop_nginx
wait_for test ! -e "$dir/nginx.pid"
rm "$dir/error.log"

# serving: the pids of the newest workers; of hundreds faster than workers.
serving() {
    ps -o pid=,args= --ppid "$master" | awk '/worker process$/ { print $1 }'
}

# all_new PIDS: as many as there should be, and none of these.
all_new() {
    [ "$(serving | wc -l)" = "$newest" ] && ! serving | grep -q -x -F "$1"
}

# hold: requests that last, until each worker has one.
hold() {
    perl t/tools/hold.pl "$port" "$newest" '/lasts?' > "$dir/held" &
    holding+=($!)
    wait_for grep -q held "$dir/held"
}

holding=()
conf "$newest" > "$dir/nginx.conf"
start
wait_for all_new none
for ((i = 0; i < reloads; i++)); do
    hold
    before=$(serving)
    kill -HUP "$master"
    wait_for all_new "$before"
done
note "$(pgrep -P "$master" | wc -l) workers over $reloads reloads"
check 'those of all reloads are there' \
    test "$(pgrep -P "$master" | wc -l)" -eq $((newest * (reloads + 1)))

admitted=0
for ((i = 0; i < 15; i++)); do
    admitted=$((admitted + $(answers 200 100 '/pass?k=z')))
done
check 'of 1,500 requests the quota is admitted' test "$admitted" = 100
check 'none went undecided' test "$(errors quick)" = 0
check 'and the log is quiet' quiet_log
kill "${holding[@]}"
wait "${holding[@]}" 2> /dev/null

finish
