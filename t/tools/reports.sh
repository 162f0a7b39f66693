#!/bin/bash

# After suites: fails when those that just ran left an alert or a report of a
# sanitizer or of valgrind behind, whatever they said themselves.  A worker that
# a test killed (signals 9 and 15) is no finding.

set -u

found=0

while read -r log; do
    lines=$(grep -a -n -E \
        '\[alert\]|runtime error:|AddressSanitizer|LeakSanitizer' "$log" |
        grep -a -v -E 'exited on signal (9|15)' | head -n 20)
    if [ -n "$lines" ]; then
        printf '%s:\n%s\n' "$log" "$lines"
        found=1
    fi
done < <(find "$BUILD/suites" -name error.log -not -path '*/servroot/*')

while read -r report; do
    printf '%s:\n' "$report"
    head -n 60 "$report"
    found=1
done < <(find "$BUILD/reports" -type f -size +0)

exit $found
