#!/bin/bash

# The Debian package: what is in it, and what it is tied to.

. t/tools/tap.sh

if [ ! -f "$BUILD/CPackConfig.cmake" ]; then
    echo "1..0 # SKIP this nginx is not Debian's"
    exit
fi

packed() {
    rm -f "$BUILD"/*.deb
    cmake --build "$BUILD" --target package
    deb=$(echo "$BUILD"/*.deb)
    [ -f "$deb" ]
}

contents() {
    dpkg-deb -c "$BUILD"/*.deb | sed 's/ -> .*//' | awk '{ print $NF }' |
        grep -v '/$' | LC_ALL=C sort
}

tied() {
    dpkg-deb -f "$BUILD"/*.deb Depends |
        grep -E '(^|, )nginx-abi-[0-9.]+-[0-9]+(,|$)'
}

needs_no_tests() {
    ! grep -E '^all: .*_test\.dir' "$BUILD/CMakeFiles/Makefile2"
}

check 'a package is made' packed
check 'no unit test is built for it' needs_no_tests
check 'it holds the module and what loads it' same \
    "./etc/nginx/modules-enabled/50-mod-http-ratelimit.conf
./usr/lib/nginx/modules/ngx_http_ratelimit_module.so
./usr/share/doc/libnginx-mod-http-ratelimit/copyright
./usr/share/nginx/modules-available/mod-http-ratelimit.conf" "$(contents)"
check "it depends on nginx's ABI" tied

finish
