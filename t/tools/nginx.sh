# Sourced by t/run: nginx built from Debian's source, with what the package
# has built in.

# nginx_arguments: those of the installed nginx that matter to an http module.
nginx_arguments() {
    /usr/sbin/nginx -V 2>&1 | tr ' ' '\n' |
        grep -E '^--with-(compat|debug|threads|pcre|http_[a-z0-9_]*module)' |
        grep -v -e =dynamic | sort -u
}

# build_nginx DIR ARGUMENTS...: a tree of its own in DIR, configured with
# these arguments besides, and built; sets $nginx and $nginx_src.
build_nginx() {
    local dir=$1
    shift
    get_nginx_source
    install libpcre2-dev libssl-dev zlib1g-dev make gcc
    say "building nginx in ${dir#"$root"/}"
    mkdir -p "$dir"
    rm -rf "$dir/nginx" && cp -r "$source" "$dir/nginx"
    (cd "$dir/nginx" &&
        ASAN_OPTIONS=detect_leaks=0 ./configure --prefix="$dir/prefix" \
            $(nginx_arguments) "$@" &&
        make -j"$jobs") < /dev/null > "$dir/nginx.log" 2>&1 ||
        { tail -n 30 "$dir/nginx.log" >&2; stop 'nginx could not be built'; }
    nginx=$dir/nginx/objs/nginx
    nginx_src=$dir/nginx
}

# Overruns within a pool are invisible to AddressSanitizer unless every
# allocation is one of malloc's: NGX_DEBUG_PALLOC.  nginx itself relies on two
# things that are undefined: unaligned access, and memcpy of no bytes from null.
build_nginx_asan() {
    local arguments flags='-fsanitize=address,undefined'
    arguments=(--with-ld-opt="$flags"
               --with-cc-opt="-O1 -g -fno-omit-frame-pointer $flags \
                   -fno-sanitize=alignment,nonnull-attribute \
                   -DNGX_DEBUG_PALLOC=1")
    nginx=$1/nginx/objs/nginx
    nginx_src=$1/nginx
    if [ "${arguments[*]}" != "$(cat "$1/arguments" 2> /dev/null)" ]; then
        build_nginx "$1" "${arguments[@]}"
        echo "${arguments[*]}" > "$1/arguments"
    fi
}

build_nginx_static() {
    build_nginx "$1" --with-cc-opt='-O2 -g' --add-module="$root"
}
