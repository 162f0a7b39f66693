# Sourced by t/run: nginx built from source, Debian's or any other, with what
# Debian's package has built in.

# nginx_arguments: those of the installed nginx that matter to an http module.
nginx_arguments() {
    /usr/sbin/nginx -V 2>&1 | tr ' ' '\n' |
        grep -E '^--with-(compat|debug|threads|pcre|http_[a-z0-9_]*module)' |
        grep -v -e =dynamic | sort -u
}

# build_nginx SOURCE DIR ARGUMENTS...: a copy of SOURCE in DIR, configured with
# these arguments besides, and built; sets $nginx and $nginx_src.  As in Debian's
# no path depends on the prefix that nginx is started with.
build_nginx() {
    local source=$1 dir=$2 configure=./configure
    shift 2
    install libpcre2-dev libssl-dev zlib1g-dev make gcc
    say "building nginx in ${dir#"$root"/}"
    mkdir -p "$dir/nginx-temp"
    rm -rf "$dir/nginx" && cp -r "$source" "$dir/nginx"
    rm -rf "$dir/nginx/objs"
    [ -f "$dir/nginx/configure" ] || configure=auto/configure
    (cd "$dir/nginx" &&
        ASAN_OPTIONS=detect_leaks=0 $configure --prefix="$dir/prefix" \
            --http-log-path="$dir/nginx-temp/access.log" \
            --http-client-body-temp-path="$dir/nginx-temp/body" \
            --http-proxy-temp-path="$dir/nginx-temp/proxy" \
            --http-fastcgi-temp-path="$dir/nginx-temp/fastcgi" \
            --http-uwsgi-temp-path="$dir/nginx-temp/uwsgi" \
            --http-scgi-temp-path="$dir/nginx-temp/scgi" \
            $(nginx_arguments) "$@" &&
        make -j"$jobs") < /dev/null > "$dir/nginx.log" 2>&1 ||
        { tail -n 30 "$dir/nginx.log" >&2; stop 'nginx could not be built'; }
    nginx_src=$dir/nginx
    find_nginx
}

# find_nginx: the binary in $nginx_src, which Angie calls "angie".
find_nginx() {
    nginx=$nginx_src/$(sed -n 's/^binary:[[:space:]]*\([^[:space:]]*\).*/\1/p' \
        "$nginx_src/objs/Makefile")
    [ -x "$nginx" ] || stop "no nginx was built in $nginx_src"
}

# build_nginx_once SOURCE DIR ARGUMENTS...: as build_nginx, unless DIR has it
# from the same files.
build_nginx_once() {
    local source=$1 dir=$2 made
    made="${*:3}
$(cd "$source" && find . -type f -not -path './objs/*' -printf '%p %s %T@\n' |
    LC_ALL=C sort)"
    if [ "$made" = "$(cat "$dir/made-of" 2> /dev/null)" ]; then
        nginx_src=$dir/nginx
        find_nginx
    else
        build_nginx "$@"
        echo "$made" > "$dir/made-of"
    fi
}

# Overruns within a pool are invisible to AddressSanitizer unless every
# allocation is one of malloc's: NGX_DEBUG_PALLOC.  nginx itself relies on three
# things that are undefined: unaligned access, memcpy of no bytes from null, and
# pointers that are moved by the distance of two buffers.
build_nginx_asan() {
    local arguments flags='-fsanitize=address,undefined'
    arguments=(--with-ld-opt="$flags"
               --with-cc-opt="-O1 -g -fno-omit-frame-pointer $flags \
                   -fno-sanitize=alignment,nonnull-attribute,pointer-overflow \
                   -DNGX_DEBUG_PALLOC=1")
    get_nginx_source
    build_nginx_once "$source" "$1" "${arguments[@]}"
}

build_nginx_static() {
    get_nginx_source
    build_nginx "$source" "$1" --with-cc-opt='-O2 -g' --add-module="$root"
}

# build_nginx_from SOURCE DIR: any nginx-like tree, and HTTP/3 where it has that.
build_nginx_from() {
    local arguments=(--with-cc-opt='-O2 -g')
    ! grep -q 'with-http_v3_module' "$1/auto/options" ||
        arguments+=(--with-http_v3_module)
    build_nginx_once "$1" "$2" "${arguments[@]}"
}
