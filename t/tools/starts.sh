#!/bin/bash

# Before suites: what earlier ones left goes, and nginx starts with the module.
# A suite tries that for half a minute before it gives up.

rm -rf "$BUILD/suites" "$BUILD/reports"
mkdir -p "$BUILD/suites" "$BUILD/reports" "$BUILD/starts" || exit 1
cd "$BUILD/starts" || exit 1
printf '%s\n' "${MODULE:+load_module $MODULE;}" 'events { }' > nginx.conf
"$NGINX_BINARY" -t -q -p ./ -c "$PWD/nginx.conf" -e stderr -g 'pid nginx.pid;'
