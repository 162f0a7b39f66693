#!/bin/sh

# Prints rows.lua, without its comments, as a C array.  Run by both builds;
# needs sh, sed and od only.

set -e

echo '/* made of src/ratelimit/shared/rows.lua by embed.sh */'
echo
echo 'static const u_char  ngx_http_ratelimit_script[] = {'
sed -e 's/ *--\( .*\)*$//' -e 's/^ *//' -e '/^$/d' "$(dirname "$0")/rows.lua" |
    od -A n -v -t x1 | sed 's/ *\([0-9a-f][0-9a-f]\)/0x\1,/g'
echo '};'
