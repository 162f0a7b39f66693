# Sourced by t/run: the steps that its modes are made of.
#
# Globals: $root, $jobs, $kinds and ${selected[@]} (of the tests to run the
# kinds, and the beginnings of their names), ${unit_targets[@]} (what CMake is to
# build for those of the unit tests), $checks (folders of checks), $build (the
# build folder), $nginx (binary), $nginx_src.

passed=0
failed=0
failures=()
getting_peers=  # process that gets them

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
    ! wanted unit || unit=ON targets+=("${unit_targets[@]}")
    say "building in ${build#"$root"/}"
    mkdir -p "$build"
    { cmake -S . -B "$build" -DBUILD_TESTING=$unit "$@" &&
        cmake --build "$build" -j"$jobs" --target "${targets[@]}"; } \
        < /dev/null > "$build/build.log" 2>&1 ||
        { tail -n 60 "$build/build.log" >&2; stop 'the build failed'; }
    grep -A 3 'CMake Warning' "$build/build.log" >&2
}

# run_tests NAME FOLDER...: the selected tests of these folders, by ctest.
run_tests() {
    local name=$1 log=$build/ctest.log names folders status good bad
    shift
    await_peers
    folders="$*"
    names=$(IFS='|'; echo "${selected[*]}")
    say "$name"
    # More than there are cores: most of them wait most of the time.
    ctest --test-dir "$build" -j$((jobs + 2)) --output-on-failure \
        -R "^($names)" -L "^(${folders// /|})\$" < /dev/null 2>&1 |
        tee "$log" | grep --line-buffered -v -E '^ +Start |: unit\..* Passed |^$' >&2
    status=${PIPESTATUS[0]}
    ! grep -q '^No tests were found' "$log" || return 0
    read -r good bad < <(assertions "$build/Testing/Temporary/LastTest.log" "$log")
    [ "$status" = 0 ] || [ "$bad" -gt 0 ] || bad=1
    count "$name" "$good" "$bad"
}

# assertions LAST-TEST-LOG CTEST-LOG: how many passed and failed.  Of what prove
# ran each counts, skipped ones apart; a unit test is one.
assertions() {
    awk '
        FNR == NR && $2 == "Testing:" { name = $3 }
        FNR == NR && /^Failed [0-9]+\/[0-9]+ subtests/ {
            split($2, n, "/"); bad[name] = n[1]; ran[name] = n[2]
        }
        FNR == NR && /^Files=1, Tests=/ && !(name in ran) {
            split($2, n, "[=,]"); ran[name] = n[2]
        }
        FNR == NR && /^ok .*# *[Ss][Kk][Ii][Pp]/ { skipped[name]++ }
        FNR == NR { next }
        $2 == "Test" && /^ *[0-9]+\/[0-9]+ / && !/\*\*\*Skipped/ {
            name = $4
            if (/\*\*\*/) failed += bad[name] ? bad[name] : 1
            else if (!(name in ran)) passed++
            passed += ran[name] - bad[name] - skipped[name]
        }
        END { print passed + 0, failed + 0 }' "$1" "$2"
}
