# Sourced by t/bench/run: counting, timing and printing.

running=()
preamble=
declare -A bare
before=true # what is done to a server before its requests
above=() # rows that are above their bounds

stop_all() {
    local pid
    for pid in "${running[@]}"; do
        stop_one "$pid" QUIT
    done
    running=()
}

# Again and again: nginx without a master sleeps through a signal that comes
# just before it waits for events.
stop_one() { # PID SIGNAL
    while kill "-$2" "$1" 2> /dev/null; do
        sleep 0.2
    done
    wait "$1" 2> /dev/null
}

build_module() {
    say "building in ${build#"$root"/}"
    { cmake -S . -B "$build" -DBUILD_TESTING=OFF -DRATELIMIT_BENCH=ON &&
        cmake --build "$build" -j"$(nproc)"; } < /dev/null \
        > "$build/bench.log" 2>&1 ||
        { tail -n 30 "$build/bench.log" >&2; stop 'the build failed'; }
    module=$build/ngx_http_ratelimit_module.so
}

find_jemalloc() {
    jemalloc=$(/sbin/ldconfig -p | sed -n 's/.*libjemalloc.so.2 .*=> //p' |
        head -n 1)
    [ -n "$jemalloc" ] || stop 'no libjemalloc.so.2 here'
}

wanted() {
    local pattern
    [ ${#patterns[@]} -gt 0 ] || return 0
    for pattern in "${patterns[@]}"; do
        case $1 in *$pattern*) return 0 ;; esac
    done
    return 1
}

free_port() {
    perl -MIO::Socket::INET -e 'print IO::Socket::INET->new(
        LocalAddr => "127.0.0.1", Listen => 1)->sockport'
}

# The requests of a load, of known keys or new ones: URIs, in which PORT stands
# for the port, or fields.
make_loads() {
    perl -It/lib -MJwt -e '
        my ($dir) = @ARGV;
        srand 1;
        my @browser = ("Accept: */*", "Accept-Encoding: gzip, br",
            "Accept-Language: en", "Cache-Control: no-cache",
            "Content-Type: application/json", "Origin: https://example.com",
            "Referer: https://example.com/", "X-Request-Id: 1234567890",
            "X-Forwarded-For: 192.0.2.1", "X-Forwarded-Proto: https",
            "X-Trace: abcdef");
        my @keys = map { sprintf "%08x%08x", rand 2**32, rand 2**32 } 1 .. 1e5;
        my %lists = (known => [@keys[0 .. 999]],
                     new => [map { $keys[rand @keys] } 1 .. 5000]);
        for my $kind (keys %lists) {
            my %form = (
                args => sub { "http://127.0.0.1:PORT/?k=$_[0]" },
                two => sub { "http://127.0.0.1:PORT/?k=$_[0]&a="
                             . substr $_[0], 0, 8 },
                tls => sub { "https://127.0.0.1:PORT/?k=$_[0]&a="
                             . substr $_[0], 0, 8 },
                line => sub { "http://127.0.0.1:PORT/?k=one" },
                cost => sub { "http://127.0.0.1:PORT/?k=$_[0]&n=3" },
                tokens => sub { "Authorization: Bearer $_[0]$_[0]" },
                cookies => sub { "Cookie: theme=dark; sid=$_[0]$_[0]" },
                fields => sub { join "\t", @browser, "X-API-Key: $_[0]" },
                jwt => sub { "Authorization: Bearer " . token("HS256", secret(),
                    {sub => $_[0], org => substr($_[0], 0, 8),
                     pad => "x" x 430, exp => time + 86400}) });
            for my $load (keys %form) {
                next if $load eq "jwt" && $kind eq "new";
                open my $out, ">", "$dir/$load.$kind" or die $!;
                print $out $form{$load}->($_), "\n" for @{$lists{$kind}};
            }
        }
        open my $key, ">", "$dir/secret.txt" or die $!;
        print $key secret(), "\n"' "$dir"
    openssl req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=127.0.0.1 \
        -keyout "$dir/tls.key" -out "$dir/tls.crt" 2> "$dir/openssl.log" ||
        stop "no certificate, see $dir/openssl.log"
}

