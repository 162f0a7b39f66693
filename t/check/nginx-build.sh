#!/bin/bash

# nginx's own build reads `config`: as a dynamic module, and as a static one
# as far as that goes without nginx's .c files.  The core is also compiled
# without any option, since nginx's CFLAGS cannot carry those of C++ alone.

. t/tools/tap.sh
. t/tools/symbols.sh

root=$PWD
objs=$BUILD/nginx-build
module=$objs/dynamic/ngx_http_ratelimit_module.so
rm -rf "$objs" && mkdir -p "$objs"

configure() {
    local kind=$1
    shift
    cd "$BUILD/nginx-links" || return
    NGX_CONF_FLAGS=(--with-compat)
    [ ! -f conf_flags ] || . ./conf_flags
    bash ./configure "${NGX_CONF_FLAGS[@]}" --builddir="$objs/$kind" \
        --with-cc-opt='-g -O2 -fPIC' --with-ld-opt=-fPIC "$@"
}

make_in() {
    local kind=$1
    shift
    make -C "$BUILD/nginx-links" -f "$objs/$kind/Makefile" -j2 "$@"
}

static_objects() {
    make_in static $(sed -n 's/^\([^\t ]*addon[^\t ]*\.o\):.*/\1/p' \
        "$objs/static/Makefile")
}

static_hides_nothing() {
    ! grep -- --version-script "$objs/static/Makefile"
}

loads() {
    printf '%s\n' "load_module $module;" 'events { }' > "$objs/nginx.conf"
    "$NGINX_BINARY" -t -q -p "$objs" -c "$objs/nginx.conf" -e stderr \
        -g "pid $objs/nginx.pid;"
}

# Right before the filter that a dynamic module asks to precede.
static_order() {
    local next
    next=$(grep -A 1 '"ngx_http_ratelimit_module",' \
        "$objs/static/ngx_modules.c" | sed -n 's/^ *"\(.*\)",$/\1/p')
    same "$(sed -n '/module_order/,$s/^ *"\(.*\)",$/\1/p' \
        "$objs"/dynamic/*_module_modules.c)" "$next"
}

same_order() {
    diff <(grep '"' "$objs"/dynamic/*_module_modules.c) \
        <(grep '"' "$BUILD"/ngx_http_ratelimit_module_modules.c)
}

plain_core() {
    cc -std=c++17 -O2 -Wall -Werror -fPIC -shared -I src \
        -o "$objs/core.so" $(grep '\.cc$' src/sources.txt | sed 's|^|src/|')
}

check 'configure --add-dynamic-module' \
    configure dynamic --add-dynamic-module="$root"
check 'make modules' make_in dynamic modules
check 'that module needs no C++ run-time library' needs_no_cxx "$module"
check 'that module leaves no C++ symbol undefined' leaves_no_cxx "$module"
check 'that module exports what nginx looks up' exports_three "$module"
check 'nginx loads that module' loads
check 'both builds give the module the same place' same_order

check 'configure --add-module' configure static --add-module="$root"
check 'a static build gives the module the same place' static_order
check 'a static build compiles' static_objects
check 'a static build hides none of nginx' static_hides_nothing

check 'the core compiles without options' plain_core

finish
