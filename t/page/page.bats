#!/usr/bin/env bats

# The sources of ratelimit_api's page, as linters see them, and what becomes
# of them.  $NPM_DIR is where t/run has put the linters, $NO_NPM why
# there are none.

# linter NAME ARGUMENTS...
linter() {
    [ -n "${NPM_DIR:-}" ] && [ -z "${NO_NPM:-}" ] ||
        skip "${NO_NPM:-t/run has not installed linters}"
    NODE_PATH=$NPM_DIR/node_modules "$NPM_DIR/node_modules/.bin/$1" "${@:2}"
}

@test 'style and script stand in the page as they are' {
    sh src/api/page/embed.sh > "$BUILD/page.h"
    python3 -c '
import re, sys
page = bytes(int(x, 16) for x in re.findall(r"0x(..)", open(sys.argv[1]).read()))
names = sys.argv[2:]
for name in names:
    assert open(name, "rb").read() in page, name
assert page.startswith(b"<!DOCTYPE html>") and page.endswith(b"</html>\n")
assert b"page.css" not in page and b".js\"" not in page
assert page.count(b"@NONCE@") == len(names)' "$BUILD/page.h" src/api/page/*.css src/api/page/*.js
}

# The page's scripts share their names, so they are read as one.
@test 'eslint of the page' {
    sed -n 's/^<script src="\(.*\)">.*/src\/api\/page\/\1/p' src/api/page/page.html |
        xargs cat > "$BUILD/page.js"
    linter eslint -c t/page/eslint.config.js --stdin \
        --stdin-filename src/api/page/all.js < "$BUILD/page.js"
}

@test 'eslint of its test' {
    linter eslint -c t/page/eslint.config.js t/page/*.js
}

@test 'html-validate' {
    linter html-validate -c t/page/htmlvalidate.json src/api/page/page.html
}

@test 'stylelint' {
    linter stylelint --config t/page/stylelint.json \
        --config-basedir "$NPM_DIR" src/api/page/page.css
}
