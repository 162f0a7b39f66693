#!/bin/bash

# The demo: what it shows, and that it leaves nothing running.

. t/tools/tap.sh

prefix=$BUILD/demo

demo() {
    BUILD_DIR=$BUILD bash conf-examples/demo "$@"
}

shows() {
    grep -q -E -- "$1" <<< "$told"
}

runs() {
    [ "$(cat "/proc/$(cat "$prefix/nginx.pid")/comm")" = nginx ]
}

stopped() {
    ! [ -e "$prefix/nginx.pid" ]
}

# As an editor would: half of the quota.
edited() {
    sed -i 's|quota=10/10s|quota=5/10s|' "$prefix/nginx.conf" && demo --reload
}

rm -rf "$prefix"
told=$(demo --once 2>&1 < /dev/null)
check 'demo --once succeeds' test $? = 0
check 'it shows what a response tells' shows '^X-RateLimit-Remaining: 9$'
check 'it goes on to the last request' shows '^ 10  200    10    0   10$'
check 'and to the refusal' shows '^ 11  429    10    0 +([1-9]|1[01])$'
check 'with its body' shows '^\{.*"violated-policies":\["client"\]'
check 'and shows another client' shows '^\{"limit":10,"remaining":9,"reset":10\}$'
check 'nothing is left running' stopped

told=$(demo 2>&1 < /dev/null)
check 'demo says how to stop it' shows '^  stop    conf-examples/demo --stop$'
check 'and goes on running' runs
check 'demo --reload takes an edited configuration' edited
sleep 0.5
told=$(demo 2>&1 < /dev/null)
check 'which holds, counts included' shows '^X-RateLimit-Limit: 5$'
check 'demo --stop stops it' demo --stop
check 'nothing is left running then' stopped

finish
