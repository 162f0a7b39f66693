#!/bin/bash

# A restart and an upgrade of nginx's binary with "state=": who was refused
# still is, and what was used stays used.  The files are the workers' own, even
# where root writes them last, and are written however often workers change.

. t/tools/tap.sh
. t/tools/load.sh

load_dir upgrade
mkdir -m 0777 "$dir/state"

{
    main_conf 2
    echo 'http {'
    http_conf
    cat << END
    access_log off;
    ratelimit_zone   zone=api:1m state=state/api.state;
    ratelimit_zone   zone=lost:64k;
    ratelimit_zone   zone=large:256m state=state/large.state;
    ratelimit_policy sliding  key=\$arg_k quota=10/1h   zone=api;
    ratelimit_policy fixed    key=\$arg_k quota=10/1h   zone=api algorithm=fixed;
    ratelimit_policy calendar key=\$arg_k quota=10/366d zone=api algorithm=calendar;
    ratelimit_policy gcra     key=\$arg_k quota=10/366d zone=api algorithm=gcra;
    ratelimit_policy lost     key=\$arg_k quota=10/1h   zone=lost;
    ratelimit_policy large    key=\$arg_k quota=10/1h   zone=large;
    server {
        listen 127.0.0.1:$port;
        location /sliding  { ratelimit sliding;  empty_gif; }
        location /fixed    { ratelimit fixed;    empty_gif; }
        location /calendar { ratelimit calendar; empty_gif; }
        location /gcra     { ratelimit gcra;     empty_gif; }
        location /lost     { ratelimit lost;     empty_gif; }
        location /large    { ratelimit large;    empty_gif; }
        location = /pid    { return 200 "\$pid\n"; }
    }
}
END
} > "$dir/nginx.conf"

algorithms='sliding fixed calendar gcra'

# use TIMES KEY: of every policy.
use() {
    local algorithm
    for algorithm in $algorithms; do
        answers 200 "$1" "/$algorithm?k=$2"
    done | sort -u
}

gone() {
    ! kill -0 "$1" 2> /dev/null
}

restart() {
    local old=$master pids
    pids=$(pgrep -P "$old")
    kill "-$1" "$old"
    [ "$1" != KILL ] || kill -KILL $pids
    wait_for gone "$old" && nginx && master=$(pid_in "$dir/nginx.pid")
}

upgrade() {
    old=$master
    kill -USR2 "$old"
    wait_for test -s "$dir/nginx.pid.oldbin" -a -s "$dir/nginx.pid" || return
    master=$(pid_in "$dir/nginx.pid")
    wait_for sh -c "[ \$(pgrep -c -P $master) = 2 ]"
}

# Both binaries serve until the old one is told to leave.
old_leaves() {
    kill -QUIT "$old"
    wait_for gone "$old"
}

written() {
    [ -n "$(find "$dir/state/api.state" -newer "$dir/mark")" ]
}

owner() {
    stat -c %U "$@"
}

workers_are() {
    [ "$(workers | wc -l)" = "$1" ]
}

wait_for_state() {
    touch "$dir/mark"
    sleep 0.01
    wait_for written
}

start
check 'ten are admitted'                same 10 "$(use 12 a)"
check 'four are'                        same 4 "$(use 4 b)"
check 'ten in the zone without "state"' same 10 "$(answers 200 12 '/lost?k=a')"

restart QUIT
check 'nginx stops and starts' test $? = 0
check 'who was refused still is'        same 0 "$(use 2 a)"
check 'what was used stays used'        same 4 "$(use 4 b)"
check 'but not without "state"'         same 10 "$(answers 200 12 '/lost?k=a')"

restart TERM
check 'nginx is terminated and starts' test $? = 0
check 'who was refused still is'        same 0 "$(use 2 a)"
check 'what was used stays used'        same 2 "$(use 4 b)"

use 3 c > "$dir/answers"
check 'the file is written meanwhile'   wait_for_state
upgrade
check 'another binary starts beside' test $? = 0
check 'the old one leaves'              old_leaves
check 'who was refused still is'        same 0 "$(use 2 a)"
check 'what was used stays used'        same 7 "$(use 9 c)"

# As a crash of the machine: what was used since the last write is lost.
use 3 d > "$dir/answers"
wait_for_state > "$dir/waited"
restart KILL
check 'nginx is killed and starts' test $? = 0
check 'who was refused still is'        same 0 "$(use 2 a)"
check 'what was used stays used'        same 7 "$(use 9 d)"

# A worker that is killed while it writes, which takes a large zone a second,
# if it has keys.
cat > "$dir/wrk.lua" << END
request = function()
    return wrk.format("GET", "/large?k=" .. math.random(0, 1e9))
end
END

fill_large() {
    wrk -t1 -c16 -d2s -s "$dir/wrk.lua" "http://127.0.0.1:$port" > "$dir/wrk"
}

temporary() {
    find "$dir/state" -name 'large.state.*' | grep .
}

none_of() {
    ! ls "$@" 2> /dev/null | grep -q .
}

fill_large
wait_for temporary > "$dir/waited"
kill -STOP $(workers)
left=$(temporary)
check 'a file is being written' test -n "$left"
restart KILL
check 'what a killed worker has left is removed' wait_for none_of $left

# And one that leaves.
fill_large
wait_for temporary > "$dir/waited"
old=$(workers)
kill -STOP $old
left=$(temporary)
touch "$dir/mark"
kill -HUP "$master"
kill -CONT $old
for pid in $old; do
    wait_for gone "$pid" > "$dir/waited"
done
check 'one that leaves writes to the end' \
    test "$dir/state/large.state" -nt "$dir/mark"
check '... and leaves nothing else' none_of $left

# Reloads, and then deaths of the worker that writes, every second.
restless() {
    touch "$dir/mark"
    for _ in $(seq 7); do
        sleep 1
        kill "-$1" "$(writer_or_master "$1")"
    done
    written
}

writer_or_master() {
    if [ "$1" = HUP ]; then echo "$master"; else workers | sort -n | head -n 1; fi
}

check 'the file is written between reloads' restless HUP
wait_for workers_are 2
check 'and between deaths of workers' restless KILL

# Links under names that could be foreseen, and a last copy made by who has no
# rights of root.
echo mine > "$dir/victim"
for pid in "$master" $(workers); do
    ln -s "$dir/victim" "$dir/state/api.state.$pid"
done
user=$(owner "/proc/$(workers | head -n 1)")
kill -QUIT "$master"
wait_for gone "$master"
check 'nobody follows a link' same mine "$(cat "$dir/victim")"
rm -f "$dir"/state/*.state.*[0-9]
check 'the last copy is of the user of the workers' \
    same "$user $user" "$(echo $(owner "$dir"/state/*.state))"
check 'and no temporary file is left' \
    same 'api.state large.state' "$(echo $(ls "$dir/state"))"
check 'it is taken by the next' nginx
master=$(pid_in "$dir/nginx.pid")
check '... which goes on with it' same 0 "$(use 2 a)"

finish
