#!/usr/bin/env bats

# nginx accepts every configuration in the documents, and their links lead
# somewhere.  recipes.bats runs the recipes.

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
    sed -n 's/^##* //p' "$1" | tr '[:upper:] ' '[:lower:]-' | tr -d ',.:'
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
