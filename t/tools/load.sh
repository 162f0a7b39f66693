# Sourced by the checks that put a server of their own under load, behind
# tap.sh.  They run in $dir, on $port and the next one.

. t/tools/ports.sh

# The long forms are for `t/run --long` and for RATELIMIT_LONG=1.
long=${RATELIMIT_LONG:+yes}

# load_dir NAME
load_dir() {
    dir=$BUILD/$1
    port=$(free_port 2) || exit 1
    rm -rf "$dir" && mkdir -p "$dir"
    # Workers may be nobody's.
    chmod 0755 "$dir"
}

# link_faulty NAME: $dir/faulty.so, the module as it was linked, with
# t/system/fault/NAME.c in front of what that wraps.
link_faulty() {
    local link wraps
    cc -O1 -g -fPIC -Wall -Wextra -Werror -Isrc -c "t/system/fault/$1.c" \
        -o "$dir/$1.o" &&
        link=$(cat "$BUILD/CMakeFiles/ngx_http_ratelimit_module.dir/link.txt") &&
        wraps=$(grep -o -E '(^WRAP\(|__wrap_)\w+' "t/system/fault/$1.c" |
            sed -E 's/WRAP\(|__wrap_/-Wl,--wrap=/' | sort -u) &&
        (cd "$BUILD" && eval "${link/ -o ngx_http_ratelimit_module.so/ -o \
            $dir/faulty.so} $dir/$1.o" $wraps)
}

# short_or_long SHORT LONG
short_or_long() {
    if [ "$long" ]; then echo "$2"; else echo "$1"; fi
}

# note TEXT: a figure, for whoever reads the log.
note() {
    echo "# $*" >&2
}

# main_conf WORKERS: what stands before "http".
main_conf() {
    [ -z "$MODULE" ] || echo "load_module $MODULE;"
    cat << END
worker_processes $1;
pid nginx.pid;
error_log error.log notice;
events { worker_connections 1024; }
END
}

# http_conf: what stands in every "http" of these checks.
http_conf() {
    cat << 'END'
    keepalive_requests 100000000;
    client_body_temp_path tmp1;
    proxy_temp_path tmp2;
    fastcgi_temp_path tmp3;
    uwsgi_temp_path tmp4;
    scgi_temp_path tmp5;
    ratelimit_log_level info;
END
}

nginx() {
    "$NGINX_BINARY" -p "$dir/" -c "$dir/nginx.conf" -e "$dir/error.log" "$@"
}

# start: and stop at the end of the check, however it ends, with the servers
# whose pids are in $beside.
start() {
    nginx || exit 1
    trap stop_all EXIT
    master=$(pid_in "$dir/nginx.pid")
}

beside=()

stop_all() {
    stop_nginx
    [ ${#beside[@]} = 0 ] || kill "${beside[@]}" 2> /dev/null
}

stop_nginx() {
    [ ! -s "$dir/nginx.pid" ] || kill "$(cat "$dir/nginx.pid")"
}

# pid_in FILE: once it is there.
pid_in() {
    for _ in $(seq 500); do
        [ ! -s "$1" ] || { cat "$1"; return; }
        sleep 0.01
    done
    return 1
}

# workers: the pids of the master's children that are not about to leave.  Angie
# gives each a number.
workers() {
    local pid
    for pid in $(pgrep -P "$master"); do
        grep -q -a -E 'worker process( #[0-9]+)?$' <(tr -d '\0' < "/proc/$pid/cmdline") &&
            echo "$pid"
    done 2> /dev/null
}

# reload ARGUMENTS: with what conf prints for them, until two workers of it, and
# none of before, serve.
reload() {
    local before
    before=$(workers)
    conf "$@" > "$dir/nginx.conf"
    kill -HUP "$master"
    wait_for renewed "$before"
}

# renewed PIDS: two workers serve, and none of these.
renewed() {
    [ "$(workers | wc -l)" = 2 ] && ! workers | grep -q -x -F "$1"
}

# wait_for COMMAND...: until it succeeds, for at most 30 seconds.
wait_for() {
    for _ in $(seq 600); do
        ! "$@" > /dev/null 2>&1 || return 0
        sleep 0.05
    done
    echo "in vain: $*"
    return 1
}

get() {
    curl -sS --noproxy '*' --max-time 30 "http://127.0.0.1:$port/$1" "${@:2}"
}

# ask COUNT PATH [FIRST [REPEAT]]: pipelined requests, see pipeline.pl; prints
# the answers of each status as in "200: 5".
ask() {
    perl t/tools/pipeline.pl "$port" "$@"
}

# answers STATUS COUNT PATH...: how many there were of that status.
answers() {
    local status=$1
    shift
    ask "$@" | awk -v status="$status:" \
        '$1 == status { n = $2 } END { print n + 0 }'
}

# metric NAME LABELS: from ratelimit_api at /ratelimit/.
metric() {
    get ratelimit/metrics | awk -v name="$1{$2}" '$1 == name { print $2 }'
}

# Nothing in the log that should not be there.
quiet_log() {
    ! grep -E '\[(warn|error|crit|alert|emerg)\]' "$dir/error.log"
}
