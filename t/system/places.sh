#!/bin/bash

# Places of "concurrent=": workers that are killed with requests in flight,
# reloads, a zone that changes its size, connections that are upgraded, clients
# that leave.  Whatever happens, as many are taken as there are requests.

. t/tools/tap.sh
. t/tools/load.sh

load_dir places
kills=$(short_or_long 20 1000)
limit=1000

# An upstream that upgrades what asks for it, and never answers all else.
perl -MIO::Socket::INET -MIO::Select -e '
    my $in = IO::Socket::INET->new(Listen => 4096, LocalAddr => "127.0.0.1") or die;
    $| = 1;
    print $in->sockport, "\n";
    my $all = IO::Select->new($in);
    while (1) {
        for my $s ($all->can_read) {
            if ($s == $in) { $all->add(scalar $in->accept); next; }
            if (!sysread $s, my $text, 65536) { $all->remove($s); close $s; next; }
            syswrite $s, "HTTP/1.1 101 Switching\r\nUpgrade: a\r\nConnection: upgrade\r\n\r\n"
                if $text =~ /^Upgrade: a/m;
        }
    }' > "$dir/silent" &
upstream=$!
wait_for test -s "$dir/silent"
read -r silent < "$dir/silent"

# conf SIZE
conf() {
    main_conf 2
    echo 'http {'
    http_conf
    cat << END
    access_log off;
    ratelimit_zone   zone=api:$1;
    ratelimit_policy place key=\$arg_k concurrent=$limit;
    ratelimit_policy one   key=one concurrent=1;
    ratelimit_policy quota key=\$arg_k quota=1000000/1h;
    proxy_http_version 1.1;
    proxy_read_timeout 600s;
    server {
        listen 127.0.0.1:$port reuseport;
        location /hold { ratelimit place quota; proxy_pass http://127.0.0.1:$silent; }
        location /held { ratelimit one; proxy_pass http://127.0.0.1:$silent; }
        location /line { ratelimit one wait=20s; empty_gif; }
        location /upgrade {
            ratelimit place;
            proxy_set_header Upgrade \$http_upgrade;
            proxy_set_header Connection upgrade;
            proxy_pass http://127.0.0.1:$silent;
        }
        location /left { return 200 "\$ratelimit_remaining_place"; }
    }
}
END
}

declare -A held

# hold COUNT [PATH [FIELD]]: requests, each of a connection of its own.
hold() {
    local i fd
    for ((i = 0; i < $1; i++)); do
        exec {fd}<> "/dev/tcp/127.0.0.1/$port"
        printf 'GET /%s?k=a HTTP/1.1\r\nHost: a\r\n%b\r\n' "${2:-hold}" "$3" >&"$fd"
        held[$fd]=1
    done
}

# Forgets connections that are closed from there; an upgraded one may have text.
forget_closed() {
    local fd text
    for fd in "${!held[@]}"; do
        if read -r -t 0 -u "$fd" && ! read -r -t 1 -u "$fd" text; then
            exec {fd}>&-
            unset "held[$fd]"
        fi
    done
}

let_go() {
    local fd
    for fd in "${!held[@]}"; do
        exec {fd}>&-
    done
    held=()
}

is_left() {
    [ "$(get 'left?k=a')" = "$1" ]
}

# As many are taken as requests are there.
right() {
    same $((limit - ${#held[@]})) "$(get 'left?k=a')"
}

all_live() {
    [ "$(workers | wc -l)" = 2 ]
}

kill_some() {
    local i pid lost=0
    for ((i = 0; i < kills; i++)); do
        hold $((RANDOM % 8 + 1))
        [ ${#held[@]} -lt 100 ] || let_go
        wait_for is_left $((limit - ${#held[@]})) || return 1
        pid=$(workers | shuf -n 1)
        lost=$((lost + ${#held[@]}))
        kill -"$1" "$pid"
        # What it has in hand is lost, and its connections say so.
        wait_for replaced "$pid" || return 1
        forget_closed
        lost=$((lost - ${#held[@]}))
        right || { note "kill $i"; return 1; }
    done
    note "$i workers ended by $1, with $lost requests in flight"
    [ $lost -gt $i ]
}

replaced() {
    ! kill -0 "$1" 2> /dev/null && all_live
}

conf 64k > "$dir/nginx.conf"
start
beside+=("$upstream")
wait_for all_live

kill_some KILL
check 'killed workers hold nothing' test $? = 0
kills=3
kill_some TERM
check 'nor do those that are told to stop' test $? = 0
let_go
check 'clients that leave leave none behind' wait_for is_left $limit

hold 5 upgrade 'Upgrade: a\r\n'
check 'an upgraded connection holds its place' wait_for is_left $((limit - 5))
sleep 0.3
check '... for as long as it lasts' right
let_go
check '... and no longer' wait_for is_left $limit

# Of both workers, most likely, while one of them holds the place.
hold 1 held
sleep 0.3
asked=()
for i in {1..8}; do
    (
        let_go  # its copies
        get line -o /dev/null -w '%{http_code} %{time_total}\n' > "$dir/line.$i"
    ) &
    asked+=($!)
done
sleep 0.3
check 'some wait for it' test ! -s "$dir/line.1"
let_go
wait "${asked[@]}"
check '... and take it one after the other, soon' \
    awk '$1 != 200 || $2 > 2 { bad = 1 } END { exit bad || NR != 8 }' "$dir"/line.*

hold 10
check 'requests in flight' wait_for is_left $((limit - 10))
reload 64k
check 'a reload leaves them theirs' right
hold 7
check 'beside those of the new workers' wait_for is_left $((limit - 17))
reload 1m
hold 4
check 'with a zone of another size' wait_for is_left $((limit - 21))
hold 3
check 'some more' wait_for is_left $((limit - 24))
reload 256k
hold 2
check 'and of a third' wait_for is_left $((limit - 26))
let_go
check 'they end, and all are free' wait_for is_left $limit
wait_for grep -q 'zone "api" moves to' "$dir/error.log"
check 'also once the zone has moved' is_left $limit
check 'nothing worse' sh -c "! grep -E '\[(crit|emerg)\]|exited on signal (11|6)' '$dir/error.log'"

finish
