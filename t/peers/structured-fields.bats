#!/usr/bin/env bats

# What `ietf` sends is what a parser of RFC 9651 reads that is not ours: npm's
# structured-headers, since Debian packages none.  t/run gets it.

dir=$BUILD/structured-fields

setup_file() {
    rm -rf "$dir" && mkdir -p "$dir/logs"
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
    "$NGINX_BINARY" -p "$dir/" -c "$dir/nginx.conf" -e "$dir/logs/error.log" 3>&-
}

teardown_file() {
    kill "$(cat "$dir/nginx.pid")"
}

setup() {
    [ -n "${NPM_DIR:-}" ] && [ -z "${NO_NPM:-}" ] ||
        skip "${NO_NPM:-t/run has not got a parser}"
}

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

# reads NAME PATH JSON.  Times are as slow as the machine.
reads() {
    diff <(echo "$3") <(parsed "$(field "$1" "$2")" | sed 's/"t":[0-9]*/"t":0/g')
}

@test 'one policy' {
    reads RateLimit-Policy /one '[["day",{"q":5000,"w":86400}]]'
}

@test 'its limit' {
    reads RateLimit /one '[["day",{"r":4998,"t":0}]]'
}

@test 'several policies' {
    reads RateLimit-Policy /all \
        '[["day",{"q":5000,"w":86400}],["half",{"q":5}],["leaky",{"q":21,"w":126}]]'
}

@test 'their limits' {
    reads RateLimit /all \
        '[["day",{"r":4998,"t":0}],["half",{"r":3,"t":0}],["leaky",{"r":19,"t":0}]]'
}

@test 'refused' {
    reads RateLimit /none '[["none",{"r":0}],["day",{"r":5000}]]'
}
