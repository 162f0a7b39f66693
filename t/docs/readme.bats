#!/usr/bin/env bats

# nginx accepts every configuration in the documents, and their links lead
# somewhere.  recipes.bats runs the recipes.

. t/tools/links.sh

dir=$BUILD/readme

# Each block to a file of its own, and the key files that they name.
setup_file() {
    rm -rf "$dir" && mkdir -p "$dir"
    awk -v dir="$dir" '
        /^## / { recipes = FILENAME == "README.md" && $0 == "## Recipes" }
        recipes { next }
        /^```/ { inside = !inside && $0 == "```nginx"; if (inside) n++; next }
        inside { print > (dir "/" n ".block") }
    ' $(documents)
    openssl genrsa 2048 | openssl rsa -pubout > "$dir/issuer.pem"
    openssl rand -hex 32 > "$dir/session.key"
}

documents() {
    find README.md src t conf-examples -name README.md -o -name REFERENCE.md
}

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

@test 'nginx accepts every configuration' {
    local block
    for block in "$dir"/*.block; do
        echo "${block##*/}: $(head -n 1 "$block")"
        accepted "$block"
    done
}

@test 'every link leads somewhere' {
    local document
    for document in $(documents); do
        echo "$document:"
        linked "$document"
    done
}
