#!/usr/bin/env bats

# The Debian package: what is in it, and what it is tied to.

setup_file() {
    if [ -f "$BUILD/CPackConfig.cmake" ]; then
        rm -f "$BUILD"/*.deb
        cmake --build "$BUILD" --target package
    fi
}

setup() {
    [ -f "$BUILD/CPackConfig.cmake" ] || skip "this nginx is not Debian's"
}

@test 'a package is made' {
    [ -f "$(echo "$BUILD"/*.deb)" ]
}

@test 'no unit test is built for it' {
    ! grep -E '^all: .*_test\.dir' "$BUILD/CMakeFiles/Makefile2"
}

@test 'it holds the module, what loads it, and ratelimit-suggest' {
    diff - <(dpkg-deb -c "$BUILD"/*.deb | sed 's/ -> .*//' |
        awk '{ print $NF }' | grep -v -e '/$' -e /examples/ -e /man/ | LC_ALL=C sort) << 'END'
./etc/nginx/modules-enabled/50-mod-http-ratelimit.conf
./usr/bin/ratelimit-suggest
./usr/lib/nginx/modules/ngx_http_ratelimit_module.so
./usr/share/doc/libnginx-mod-http-ratelimit/CHANGELOG.md
./usr/share/doc/libnginx-mod-http-ratelimit/README.md
./usr/share/doc/libnginx-mod-http-ratelimit/REFERENCE.md
./usr/share/doc/libnginx-mod-http-ratelimit/copyright
./usr/share/nginx/modules-available/mod-http-ratelimit.conf
END
}

@test 'it holds every example' {
    diff <(find conf-examples -type f -printf '%P\n' | LC_ALL=C sort) \
        <(dpkg-deb -c "$BUILD"/*.deb | sed -n 's|.*/examples/\(.*[^/]\)$|\1|p' | LC_ALL=C sort)
}

@test 'it holds a man page' {
    command -v lowdown || skip 'no lowdown'
    dpkg-deb --fsys-tarfile "$BUILD"/*.deb |
        tar -xOf - ./usr/share/man/man8/ngx_http_ratelimit_module.8.gz | zcat > "$BUILD/man.8"
    grep -A 3 '^\.SH' "$BUILD/man.8" | grep 'ngx_http_ratelimit_module.* Rate limits for nginx'
    grep ratelimit_policy "$BUILD/man.8"
}

@test "it depends on nginx's ABI" {
    dpkg-deb -f "$BUILD"/*.deb Depends |
        grep -E '(^|, )nginx-abi-[0-9.]+-[0-9]+(,|$)'
}
