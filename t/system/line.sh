#!/bin/bash

# Requests that stand in line ("wait=") while nginx is reloaded and their zone
# changes its size: nobody is lost, nobody is let in before who came earlier, no
# place is left taken, no unit is given twice.

. t/tools/tap.sh
. t/tools/load.sh

load_dir line

# An upstream that never answers: who holds a place.
perl -MIO::Socket::INET -e '
    my $in = IO::Socket::INET->new(Listen => 64, LocalAddr => "127.0.0.1") or die;
    $| = 1;
    print $in->sockport, "\n";
    push @held, scalar $in->accept while 1;' > "$dir/silent" &
upstream=$!
wait_for test -s "$dir/silent"
read -r silent < "$dir/silent"

# conf SIZE
conf() {
    main_conf 2
    echo 'http {'
    http_conf
    cat << END
    log_format line "\$uri \$status \$pid \$arg_n \$msec";
    ratelimit_zone   zone=api:$1;
    ratelimit_policy one   key=one concurrent=1;
    ratelimit_policy quota key=all quota=1000/1h;
    ratelimit_policy even  key=\$arg_k quota=10/1s algorithm=gcra capacity=1;
    server {
        listen 127.0.0.1:$port reuseport;
        location /hold   { ratelimit one; proxy_pass http://127.0.0.1:$silent; }
        location /line   { ratelimit one quota wait=60s; access_log line.log line; empty_gif; }
        location /even   { ratelimit even wait=60s; access_log line.log line; empty_gif; }
        location /left   { return 200 "\$ratelimit_remaining_one \$ratelimit_remaining_quota"; }
        location /ratelimit/ { ratelimit_api; allow all; }
    }
}
END
}

# hold PATH: a request of a connection of its own; sets $holder.
hold() {
    exec {holder}<> "/dev/tcp/127.0.0.1/$port"
    printf 'GET /%s HTTP/1.1\r\nHost: a\r\n\r\n' "$1" >&"$holder"
}

asked=0

# stand PATH COUNT: so many stand in line, the next ones.
stand() {
    local i fd
    for ((i = 0; i < $2; i++)); do
        asked=$((asked + 1))
        exec {fd}<> "/dev/tcp/127.0.0.1/$port"
        printf 'GET /%s?k=a&n=%s HTTP/1.1\r\nHost: a\r\n\r\n' "$1" $asked >&"$fd"
        [ "$1" != line ] || wait_for waiting one $asked || return 1
    done
}

# waiting POLICY COUNT
waiting() {
    [ "$(metric nginx_ratelimit_waiting "zone=\"api\",policy=\"$1\"")" = "$2" ]
}

# logged PATH COUNT
logged() {
    [ "$(grep -c "^/$1 " "$dir/line.log")" = "$2" ]
}

is_left() {
    [ "$(get left)" = "$1" ]
}

# all_let_in PATH COUNT: each once.
all_let_in() {
    same "$(seq "$2")" "$(awk -v path="/$1" '$1 == path && $2 == 200 { print $4 }' \
        "$dir/line.log" | sort -n)"
}

# in_order PATH: nobody of a worker before who came there earlier.
in_order() {
    awk -v path="/$1" '$1 != path { next }
        $4 < last[$3] { print $4, "behind", last[$3]; bad = 1 }
        { last[$3] = $4; n++ }
        END { exit bad || !n }' "$dir/line.log"
}

gone() {
    [ -z "$(pgrep -P "$master" | grep -v -x -F "$(workers)")" ]
}

conf 64k > "$dir/nginx.conf"
start
beside+=("$upstream")

# Places.
hold hold
check 'somebody holds the place' wait_for is_left '0 1000'
stand line 5
check 'five stand in line' test $? = 0
reload 64k
check 'a reload leaves them there' waiting one 5
stand line 4
check 'four more stand behind them' test $? = 0
reload 1m
check 'so does one that changes the size of the zone' waiting one 9
stand line 3
check 'three more' test $? = 0
reload 256k
check 'and one that changes it again' waiting one 12
stand line 2
check 'two more' test $? = 0
check 'nobody was let in, none was charged' same '0 1000' "$(get left)"
exec {holder}>&-
check 'they are let in' wait_for logged line 14
check '... each of them, once' all_let_in line 14
check '... in the order in which they came to a worker' in_order line
check '... of more than one configuration' \
    test "$(awk '{ print $3 }' "$dir/line.log" | sort -u | wc -l)" -gt 2
check '... and the place is free, each is charged once' wait_for is_left '1 986'
check 'nobody waits any more' waiting one 0
check 'the old workers are gone' wait_for gone
check 'the zone has moved' wait_for grep -q 'zone "api" moves to' "$dir/error.log"
check '... with what was counted' same '1 986' "$(get left)"

# What is reserved ahead.
asked=0
stand even 12
check 'twelve stand in line for units' test $? = 0
reload 1m
stand even 10
check 'ten more behind a reload' test $? = 0
reload 256k
stand even 5
check 'and five behind another' test $? = 0
check 'all are let in' wait_for logged even 27
check '... each of them, once' all_let_in even 27
check '... those of before a reload before those of behind it' awk '
    $1 != "/even" { next }
    { batch = $4 <= 12 ? 1 : $4 <= 22 ? 2 : 3 }
    batch < last { print $4, "of batch", batch, "behind batch", last; bad = 1 }
    { last = batch }
    END { exit bad }' "$dir/line.log"
# A tenth of a second each; a worker may be late by some ms, but not early.
check '... one at a time' awk '
    $1 != "/even" { next }
    !first { first = $5 }
    { n++; if ($5 - first < (n - 1) / 10 - 0.03) { print "early", $0; bad = 1 } }
    END { exit bad || n != 27 }' "$dir/line.log"
check 'nobody waits any more' waiting even 0
check 'nothing worse' sh -c "! grep -E '\[(crit|alert|emerg)\]' '$dir/error.log'"

finish
