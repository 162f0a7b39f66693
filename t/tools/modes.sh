# Sourced by t/run: the ways to run the tests, each with a build folder of its
# own beside $build.

# use_nginx VERSION: sets $nginx and $nginx_src; "" is the one installed.
use_nginx() {
    local installed
    nginx=/usr/sbin/nginx
    nginx_src=/usr/share/nginx/src
    installed=$("$nginx" -v 2>&1 | sed 's|.*/||')
    case $1 in
        '' | "$installed" | "${installed%.*}") ;;
        1.22) unpack_nginx bookworm ;;
        1.26) unpack_nginx trixie ;;
        *) stop "nginx $1 is not known here, 1.22 and 1.26 are" ;;
    esac
}

mode_default() {
    use_nginx ''
    build_project -DNGINX_SRC="$nginx_src" -DNGINX_BINARY="$nginx"
    run_tests tests unit suite $checks
}

mode_nginx() {
    local build=$build-nginx-$1
    use_nginx "$1"
    build_project -DNGINX_SRC="$nginx_src" -DNGINX_BINARY="$nginx" \
        -DBUILD_TESTING=OFF
    run_tests "nginx $1" suite $checks
}

# mode_source DIR: with the nginx whose source is there.
mode_source() {
    local name=${1##*/} build=$build-source-${1##*/}
    build_nginx_from "$1" "$build"
    build_project -DNGINX_SRC="$nginx_src" -DNGINX_BINARY="$nginx" \
        -DBUILD_TESTING=OFF
    run_tests "$name" suite $checks
}

mode_asan() {
    local build=$build-asan
    build_nginx_asan "$build"
    build_project -DNGINX_SRC="$nginx_src" -DNGINX_BINARY="$nginx" \
        -DRATELIMIT_SANITIZE=address,undefined
    run_tests 'unit tests, sanitizers' unit
    run_planted

    # Commas, not colons: Test::Nginx adds the block's name to log_path.
    ASAN_OPTIONS=detect_odr_violation=0,detect_leaks=0,log_path=$build/reports/asan \
        UBSAN_OPTIONS=print_stacktrace=1,log_path=$build/reports/ubsan \
        TEST_NGINX_TIMEOUT=10 run_tests 'suites, sanitizers' suite
}

mode_tsan() {
    local build=$build-tsan
    build_project -DRATELIMIT_MODULE=OFF -DRATELIMIT_SANITIZE=thread
    run_tests 'unit tests, threads' unit
}

mode_portable() {
    local build=$build-portable
    build_project -DRATELIMIT_MODULE=OFF -DCMAKE_CXX_FLAGS=-DRATELIMIT_NO_SIMD
    run_tests 'unit tests, portable' unit
}

mode_valgrind() {
    local build=$build-valgrind jobs=1 options
    install valgrind
    use_nginx ''
    build_project -DNGINX_SRC="$nginx_src" -DNGINX_BINARY="$nginx" \
        -DBUILD_TESTING=OFF
    options="--leak-check=full --show-possibly-lost=no --num-callers=40 --keep-debuginfo=yes"
    options+=" --gen-suppressions=all --suppressions=$root/t/valgrind.suppress"
    TEST_NGINX_USE_VALGRIND="$options --log-file=$build/reports/%p" \
        TEST_NGINX_SLEEP=0.3 TEST_NGINX_TIMEOUT=20 \
        run_tests 'suites, valgrind' suite
}

mode_static() {
    local build=$build-static
    build_nginx_static "$build"
    build_project -DRATELIMIT_MODULE=OFF -DNGINX_BINARY="$nginx"
    run_tests 'suites, static' suite
}

mode_fuzz() {
    local build=$build-fuzz fuzzer
    install clang
    build_project -DRATELIMIT_MODULE=OFF -DRATELIMIT_FUZZ=ON \
        -DBUILD_TESTING=OFF -DRATELIMIT_SANITIZE=address,undefined \
        -DCMAKE_C_COMPILER=clang -DCMAKE_CXX_COMPILER=clang++
    for fuzzer in t/fuzz/*_fuzz.cc; do
        fuzzer=$(basename "$fuzzer" .cc)
        mkdir -p "$build/corpus/$fuzzer"
        say "$fuzzer, $1 s"
        if (cd "$build" && "./$fuzzer" -max_total_time="$1" \
            "corpus/$fuzzer") < /dev/null > "$build/$fuzzer.log" 2>&1; then
            count "$fuzzer" 1 0
        else
            tail -n 40 "$build/$fuzzer.log" >&2
            count "$fuzzer" 0 1
        fi
    done
}
