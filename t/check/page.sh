#!/bin/bash

# The sources of ratelimit_api's page, as linters see them, and what becomes
# of them.  $PLAYWRIGHT is where t/run has put the linters, $NO_LINTER why
# there are none.

. t/tools/tap.sh

embedded() {
    sh src/api/embed.sh > "$BUILD/page.h" && python3 -c '
import re, sys
page = bytes(int(x, 16) for x in re.findall(r"0x(..)", open(sys.argv[1]).read()))
for name in "css", "js":
    assert open("src/api/page." + name, "rb").read() in page, name
assert page.startswith(b"<!DOCTYPE html>") and page.endswith(b"</html>\n")
assert b"page.css" not in page and b"page.js\"" not in page
assert page.count(b"@NONCE@") == 2' "$BUILD/page.h"
}

check 'style and script stand in the page as they are' embedded

if [ -n "${NO_LINTER:-}" ] || [ -z "${PLAYWRIGHT:-}" ]; then
    echo "# SKIPPED: no linters, ${NO_LINTER:-t/run has not installed them}" >&2
    echo "ok 2 # SKIP ${NO_LINTER:-t/run has not installed linters}"
    echo '1..2'
    exit
fi

export NODE_PATH=$PLAYWRIGHT/node_modules
bin=$PLAYWRIGHT/node_modules/.bin

check eslint "$bin/eslint" -c t/browser/eslint.config.js \
    src/api/page.js t/browser/page.js t/browser/eslint.config.js
check html-validate "$bin/html-validate" -c t/browser/htmlvalidate.json \
    src/api/page.html
check stylelint "$bin/stylelint" --config t/browser/stylelint.json \
    --config-basedir "$PLAYWRIGHT" src/api/page.css

finish
