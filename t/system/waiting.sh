#!/bin/bash

# Requests whose decision is not to be had at once, planted: they are put aside,
# taken up by a timer or by an event, and decided once.  Clients that leave
# meanwhile, HTTP/2, redirects, workers that are to exit, more than may wait.

. t/tools/tap.sh
. t/tools/load.sh

if [ -z "$MODULE" ]; then
    echo '1..0 # SKIP the module is linked into nginx'
    exit
fi

load_dir waiting
connections=40

conf() {
    main_conf 1 | sed "s/worker_connections .*;/worker_connections $connections;/"
    echo 'http {'
    http_conf
    cat << END
    log_format status "\$status \$uri";
    access_log access.log status;
    ratelimit_zone    zone=api:1m;
    ratelimit_policy  one  key=\$arg_k quota=5/1h;
    ratelimit_policy  two  key=\$arg_k key=\$host quota=100/1h;
    ratelimit_policy  late key=\$arg_k quota=100/1h;
    ratelimit_headers x-ratelimit;
    server {
        listen 127.0.0.1:$port;
        listen 127.0.0.1:$((port + 1)) http2;
        add_header X-Status "\$ratelimit_status_one" always;
        location /one    { ratelimit one two; empty_gif; }
        location /refuse { ratelimit one; ratelimit_on_error refuse; empty_gif; }
        location /page   { ratelimit one; error_page 429 = /again; empty_gif; }
        location /again  { ratelimit two; empty_gif; }
        location /late   { ratelimit two; ratelimit late phase=precontent; try_files /none @late; }
        location @late   { empty_gif; }
        location /body   { ratelimit one; proxy_pass http://127.0.0.1:$port/echo; }
        location /echo   { return 200 "\$http_content_length"; }
        location /after  { ratelimit one; post_action /slow; empty_gif; }
        location /slow   { ratelimit two; proxy_pass http://127.0.0.1:$port/slowly?k=z; }
        location /slowly { ratelimit late; empty_gif; }
        location /left   { return 200 "\$ratelimit_remaining_one \$ratelimit_remaining_two \$ratelimit_remaining_late"; }
        location /ratelimit/ { ratelimit_api; allow all; }
    }
}
END
}

# plant MODE TIMES TENTHS: see fault/pending.c.
plant() {
    printf '%b' "$1\\x$(printf %x "${2:-0}")\\x$(printf %x "${3:-0}")" |
        dd of="$dir/fault" conv=notrunc status=none
}

waiting() {
    od -An -tu1 -j3 -N1 "$dir/fault" | tr -d ' '
}

# number_waits N
number_waits() {
    [ "$(waiting)" = "$1" ]
}

# told PATH CURL-ARGUMENTS...: status, what became of "one", tenths of a second.
told() {
    get "$1" -o /dev/null "${@:2}" \
        -w '%{http_code} %header{x-status} %{time_total}\n' |
        sed -E 's/\.([0-9]).*/\1/; s/ 0([0-9])$/ \1/'
}

# undecided N: of those many.
undecided() {
    [ "$(cat "$dir"/many.* | grep -c '^200 ERROR')" = "$1" ]
}

# after STATUS LEAST MOST TOLD: that, after so many tenths of a second.
after() {
    local status=$1 least=$2 most=$3 took
    read -r took < <(sed 's/.* //' <<< "$4")
    [ "${4% *}" = "$status" ] && [ "$took" -ge "$least" ] && [ "$took" -le "$most" ] ||
        { echo "$4, not $status after $least to $most tenths"; return 1; }
}

counted() {
    metric nginx_ratelimit_requests_total "zone=\"api\",policy=\"$1\",result=\"$2\""
}

slow_is_done() {
    [ "$(grep -c '/slowly$' "$dir/access.log")" = 1 ] &&
        [ "$(grep -c '/slow$' "$dir/access.log")" = 1 ]
}

alive() {
    kill -0 "$1" 2> /dev/null
}

gone() {
    ! alive "$1"
}

check 'it links' link_faulty pending
head -c 4 /dev/zero > "$dir/fault"
chmod 0666 "$dir/fault"
export FAULT_FILE=$dir/fault
MODULE=$dir/faulty.so conf > "$dir/nginx.conf"
start

plant p 3 1
check 'a timer takes it up' after '200 PASSED' 2 40 "$(told 'one?k=a')"
check 'it was counted once' same '4 99 100' "$(get 'left?k=a')"
check 'and told so' grep -q -i '^x-ratelimit-remaining: 3' \
    <(get 'one?k=a' -D - -o /dev/null | tr -d '\r')
check 'in the metrics too' same 2 "$(counted one admitted)"
plant -
for _ in 1 2 3; do told 'one?k=a' > /dev/null; done
plant p 2 1
check 'a refusal can wait' after '429 REJECTED' 1 40 "$(told 'one?k=a')"
check 'and is one' same 1 "$(counted one refused)"
check 'with a page of its own' after '200 REJECTED' 1 40 "$(told 'page?k=a')"
check 'which charges nothing' same '0 95 100' "$(get 'left?k=a')"
check 'two phases wait one after the other' after '200 BYPASSED' 3 60 "$(told 'late?k=b')"
check 'each is counted once' same '5 99 99' "$(get 'left?k=b')"
head -c 70000 /dev/zero > "$dir/body"
check 'a body comes through' same 70000 "$(get 'body?k=b' --data-binary "@$dir/body")"
check 'HTTP/2' after '200 PASSED' 1 40 \
    "$(port=$((port + 1)) told 'one?k=c' --http2-prior-knowledge)"

plant p 255 250
for i in 1 2 3; do told "one?k=d$i" > "$dir/told.$i" & asked[i]=$!; done
check 'they wait' wait_for number_waits 3
sleep 0.3
plant r
check 'one more is decided at once' after '200 PASSED' 0 40 "$(told 'one?k=d4')"
wait "${asked[@]}"
for i in 1 2 3; do
    check "so is $i, resumed by it" after '200 PASSED' 2 150 "$(cat "$dir/told.$i")"
done
check 'none waits' number_waits 0

plant p 255 250
worker=$(workers)
for kind in --http1.1 --http2-prior-knowledge; do
    at=$port
    [ $kind = --http1.1 ] || at=$((port + 1))
    curl -s --noproxy '*' $kind --max-time 0.5 "http://127.0.0.1:$at/one?k=e" > /dev/null &
    check "$kind: a client waits" wait_for number_waits 1
    wait $!
    check "$kind: it leaves" wait_for number_waits 0
done
plant p 255 20
curl -s --noproxy '*' --max-time 0.5 "http://127.0.0.1:$port/after?k=e" > /dev/null
# Whose time comes while the post_action is under way.
sleep 3
check 'what is made of it goes on by itself' \
    same 0 "$(grep -c '/slow' "$dir/access.log")"
plant r
told 'one?k=f' > /dev/null
check 'and once' wait_for slow_is_done
check 'what it asked for is not counted' same '5 100 100' "$(get 'left?k=e')"
check 'the log says 499' same 2 "$(grep -c '^499 /one' "$dir/access.log")"
check 'and none is resumed' after '200 PASSED' 0 40 "$(told 'one?k=f')"

plant p 255 250
for ((i = 0; i < connections / 2 + 5; i++)); do
    told "one?k=g$i" > "$dir/many.$i" &
    asked[i]=$!
done
check 'half of the connections may wait' wait_for number_waits $((connections / 2))
check 'the others are not decided' wait_for undecided 5
check 'refused where errors are' after '503 ERROR' 0 40 "$(told 'refuse?k=g')"
check 'the log says why' grep -q \
    'too many requests wait for theirs; the request is not counted' "$dir/error.log"
plant r
told 'one?k=h' > /dev/null
wait "${asked[@]}"
check 'those that waited are decided' same $((connections / 2)) \
    "$(cat "$dir"/many.* | grep -c '^200 PASSED')"

plant p 255 5
told 'one?k=i' > "$dir/told.1" &
asked=($!)
wait_for number_waits 1
kill -HUP "$master"
wait_for grep -q 'gracefully shutting down' "$dir/error.log"
sleep 0.3
check 'a worker that is to exit waits' alive "$worker"
plant -
wait "${asked[@]}"
check 'for the request to be decided' after '200 PASSED' 3 100 "$(cat "$dir/told.1")"
check 'and exits' wait_for gone "$worker"

plant p 255 250
told 'one?k=j' 2> /dev/null > "$dir/told.1" &
asked=($!)
wait_for number_waits 1
worker=$(workers)
kill -TERM "$worker"
check 'one that is told to stop does not wait' wait_for gone "$worker"
wait "${asked[@]}"

if [ "$long" ]; then
    wait_for test "$(workers | wc -l)" = 1
    plant p 255 250
    check 'none waits for longer than a minute' \
        after '503 ERROR' 590 640 "$(told 'refuse?k=k' --max-time 90)"
fi
plant -
check 'nothing worse' \
    sh -c "! grep -E '\[(crit|emerg)\]|exited on signal (11|6)' '$dir/error.log'"

finish
