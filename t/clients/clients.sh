#!/bin/bash

# What clients that people have make of a refusal: those of npm, each with the
# version in packages.txt, against the module and against the examples.  t/run
# gets them; $CLIENTS_DIR is where, $NO_CLIENTS why there are none.

if [ -n "${NO_CLIENTS:-}" ] || [ -z "${CLIENTS_DIR:-}" ]; then
    echo "# SKIPPED: clients, ${NO_CLIENTS:-t/run has not got them}" >&2
    echo "1..0 # SKIP ${NO_CLIENTS:-t/run has not got the clients}"
    exit
fi

. t/tools/ports.sh

dir=$BUILD/clients
port=$(free_port 50)
rm -rf "$dir" && mkdir -p "$dir"

# example FILE PORT [SED...]: a file of conf-examples as a server of its own on
# PORT, each further server of it on the next; the application's stand-in is on
# PORT + 9.
example() {
    local at=$dir/$1
    mkdir -p "$at"
    awk -v port="$2" -v module="$MODULE" '
        /load_module/ { if (module != "") print "load_module " module ";"; next }
        /listen +127.0.0.1:8080/ { sub(/8080/, port++) }
        { gsub(/127.0.0.1:8081/, "127.0.0.1:" app); print }
        ' app=$(($2 + 9)) "conf-examples/$1" | sed -e '' "${@:3}" > "$at/nginx.conf"
    start "$at"
}

start() { # PREFIX
    "$NGINX_BINARY" -p "$1/" -c "$1/nginx.conf" -e "$1/error.log" || exit 1
    prefixes+=("$1")
}

stop() {
    local prefix
    for prefix in "${prefixes[@]}"; do
        kill "$(cat "$prefix/nginx.pid")"
    done
    [ -z "${models:-}" ] || kill "$models"
}

prefixes=()
trap stop EXIT

mkdir -p "$dir/module"
sed -e "s|@MODULE@|${MODULE:+load_module $MODULE;}|" -e "s|@PORT@|$port|g" \
    -e "s|@GRPC@|$((port + 1))|g" -e "s|@BACKEND@|$((port + 2))|g" \
    -e "s|@BACKEND_RETRY@|$((port + 3))|g" \
    t/clients/nginx.conf > "$dir/module/nginx.conf"
start "$dir/module"
example styles.conf $((port + 10))
example backlog.conf $((port + 20)) -e 's|600/60s|1/60s|'
example trello.conf $((port + 30)) -e 's|100/10s|1/3s|'
example llm.conf $((port + 40)) \
    -e "/upstream models/,/}/s|:[0-9]*;|:$((port + 48));|"

cp t/clients/*.mjs "$dir/"
ln -sfn "$CLIENTS_DIR/node_modules" "$dir/node_modules"
node "$dir/models.mjs" $((port + 48)) > "$dir/models.log" &
models=$!
for _ in $(seq 100); do
    grep -q listening "$dir/models.log" && break
    sleep 0.05
done
NO_PROXY='*' timeout 240 node "$dir/run.mjs" "$port" "$dir"
