#!/bin/sh

# Prints page.html, with its style and script in it, as a C array.  Run by
# both builds; needs sh, awk, od and sed only.

set -e
dir=$(dirname "$0")

# put FILE in place of the line that refers to it
awk -v dir="$dir" '
    function put(file,    line, rc) {
        while ((rc = (getline line < (dir "/" file))) > 0) print line
        if (rc < 0) { print "no " dir "/" file > "/dev/stderr"; exit 1 }
    }

    /href="page\.css"/ {
        print "<style nonce=\"@NONCE@\">"; put("page.css"); print "</style>"
        next
    }

    /src="page\.js"/ {
        print "<script nonce=\"@NONCE@\">"; put("page.js"); print "</script>"
        next
    }

    { print }
' "$dir/page.html" | {
    echo '/* made of src/api/page.* by embed.sh */'
    echo
    echo 'static const u_char  ngx_http_ratelimit_page[] = {'
    od -A n -v -t x1 | sed 's/ *\([0-9a-f][0-9a-f]\)/0x\1,/g'
    echo '};'
}
