# Sourced by t/run: the steps that its modes are made of.
#
# Globals: $root, $jobs, $kinds, $build (the build folder), $nginx (binary),
# $nginx_src, $module (what suites load, "" when nginx has it built in).

passed=0
failed=0
failures=()

# count NAME PASSED FAILED
count() {
    passed=$((passed + $2))
    failed=$((failed + $3))
    say "$1: $2 passed, $3 failed"
    [ "$3" = 0 ] || failures+=("$1: $3 failed")
}

# summary: the last line, and the exit status.
summary() {
    [ ${#failures[@]} = 0 ] || printf '== %s\n' '' "${failures[@]}" >&2
    if [ $((passed + failed)) = 0 ]; then
        say 'nothing ran'
        failed=1
    fi
    echo
    echo "$passed passed, $failed failed"
    [ "$failed" = 0 ]
}

# wanted KIND: whether tests of this kind are to run.
wanted() {
    case "$kinds " in
        *" $1 "*) ;;
        *) return 1 ;;
    esac
}

# build_project CMAKE-ARGUMENTS...: in $build, unit tests where they are wanted.
build_project() {
    local unit=OFF targets=(all)
    ! wanted unit || unit=ON targets+=(unit_tests)
    say "building in ${build#"$root"/}"
    mkdir -p "$build"
    { cmake -S . -B "$build" -DBUILD_TESTING=$unit "$@" &&
        cmake --build "$build" -j"$jobs" --target "${targets[@]}"; } \
        < /dev/null > "$build/build.log" 2>&1 ||
        { tail -n 60 "$build/build.log" >&2; stop 'the build failed'; }
    grep -A 3 'CMake Warning' "$build/build.log" >&2
    module=$build/ngx_http_ratelimit_module.so
}

# run_unit: the unit tests built in $build.
run_unit() {
    local log=$build/unit.log names=() file bad skipped
    wanted unit || return 0
    say 'unit tests'
    for file in "${unit_files[@]}"; do
        file=${file##*/}
        names+=("${file%.*}")
    done
    local only=${names[*]}
    ctest --test-dir "$build" -j"$jobs" --output-on-failure --timeout 600 \
        ${only:+-R "^(${only// /|})(\.|\$)"} < /dev/null > "$log" 2>&1
    bad=$(sed -n 's/.*passed, \([0-9]*\) tests failed out of [0-9]*$/\1/p' "$log")
    skipped=$(grep -c '\*\*\*Skipped' "$log")
    [ "${bad:-1}" = 0 ] || grep -v -E ' Passed |^ *Start ' "$log" >&2
    [ "$skipped" = 0 ] || say "unit tests: $skipped skipped"
    count 'unit tests' "$(grep -c ' Passed ' "$log")" "${bad:-1}"
}

# run_tap NAME DIR FILE...: suites or checks, with what they need of the
# environment; DIR gets the log.
run_tap() {
    local name=$1 dir=$2 good bad
    shift 2
    say "$name"
    rm -rf "$dir" && mkdir -p "$dir"
    perl t/tools/harness.pl --jobs "$jobs" "$@" \
        < /dev/null | tee "$dir/log" | grep -v -E '^[0-9]+ [0-9]+$' >&2
    read -r good bad < <(tail -n 1 "$dir/log")
    case $good-$bad in
        [0-9]*-[0-9]*) count "$name" "$good" "$bad" ;;
        *) count "$name" 0 1 ;;
    esac
}

# starts: whether $nginx starts at all with $module.  A suite tries that for
# half a minute before it gives up.
starts() {
    local dir=$build/starts
    mkdir -p "$dir"
    printf '%s\n' "${module:+load_module $module;}" 'events { }' \
        > "$dir/nginx.conf"
    "$nginx" -t -q -p "$dir/" -c "$dir/nginx.conf" -e stderr \
        -g "pid $dir/nginx.pid;" >&2
}

# run_suites NAME
run_suites() {
    local name=$1 files=("${suite_files[@]}")
    wanted suites || return 0
    if ! starts; then
        count "$name: nginx with the module does not start" 0 1
        return
    fi
    [ ${#files[@]} -gt 0 ] || files=(t/suite/*.t)
    rm -rf "$build/reports" && mkdir -p "$build/reports"
    BUILD=$build TEST_NGINX_BINARY=$nginx TEST_NGINX_LOAD_MODULES=$module \
        run_tap "$name" "$build/suites" "${files[@]}"
    if bash t/tools/reports.sh "$build" >&2; then
        count "$name: logs" 1 0
    else
        count "$name: logs" 0 1
    fi
}

# run_checks.  Not $NGINX: nginx takes that for sockets to inherit.
run_checks() {
    local files=("${check_files[@]}")
    wanted checks || return 0
    [ ${#files[@]} -gt 0 ] || files=(t/{build,docs,page,peers,system}/*.sh)
    NGINX_BINARY=$nginx MODULE=$module BUILD=$build PROMTOOL=$promtool \
        NPM_DIR=$npm_dir NO_NPM=$no_npm NO_BROWSER=$no_browser \
        run_tap checks "$build/checks" "${files[@]}"
}
