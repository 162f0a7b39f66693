# Sourced by t/run: whether a run with sanitizers notices an overrun and a leak
# that are planted in the module.

# run_planted: with the module in $build and its $nginx.
run_planted() {
    local what
    wanted suite || return 0
    say 'planted errors'
    rm -rf "$build/planted" && mkdir -p "$build/planted"
    if ! link_planted > "$build/planted/log" 2>&1; then
        cat "$build/planted/log" >&2
        count 'planted errors' 0 1
        return
    fi
    for what in nothing overrun leak; do
        if planted_is_seen "$what"; then
            count "planted: $what" 1 0
        else
            cat "$build/planted/$what"* >&2
            count "planted: $what" 0 1
        fi
    done
}

link_planted() {
    local link
    link=$(cat "$build/CMakeFiles/ngx_http_ratelimit_module.dir/link.txt") &&
        cc -fPIC -g -c t/system/fault/plant.c -fsanitize=address \
            -o "$build/planted/plant.o" &&
        (cd "$build" && eval "${link/ -o ngx_http_ratelimit_module.so/ -o \
            planted/planted.so} planted/plant.o -Wl,--wrap=ngx_pnalloc \
            -Wl,-z,nodelete")
}

# planted_is_seen WHAT: by requests that allocate the text of a variable.
planted_is_seen() {
    local what=$1 dir=$build/planted
    cat > "$dir/nginx.conf" << END
load_module $dir/planted.so;
daemon off;
master_process off;
pid $dir/nginx.pid;
error_log $dir/error.log;
env PLANT;
env ASAN_OPTIONS;
events { }
http {
    access_log off;
    client_body_temp_path $dir/tmp1;
    proxy_temp_path $dir/tmp2;
    fastcgi_temp_path $dir/tmp3;
    uwsgi_temp_path $dir/tmp4;
    scgi_temp_path $dir/tmp5;
    ratelimit_zone   zone=api:64k;
    ratelimit_policy p key=\$uri quota=9/1h;
    server {
        listen unix:$dir/socket;
        location / { ratelimit p; return 200 "\$ratelimit_remaining \$ratelimit_key_id\n"; }
    }
}
END
    rm -f "$dir/socket"
    PLANT=$what \
        ASAN_OPTIONS=detect_odr_violation=0,detect_leaks=1,log_path=$dir/$what.report \
        "$nginx" -p "$dir/" -c "$dir/nginx.conf" -e "$dir/error.log" \
        > "$dir/$what" 2>&1 &
    local pid=$!
    for _ in $(seq 200); do
        [ ! -S "$dir/socket" ] || break
        sleep 0.05
    done
    curl -sS --max-time 10 --unix-socket "$dir/socket" "http://x/[1-20]" \
        > "$dir/$what.answer" 2>&1
    kill -QUIT "$pid" 2> /dev/null
    wait "$pid"
    # nginx, with one process, leaves its own pools behind; the module is linked
    # to stay loaded, or the report could not name what is lost there.
    case $what in
        nothing) ! grep -q -e overflow -e ratelimit "$dir/$what".report.* ;;
        overrun) grep -q 'heap-buffer-overflow' "$dir/$what".report.* ;;
        leak) grep -q 'LeakSanitizer: detected' "$dir/$what".report.* &&
            grep -q '#1 .* __wrap_ngx_pnalloc .*plant.c' "$dir/$what".report.* ;;
    esac
}
