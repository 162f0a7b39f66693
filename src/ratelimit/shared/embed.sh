#!/bin/sh

# embed.sh NAME: prints NAME.lua, without its comments, as a C array.  Run by
# both builds; needs sh, sed and od only.

set -e

echo "/* made of src/ratelimit/shared/$1.lua by embed.sh */"
echo
echo "static const u_char  ngx_http_ratelimit_$1_script[] = {"
sed -e 's/ *--\( .*\)*$//' -e 's/^ *//' -e '/^$/d' "$(dirname "$0")/$1.lua" |
    od -A n -v -t x1 | sed 's/ *\([0-9a-f][0-9a-f]\)/0x\1,/g'
echo '};'
