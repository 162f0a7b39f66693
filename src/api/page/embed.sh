#!/bin/sh

# Prints page.html, with its style and scripts in it, as a C array.  Run by
# both builds; needs sh, awk, od and sed only.

set -e
dir=$(dirname "$0")

# Each file in place of the line that refers to it.  Not a pipe: its failure
# would go unnoticed.
page=$(awk -v dir="$dir" '
    function put(file,    line, rc) {
        while ((rc = (getline line < (dir "/" file))) > 0) print line
        if (rc < 0) { print "no " dir "/" file > "/dev/stderr"; exit 1 }
    }

    /href="page\.css"/ {
        print "<style nonce=\"@NONCE@\">"; put("page.css"); print "</style>"
        next
    }

    /<script src="[a-z]+\.js">/ {
        match($0, /[a-z]+\.js/)
        print "<script nonce=\"@NONCE@\">"
        put(substr($0, RSTART, RLENGTH))
        print "</script>"
        next
    }

    { print }
' "$dir/page.html")

echo '/* made of src/api/page by embed.sh */'
echo
echo 'static const u_char  ngx_http_ratelimit_page[] = {'
printf '%s\n' "$page" | od -A n -v -t x1 |
    sed 's/ *\([0-9a-f][0-9a-f]\)/0x\1,/g'
echo '};'