# How nginx listens, and what h2load speaks, for that load.
listens() { # LOAD.KIND
    case $1 in
        tls.*) echo "ssl http2; ssl_certificate $dir/tls.crt; ssl_certificate_key $dir/tls.key" ;;
    esac
}

speaks() { # LOAD.KIND
    case $1 in tls.*) ;; *) echo --h1 ;; esac
}

write_nginx_conf() { # FILE LISTEN HTTP SERVER PROCESSES
    cat > "$1" <<END
$preamble
$([ -z "${3##*ratelimit*}" ] && echo "load_module $module;")
daemon off;
$5
pid $1.pid;
error_log $dir/logs/error.log crit;
events { worker_connections 256; }
http {
    access_log off;
    keepalive_requests 100000000;
    keepalive_timeout 600s;
    $3
    server { listen 127.0.0.1:$2; $4 }
}
END
}

wait_for() { # PORT PID
    local i
    for i in {1..200}; do
        (exec 3<> "/dev/tcp/127.0.0.1/$1") 2> /dev/null && return
        kill -0 "$2" 2> /dev/null || return 1
        sleep 0.1
    done
    return 1
}

send() { # PORT N LOAD.KIND FILE
    case $3 in
        tokens.* | cookies.* | fields.* | jwt.*) perl t/bench/client "$1" "$2" "$dir/$3" ;;
        *)
            sed "s/PORT/$1/" "$dir/$3" > "$4.uris"
            h2load $(speaks "$3") -c "$(connections "$3")" -n "$2" -i "$4.uris" > "$4.h2load" 2>&1 &&
                grep -q "$2 done" "$4.h2load"
        ;;
    esac
}

connections() { # LOAD.KIND
    case $1 in line.*) echo 10 ;; *) echo 1 ;; esac
}

# run_counted LOAD.KIND FILE SIGNAL COMMAND...: the instructions of a request to
# COMMAND, which listens on $port.
run_counted() {
    local load=$1 file=$2 signal=$3 pid
    shift 3
    LD_PRELOAD=$jemalloc valgrind --tool=callgrind \
        --callgrind-out-file="$file.callgrind" "$@" > "$file.log" 2>&1 &
    pid=$!
    { wait_for "$port" "$pid" && $before &&
        send "$port" 1000 "${load%.*}.known" "$file" &&
        callgrind_control -z "$pid" && send "$port" 5000 "$load" "$file" &&
        callgrind_control -d "$pid"; } > "$file.control" 2>&1
    stop_one "$pid" "$signal"
    awk '$1 == "totals:" { printf "%d\n", $2 / 5000 }' "$file.callgrind.1" |
        grep . || stop "no count, see $file.log"
}

per_request() { # LOAD.KIND HTTP SERVER
    local file=$dir/count
    rm -f "$file".*
    port=$(free_port)
    write_nginx_conf "$file.conf" "$port $(listens "$1")" "$2" "$3" 'master_process off;'
    run_counted "$1" "$file" QUIT nginx -p "$dir" -c "$file.conf"
}

row() { # NAME LOAD HTTP SERVER
    rows_of_kinds 'known new' "$@"
}

row_known() {
    rows_of_kinds known "$@"
}

row_new() {
    rows_of_kinds new "$@"
}

rows_of_kinds() { # KINDS NAME LOAD HTTP SERVER
    local kind count known= new=
    wanted "$2" || return 0
    [ -n "${bare[$3]:-}" ] ||
        bare[$3]=$(preamble=; per_request "$3.known" '' "$gif") || exit 1
    for kind in $1; do
        count=$(per_request "$3.$kind" "$4" "$5") || exit 1
        printf -v "$kind" %d $((count - bare[$3]))
    done
    print_row "$2" "$known" "$new"
}

