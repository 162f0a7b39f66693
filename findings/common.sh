# shellcheck shell=bash
# Sourced by each finding. A finding says in its header what one would guess,
# what happens and where that is explained; this prints the header, installs
# pinned packages into a temporary folder, ends what was started, and compares
# what was seen with what is written down. Servers listen on sockets in that
# folder or on ports of the loopback that the system gives them.

set -eu
export LC_ALL=C
tmp=$(mktemp -d)
pids=()

finish() {
    local status=$?
    trap - EXIT
    for pid in "${pids[@]}"; do kill "$pid" 2>/dev/null || :; done
    wait
    rm -rf "$tmp"
    exit "$status"
}
trap finish EXIT
trap 'exit 1' INT TERM

sed -n '2,/^$/s/^# \{0,1\}//p' "${0##*/}"
echo

fail() { echo "CHANGED: $*" >&2; exit 1; }

# start COMMAND...: in the background, ended with the script.
start() {
    "$@" >>"$tmp/started.log" 2>&1 &
    pids+=($!)
}

# within COMMAND...: until it succeeds, for ten seconds.
within() {
    local i
    for ((i = 0; i < 100; i++)); do
        if "$@" >/dev/null 2>&1; then return; fi
        sleep 0.1
    done
    cat "$tmp/started.log" >&2 || :
    fail "not ready after 10 s: $*"
}

# npm_packages NAME@VERSION...: exact versions, their install scripts not run.
npm_packages() {
    (cd "$tmp" && echo '{"private": true}' >package.json &&
        npm install --no-audit --no-fund --no-update-notifier --ignore-scripts \
            --loglevel=error --save-exact "$@" >npm.log 2>&1) ||
        { cat "$tmp/npm.log" >&2; fail "npm cannot install $*"; }
    echo "version: $* on node $(node --version)"
}

# debian_packages NAME=VERSION...: the distribution's own builds, unpacked and
# not installed. VERSION is the upstream part, which a stable release keeps.
debian_packages() {
    local wanted name file version lib
    mkdir -p "$tmp/deb" "$tmp/root"
    (cd "$tmp/deb" && apt-get -o APT::Sandbox::User= -qq download "${@%%=*}") \
        >"$tmp/apt.log" 2>&1 ||
        { cat "$tmp/apt.log" >&2; fail "apt-get cannot download $*"; }
    for wanted; do
        name=${wanted%%=*}
        file=$(echo "$tmp/deb/${name}"_*.deb)
        version=$(dpkg-deb -f "$file" Version)
        case ${version#*:} in
            "${wanted#*=}"[-+]*) ;;
            *) fail "$name is $version, and this was seen with ${wanted#*=}" ;;
        esac
        dpkg-deb -x "$file" "$tmp/root"
        echo "version: $name $version"
    done
    lib=$(echo "$tmp"/root/usr/lib/*-linux-gnu)
    if [ -d "$lib" ]; then export LD_LIBRARY_PATH="$lib:$lib/varnish"; fi
}

# expect WHAT SEEN WANTED
expect() {
    echo "seen: $1: $2"
    [ "$2" = "$3" ] || fail "$1 was: $3"
}

# run_node FILE ARGUMENT...: in the temporary folder, for 40 seconds at most;
# what it prints is asked for by `line NUMBER` or `after NAME`.
run_node() {
    (cd "$tmp" && timeout 40 node "$@") >"$tmp/seen" 2>"$tmp/errors" ||
        { cat "$tmp/seen" "$tmp/errors" >&2; fail "node $1 did not run"; }
}
line() { sed -n "${1}p" "$tmp/seen"; }
after() { sed -n "s/^$1: //p" "$tmp/seen"; }
