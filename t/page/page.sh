#!/bin/bash

# The sources of ratelimit_api's page, as linters see them, and what becomes
# of them.  $NPM_DIR is where t/run has put the linters, $NO_NPM why
# there are none.

. t/tools/tap.sh

embedded() {
    sh src/api/page/embed.sh > "$BUILD/page.h" && python3 -c '
import re, sys
page = bytes(int(x, 16) for x in re.findall(r"0x(..)", open(sys.argv[1]).read()))
names = sys.argv[2:]
for name in names:
    assert open(name, "rb").read() in page, name
assert page.startswith(b"<!DOCTYPE html>") and page.endswith(b"</html>\n")
assert b"page.css" not in page and b".js\"" not in page
assert page.count(b"@NONCE@") == len(names)' "$BUILD/page.h" src/api/page/*.css src/api/page/*.js
}

check 'style and script stand in the page as they are' embedded

if [ -n "${NO_NPM:-}" ] || [ -z "${NPM_DIR:-}" ]; then
    echo "# SKIPPED: no linters, ${NO_NPM:-t/run has not installed them}" >&2
    echo "ok 2 # SKIP ${NO_NPM:-t/run has not installed linters}"
    echo '1..2'
    exit
fi

export NODE_PATH=$NPM_DIR/node_modules
bin=$NPM_DIR/node_modules/.bin

# The page's scripts share their names, so they are read as one.
page_scripts() {
    sed -n 's/^<script src="\(.*\)">.*/src\/api\/page\/\1/p' src/api/page/page.html |
        xargs cat | "$bin/eslint" -c t/page/eslint.config.js --stdin \
        --stdin-filename src/api/page/all.js
}

check 'eslint of the page' page_scripts
check 'eslint of its test' "$bin/eslint" -c t/page/eslint.config.js \
    t/page/*.js
check html-validate "$bin/html-validate" -c t/page/htmlvalidate.json \
    src/api/page/page.html
check stylelint "$bin/stylelint" --config t/page/stylelint.json \
    --config-basedir "$NPM_DIR" src/api/page/page.css

finish