# Ratios are to limit_req's, of known keys and of new ones.
print_row() { # NAME KNOWN NEW
    if [ "$1" = limit_req ]; then
        reference_known=$2 reference_new=$3
    fi
    printf '| %s | %s | %s | %s | %s | %s |\n' "$1" \
        "$(ratio "$2" "${reference_known:-}")" \
        "$(ratio "$3" "${reference_new:-}")" \
        "${2:+$(printf %+d "$2")}" "${3:+$(printf %+d "$3")}" \
        "$(bounds_of "$1")"
    check_row known "$1" "$2"
    check_row new "$1" "$3"
}

ratio() {
    [ -n "$1" ] && [ -n "$2" ] || return 0
    printf '%d.%02d' $(($1 / $2)) $(($1 * 100 / $2 % 100))
}

# bound_of KIND NAME: the most that a row may cost, or nothing.
bound_of() {
    local column=1
    [ "$1" = known ] || column=2
    awk -F '\t' -v name="$2" -v column=$column \
        '$3 == name && $column != "-" { print $column }' t/bench/bounds
}

bounds_of() { # NAME
    local known new
    known=$(bound_of known "$1") new=$(bound_of new "$1")
    echo "${known:+≤ $known}${known:+${new:+, }}${new:+≤ $new new}"
}

# With --check: notes a row that is more than 3 % above its bound.
check_row() { # KIND NAME COUNT
    local bound
    bound=$(bound_of "$1" "$2")
    if [ -n "$3" ] && [ -n "$bound" ] && (($3 * 100 > bound * 103)); then
        above+=("$2, $1: +$3, and at most $bound are allowed")
    fi
}

