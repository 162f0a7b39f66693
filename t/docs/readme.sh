#!/bin/bash

# nginx accepts every configuration in the README, and the links of each
# README lead somewhere.

. t/tools/tap.sh

dir=$BUILD/readme
rm -rf "$dir" && mkdir -p "$dir"

# Each block to a file of its own.
awk -v dir="$dir" '
    /^```/ { inside = !inside && $0 == "```nginx"; if (inside) n++; next }
    inside { print > (dir "/" n ".block") }
' README.md

# The key files that a block names.
openssl genrsa 2048 2> /dev/null | openssl rsa -pubout 2> /dev/null \
    > "$dir/issuer.pem"
openssl rand -hex 32 > "$dir/session.key"

# A part of an http block is put into one, with servers on a socket.
accepted() {
    local conf=${1%.block}.conf
    {
        echo "load_module $MODULE;"
        echo "pid $dir/nginx.pid;"
        if grep -q '^http {' "$1"; then
            grep -v '^load_module' "$1"
        else
            echo 'events { }'
            echo 'http {'
            sed "s|^server {|server { listen unix:$dir/socket;|" "$1"
            echo '}'
        fi
    } > "$conf"
    "$NGINX_BINARY" -t -q -p "$dir/" -c "$conf" -e stderr
}

linked() { # README
    local link file missing=0
    while read -r link; do
        file=$1
        case $link in
            http*) continue ;;
            \#*) ;;
            *) file=$(dirname "$1")/${link%%#*} ;;
        esac
        [ -e "$file" ] &&
            case $link in
                *\#*) headings "$file" | grep -q -x -- "${link#*#}" ;;
            esac || { echo "no $link"; missing=1; }
    done < <(grep -o '](\([^)]*\))' "$1" | sed 's/^](//; s/)$//')
    return $missing
}

headings() {
    sed -n 's/^##* //p' "$1" | tr '[:upper:] ' '[:lower:]-' | tr -d ',.'
}

for block in "$dir"/*.block; do
    check "block ${block##*/}: $(head -n 1 "$block")" accepted "$block"
done
for readme in README.md {src,t,conf-examples}/README.md t/*/README.md; do
    [ -f "$readme" ] || continue
    check "every link of $readme leads somewhere" linked "$readme"
done

finish
