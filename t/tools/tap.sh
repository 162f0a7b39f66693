# Sourced by the checks: the Test Anything Protocol for shell.
#
#   check NAME COMMAND...   ok when COMMAND succeeds; its output is shown
#                           when it does not
#   finish                  prints the plan

tap_count=0

check() {
    local name=$1 output
    shift
    tap_count=$((tap_count + 1))
    if output=$("$@" 2>&1 < /dev/null); then
        echo "ok $tap_count - $name"
    else
        echo "not ok $tap_count - $name"
        printf '%s\n' "$output" | tail -n 40 | sed 's/^/# /' >&2
    fi
}

finish() {
    echo "1..$tap_count"
}

# same EXPECTED ACTUAL: whether they are, with a diff where not.
same() {
    diff <(printf '%s\n' "$1") <(printf '%s\n' "$2")
}