report_check() {
    [ ${#above[@]} -gt 0 ] || { echo 'No row is above its bound.'; return; }
    printf '%s\n' "${above[@]}" >&2
    exit 1
}

print_instructions() {
    make_loads
    echo '| case | known / limit_req | new / limit_req | known | new | bound |'
    echo '|---|---|---|---|---|---|'
    rows_of_peers
    rows_of_ours
    rows_of_tls
    rows_of_edges
    if (install libnginx-mod-http-lua) 2> /dev/null; then
        rows_of_lua
    fi
    if (install haproxy) 2> /dev/null; then
        rows_of_haproxy
    fi
    echo
    echo "Bare nginx: ${bare[args]:-–} instructions a request," \
        "${bare[tls]:-–} over TLS and HTTP/2 ($(nginx -v 2>&1), $(sed -n 's/^model name.*: //p' /proc/cpuinfo | head -1))."
}

print_line() {
    make_loads
    echo '| ten connections ask for one key | instructions | to the line above | ms apart at 20r/s, median of 21 at once |'
    echo '|---|---|---|---|'
    rows_of_lines
}

# Ratios are to the row before.  Where nobody waits, nothing is apart.
line_row() { # NAME HTTP SERVER
    local count apart=–
    wanted "$1" || return 0
    [ -n "${bare[line]:-}" ] ||
        bare[line]=$(preamble=; per_request line.known '' "$gif") || exit 1
    count=$(per_request line.known "${2/RATE/200}" "$3") || exit 1
    count=$((count - bare[line]))
    if [ -z "${2##*RATE*}" ]; then
        serve line "${2/RATE/20}" "$3"
        apart=$(python3 t/bench/apart.py "$port" 21)
        stop_all
    fi
    printf '| %s | %+d | %s | %s |\n' "$1" "$count" \
        "$(ratio "$count" "${count_before:-}")" "$apart"
    count_before=$count
}

# Over HAProxy's own frontend that only answers.
haproxy_row() { # NAME FRONTEND-LINES
    local known new
    wanted "$1" || return 0
    [ -n "${bare[haproxy]:-}" ] ||
        bare[haproxy]=$(haproxy_per_request args.known '') || exit 1
    known=$(haproxy_per_request args.known "$2") &&
        new=$(haproxy_per_request args.new "$2") || exit 1
    print_row "$1" $((known - bare[haproxy])) $((new - bare[haproxy]))
}

haproxy_per_request() { # LOAD.KIND FRONTEND-LINES
    local file=$dir/count
    rm -f "$file".*
    port=$(free_port)
    cat > "$file.conf" <<END
global
        nbthread 1
defaults
        mode http
        timeout client 600s
        timeout server 600s
        timeout connect 5s
frontend f
        bind 127.0.0.1:$port
        $2
        http-request return status 200 content-type image/gif lf-string 0123456789012345678901234567890123456789012
END
    run_counted "$1" "$file" USR1 haproxy -db -f "$file.conf"
}

# ---- the other parts

# serve NAME HTTP SERVER: two workers on $port until stop_all.
serve() {
    port=$(free_port)
    write_nginx_conf "$dir/$1.conf" "$port" "$2" "$3" 'worker_processes 2;'
    nginx -p "$dir" -c "$dir/$1.conf" > "$dir/$1.log" 2>&1 &
    running+=($!)
    wait_for "$port" $! || stop "$(cat "$dir/$1.log")"
}

requests_a_second() { # PORT SCRIPT
    wrk -t 1 -c 64 -d "${SECONDS_EACH:-3}" -s "$2" "http://127.0.0.1:$1/" |
        sed -n 's/^Requests\/sec: *\([0-9]*\).*/\1/p'
}

median() {
    sort -n | awk '{ a[NR] = $1 } END { print a[int((NR + 1) / 2)] }'
}

# In pairs, one right after the other, since the machine is not ours alone.
print_wrk() {
    local load i ours theirs our_port their_port
    echo 'request = function()
        return wrk.format(nil, "/?k=" .. math.random(1, 100000)) end' > "$dir/spread.lua"
    echo 'request = function() return wrk.format(nil, "/?k=hot") end' > "$dir/hot.lua"
    serve ours "$zone ratelimit_policy p key=\$arg_k quota=999999999/1s;" \
        "ratelimit p; $gif"
    our_port=$port
    serve limit_req 'limit_req_zone $arg_k zone=a:32m rate=1000000r/s;' \
        "limit_req zone=a burst=1000000 nodelay; $gif"
    their_port=$port
    echo '| two workers, wrk -c 64 | ours, requests/s | limit_req | median of ratios |'
    echo '|---|---|---|---|'
    for load in spread hot; do
        : > "$dir/pairs"
        for ((i = 0; i < ${ROUNDS:-7}; i++)); do
            ours=$(requests_a_second "$our_port" "$dir/$load.lua")
            theirs=$(requests_a_second "$their_port" "$dir/$load.lua")
            echo "$ours $theirs $((ours * 1000 / theirs))" >> "$dir/pairs"
        done
        printf '| %s | %s | %s | %s |\n' \
            "$([ $load = hot ] && echo 'one hot key' || echo '100,000 keys')" \
            "$(cut -d ' ' -f 1 "$dir/pairs" | median)" \
            "$(cut -d ' ' -f 2 "$dir/pairs" | median)" \
            "$(cut -d ' ' -f 3 "$dir/pairs" | median |
                sed 's/\([0-9]*\)\([0-9]\{3\}\)$/\1.\2/; s/^\./0./')"
    done
    stop_all
}

print_core() {
    "$build/core_bench"
}

print_memory() {
    local keys count
    "$build/memory_bench" fill 16
    for keys in 1000 10000000; do
        valgrind --tool=callgrind --instr-atstart=no \
            --callgrind-out-file="$dir/memory.callgrind" \
            "$build/memory_bench" decide $keys 100000 2> "$dir/memory.log"
        count=$(sed -n 's/.*Collected : \([0-9]*\).*/\1/p' "$dir/memory.log")
        echo "$keys keys: $((count / 100000)) instructions a decision"
    done
}
