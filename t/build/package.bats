#!/usr/bin/env bats

# The Debian package, made of what is built here: what is in it, and what Debian's
# lintian says.  chroots.bats builds it from the source, and installs it.

. t/tools/debian.sh
. t/tools/links.sh

dir=$BUILD/package-check
name=libnginx-mod-http-ratelimit

setup_file() {
    if for_debians_nginx; then
        cmake --build "$BUILD" --target all man
        # What CMake builds is stripped here, and nobody debugs it.
        RATELIMIT_BUILD=$BUILD DEB_BUILD_OPTIONS=noautodbgsym src/debian/package "$dir"
        dpkg-deb -x "$dir/$name"_*.deb "$dir/root"
        dpkg-deb -e "$dir/$name"_*.deb "$dir/control"
    fi
}

setup() {
    for_debians_nginx || skip 'this nginx is not the one that Debian has here'
}

@test 'no unit test is built for it' {
    ! grep -E '^all: .*_test\.dir' "$BUILD/CMakeFiles/Makefile2"
}

@test 'its version is of this Debian, and what the module says' {
    . /etc/os-release
    local version
    version=$(sed -n 's/^#define NGX_HTTP_RATELIMIT_VERSION *"\(.*\)"/\1/p' src/ngx_http_ratelimit.h)
    [ "$(dpkg-deb -f "$dir/$name"_*.deb Version)" = "$version-1~deb${VERSION_ID}u1" ]
    grep "^## $version" CHANGELOG.md
}

@test 'it holds the module, what loads it, and what belongs to it' {
    diff - <(cd "$dir/root" && find . -type f -not -path '*/examples/*' | LC_ALL=C sort) << END
./usr/bin/ratelimit-suggest
./usr/lib/nginx/modules/ngx_http_ratelimit_module.so
./usr/share/doc/$name/README.md
./usr/share/doc/$name/changelog.Debian.gz
./usr/share/doc/$name/changelog.gz
./usr/share/doc/$name/copyright
./usr/share/doc/$name/src/README.md
./usr/share/doc/$name/src/REFERENCE.md
./usr/share/doc/$name/t/README.md
./usr/share/doc/$name/t/bench/README.md
./usr/share/doc/$name/t/lib/api.schema.json
./usr/share/lintian/overrides/$name
./usr/share/man/man1/ratelimit-suggest.1.gz
./usr/share/man/man8/ngx_http_ratelimit_module.8.gz
./usr/share/nginx/modules-available/mod-http-ratelimit.conf
./usr/share/vim/vimfiles/after/syntax/nginx.vim
END
    [ -d "$dir/root/var/lib/nginx/ratelimit" ]
}

@test 'it holds every example' {
    diff <(find conf-examples -type f -printf '%f\n' | grep -v -x -e demo -e nginx.vim | LC_ALL=C sort) \
        <(cd "$dir/root/usr/share/doc/$name/conf-examples/" && find . -type f -printf '%f\n' | LC_ALL=C sort)
}

@test 'its documents link to what it has' {
    local document
    for document in $(find "$dir/root/usr/share/doc/$name" -name '*.md'); do
        echo "$document:"
        linked "$document"
    done
    zgrep -q '^## ' "$dir/root/usr/share/doc/$name/changelog.gz"
}

@test 'its man pages are whole' {
    local page
    for page in ngx_http_ratelimit_module.8 ratelimit-suggest.1; do
        zcat "$dir/root/usr/share/man"/man?/"$page.gz" > "$dir/$page"
        [ "$(head -n 1 "$dir/$page")" = "'\\\" t" ] # to read its tables
        grep -A 3 -x NAME "$dir/$page" | grep "${page%.*}.* limits"
    done
    grep ratelimit_policy "$dir/ngx_http_ratelimit_module.8"
    grep -e '--format=TEXT' "$dir/ratelimit-suggest.1"
    ! grep 'ratelimit_on_error' "$dir/ratelimit-suggest.1"
}

@test 'nginx loads the module out of it' {
    printf 'load_module %s;\nevents { }\n' "$dir/root/usr/lib/nginx/modules/ngx_http_ratelimit_module.so" > "$dir/nginx.conf"
    "$NGINX_BINARY" -t -q -p "$dir/" -c "$dir/nginx.conf" -e stderr -g "pid $dir/pid;"
}

@test "it depends on nginx's ABI" {
    dpkg-deb -f "$dir/$name"_*.deb Depends |
        grep -E '(^|, )nginx-abi-[0-9.]+-[0-9]+(,|$)'
}

# Not by a file of the package, which would come back with each upgrade.
@test 'it is switched on by its script, once' {
    [ ! -e "$dir/root/etc" ]
    grep 'ln -sf /usr/share/nginx/modules-available/' "$dir/control/postinst"
}

@test 'its licence is ours' {
    diff <(sed '1,3d' LICENSE) \
        <(sed '1,/^License: BSD-2-Clause$/d' "$dir/root/usr/share/doc/$name/copyright" |
            sed '1,/^License/d; s/^ //; s/^\.$//')
}

@test 'its words for vim are the directives' {
    diff <(sed -n 's/^    { ngx_string("\(ratelimit[a-z_]*\)").*/\1/p' src/ngx_http_ratelimit_module.c | sort) \
        <(grep -o 'ratelimit[a-z_]*' "$dir/root/usr/share/vim/vimfiles/after/syntax/nginx.vim" | sort)
}

@test 'lintian has nothing to say' {
    run lintian --allow-root --tag-display-limit 0 -I --pedantic "$dir"/*.changes
    echo "$output"
    [ "$status" = 0 ] && [ -z "$output" ]
}
