#!/bin/bash

# What `ietf` sends is what a parser of RFC 9651 reads that is not ours: npm's
# structured-headers, since Debian packages none.  t/run gets it.

. t/tools/tap.sh

if [ -n "${NO_NPM:-}" ] || [ -z "${NPM_DIR:-}" ]; then
    echo "# SKIPPED: structured fields, ${NO_NPM:-t/run has not got them}" >&2
    echo "1..0 # SKIP ${NO_NPM:-t/run has not got a parser}"
    exit
fi

dir=$BUILD/structured-fields
rm -rf "$dir" && mkdir -p "$dir/logs"

# A field's value as a list of [item, parameters], in JSON.
parsed() {
    (cd "$NPM_DIR" && node --input-type=module -e '
        import { parseList } from "structured-headers";
        const list = parseList(process.argv[1]);
        console.log(JSON.stringify(list.map(
            ([item, parameters]) => [item, Object.fromEntries(parameters)])));
        ' "$1")
}

# field NAME PATH: its value in a response.
field() {
    curl -s -o "$dir/body" -D - --unix-socket "$dir/socket" "http://x$2" |
        sed -n "s/^$1: //p" | tr -d '\r'
}

# Times are as slow as the machine.
reads() {
    same "$3" "$(parsed "$(field "$1" "$2")" | sed 's/"t":[0-9]*/"t":0/g')"
}

{
    [ -z "$MODULE" ] || echo "load_module $MODULE;"
    cat << END
pid $dir/nginx.pid;
events { }
http {
    access_log off;
    ratelimit_zone   zone=api:64k;
    ratelimit_policy day   key=\$uri quota=5000/1d algorithm=fixed;
    ratelimit_policy half  key=\$uri quota=5/61500ms;
    ratelimit_policy leaky key=\$uri quota=10/1m algorithm=gcra capacity=21;
    ratelimit_policy none  key=\$uri quota=0/1h;
    ratelimit_headers ietf;
    server {
        listen unix:$dir/socket;
        location = /one  { ratelimit day; empty_gif; }
        location = /all  { ratelimit day half leaky; empty_gif; }
        location = /none { ratelimit none day; empty_gif; }
    }
}
END
} > "$dir/nginx.conf"

check 'nginx starts' "$NGINX_BINARY" -p "$dir/" -c "$dir/nginx.conf" \
    -e "$dir/logs/error.log"
check 'one policy' reads RateLimit-Policy /one \
    '[["day",{"q":5000,"w":86400}]]'
check 'its limit' reads RateLimit /one '[["day",{"r":4998,"t":0}]]'
check 'several policies' reads RateLimit-Policy /all \
    '[["day",{"q":5000,"w":86400}],["half",{"q":5}],["leaky",{"q":21,"w":126}]]'
check 'their limits' reads RateLimit /all \
    '[["day",{"r":4998,"t":0}],["half",{"r":3,"t":0}],["leaky",{"r":19,"t":0}]]'
check 'refused' reads RateLimit /none \
    '[["none",{"r":0}],["day",{"r":5000}]]'
kill "$(cat "$dir/nginx.pid")"

finish
