#!/usr/bin/env bats

# The demo: what it shows, and that it leaves nothing running.

prefix=$BUILD/demo
told=$BUILD/demo.told

# demo ARGUMENTS...: $told gets what it shows.
demo() {
    BUILD_DIR=$BUILD bash conf-examples/demo "$@" > "$told" 2>&1 < /dev/null 3>&- ||
        { cat "$told"; return 1; }
}

setup_file() {
    rm -rf "$prefix"
}

@test 'demo --once succeeds' {
    demo --once
}

@test 'it shows what a response tells' {
    grep -x 'X-RateLimit-Remaining: 9' "$told"
}

@test 'it goes on to the last request' {
    grep -x ' 10  200    10    0   10' "$told"
}

@test 'and to the refusal' {
    grep -x -E ' 11  429    10    0 +([1-9]|1[01])' "$told"
}

@test 'with its body' {
    grep -E '^\{.*"violated-policies":\["client"\]' "$told"
}

@test 'and shows another client' {
    grep -x '      "remaining": 9,' "$told"
}

@test 'nothing is left running' {
    [ ! -e "$prefix/nginx.pid" ]
}

@test 'demo says how to stop it' {
    demo
    grep -x '  stop    conf-examples/demo --stop' "$told"
}

@test 'and goes on running' {
    [ "$(cat "/proc/$(cat "$prefix/nginx.pid")/comm")" = "$(basename "$NGINX_BINARY")" ]
}

# As an editor would: half of the quota.
@test 'demo --reload takes an edited configuration' {
    sed -i 's|quota=10/10s|quota=5/10s|' "$prefix/nginx.conf"
    demo --reload
    sleep 0.5
}

@test 'which holds, counts included' {
    demo
    grep -x 'X-RateLimit-Limit: 5' "$told"
}

@test 'demo --stop stops it' {
    demo --stop
    [ ! -e "$prefix/nginx.pid" ]
}
