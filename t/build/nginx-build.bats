#!/usr/bin/env bats

# nginx's own build reads `config`: as a dynamic module with Debian's options,
# and with nginx's defaults, -O and -Werror among them, as a dynamic module by
# clang and as a static one by gcc, as far as that goes without nginx's .c files.
# Only the long form compiles, and has the static build: CMake's has the same
# sources and warnings.

. t/tools/symbols.sh

root=$PWD
objs=$BUILD/nginx-build
module=$objs/dynamic/ngx_http_ratelimit_module.so

setup_file() {
    rm -rf "$objs" && mkdir -p "$objs"
}

# configure KIND ARGUMENTS...: in a folder of links, since it writes where it
# is started.
configure() {
    local kind=$1 configure=./configure
    shift
    cd "$BUILD/nginx-links"
    [ -f $configure ] || configure=auto/configure
    bash $configure --builddir="$objs/$kind" "$@"
}

make_in() {
    local kind=$1
    shift
    make -C "$BUILD/nginx-links" -f "$objs/$kind/Makefile" -j2 "$@"
}

@test 'configure --add-dynamic-module, as Debian does' {
    NGX_CONF_FLAGS=(--with-compat)
    [ ! -f "$BUILD/nginx-links/conf_flags" ] || . "$BUILD/nginx-links/conf_flags"
    configure dynamic "${NGX_CONF_FLAGS[@]}" --with-cc-opt='-g -O2 -fPIC' \
        --with-ld-opt=-fPIC --add-dynamic-module="$root"
}

in_long_form() {
    [ -n "${RATELIMIT_LONG:-}" ] || skip 'in the long form'
}

@test 'make would compile every source once' {
    diff <(make_in dynamic -n modules | grep -o 'src/[^ ]*\.cc\?$' |
        sed 's|^src/||' | LC_ALL=C sort) \
        <(grep -E '^[^#].*\.cc?$' "$root/src/sources.txt" | LC_ALL=C sort)
}

@test 'make modules' {
    in_long_form
    make_in dynamic modules
}

@test 'that module needs no C++ run-time library' {
    in_long_form
    needs_no_cxx "$module"
}

@test 'that module leaves no C++ symbol undefined' {
    in_long_form
    leaves_no_cxx "$module"
}

@test 'that module exports what nginx looks up' {
    in_long_form
    exports_three "$module"
}

@test 'nginx loads that module' {
    in_long_form
    printf '%s\n' "load_module $module;" 'events { }' > "$objs/nginx.conf"
    "$NGINX_BINARY" -t -q -p "$objs" -c "$objs/nginx.conf" -e stderr \
        -g "pid $objs/nginx.pid;"
}

@test 'both builds give the module the same place' {
    diff <(grep '"' "$objs"/dynamic/*_module_modules.c) \
        <(grep '"' "$BUILD"/ngx_http_ratelimit_module_modules.c)
}

@test 'configure --add-module' {
    in_long_form
    configure static --add-module="$root"
}

# Right before the filter that a dynamic module asks to precede.
@test 'a static build gives the module the same place' {
    in_long_form
    diff <(sed -n '/module_order/,$s/^ *"\(.*\)",$/\1/p' \
        "$objs"/dynamic/*_module_modules.c) \
        <(grep -A 1 '"ngx_http_ratelimit_module",' \
            "$objs/static/ngx_modules.c" | sed -n 's/^ *"\(.*\)",$/\1/p')
}

@test 'a static build compiles with nothing but defaults' {
    in_long_form
    make_in static $(sed -n 's/^\([^\t ]*addon[^\t %]*\.o\):.*/\1/p' \
        "$objs/static/Makefile")
}

@test 'a static build hides none of nginx' {
    in_long_form
    ! grep -- --version-script "$objs/static/Makefile"
}

@test 'configure --add-dynamic-module, for clang' {
    in_long_form
    configure clang --with-cc=clang --add-dynamic-module="$root"
}

@test 'make modules, by clang' {
    in_long_form
    make_in clang modules
}
