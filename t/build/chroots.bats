#!/usr/bin/env bats

# The Debian package is built from its source and installed, each in a fresh
# Debian of its own, with the nginx of that.

. t/tools/debian.sh

dir=$BUILD/chroots

setup_file() {
    [ -n "${RATELIMIT_LONG:-}" ] || return 0
    rm -rf "$dir" && mkdir -p "$dir"
    tar --exclude-vcs --exclude='./build*' --exclude='./t/servroot*' -cf "$dir/source.tar" .
}

setup() {
    [ -n "${RATELIMIT_LONG:-}" ] || skip 'in the long form'
    [ "$(id -u)" = 0 ] || skip 'only root may make them'
    for_debians_nginx || skip 'once, with the nginx that Debian has here'
}

# within SUITE HOOK...: a Debian of which nothing is kept, and what happens in it
# once it is there: a hook of mmdebstrap's.  A mirror may stand still.
within() {
    local hooks=() hook
    for hook in "${@:2}"; do hooks+=("--customize-hook=$hook"); done
    mmdebstrap --mode=root --variant=apt --aptopt='APT::Install-Recommends "false"' \
        --aptopt='Acquire::Retries "3"' --aptopt='Acquire::Check-Valid-Until "false"' "${hooks[@]}" "$1" /dev/null
}

# No one uploads it to Debian, which wants a person's name and a bug to close.
built() {
    mkdir -p "$dir/$1"
    within "$1" 'mkdir "$1/source"' "tar-in $dir/source.tar /source" \
        'chroot "$1" sh -e -c "
            export DEBIAN_FRONTEND=noninteractive
            cd /source && cp -r src/debian debian
            apt-get -q -y build-dep . && apt-get -q -y install lintian
            rm -r debian && src/debian/package /out
            lintian --allow-root --fail-on error,warning -I --pedantic --suppress-tags \
                no-human-maintainers,initial-upload-closes-no-bugs /out/*.changes"' \
        "sync-out /out $dir/$1"
}

# And is as the administrator leaves it; what is removed comes back, and what is
# purged leaves nothing.
installed() {
    local package
    package=$(ls "$dir/$1"/libnginx-mod-http-ratelimit_*.deb)
    within "$1" "copy-in $package src/debian/tests/installed /" \
        'chroot "$1" sh -e -x -c "
            export DEBIAN_FRONTEND=noninteractive
            link=/etc/nginx/modules-enabled/50-mod-http-ratelimit.conf
            apt-get -q -y install curl nginx /libnginx-mod-http-ratelimit_*.deb
            /installed
            rm \$link
            dpkg -i /libnginx-mod-http-ratelimit_*.deb
            test ! -e \$link
            ln -s /usr/share/nginx/modules-available/mod-http-ratelimit.conf \$link
            dpkg -r libnginx-mod-http-ratelimit
            test ! -e \$link && nginx -t -q
            dpkg -i /libnginx-mod-http-ratelimit_*.deb
            test -e \$link && nginx -t -q
            dpkg -P libnginx-mod-http-ratelimit
            ls -d /etc/nginx/modules-enabled/*ratelimit* /var/lib/nginx/ratelimit && exit 1
            true"'
}

# The newest version for the newest Debian, or an upgrade keeps the old nginx's.
@test 'built in Debian 12' {
    built bookworm
    [ -f "$dir/bookworm"/libnginx-mod-http-ratelimit_*~deb12u1_*.deb ]
}

@test 'installed in Debian 12' {
    installed bookworm
}

@test 'built in Debian 13' {
    built trixie
    [ -f "$dir/trixie"/libnginx-mod-http-ratelimit_*~deb13u1_*.deb ]
}

@test 'installed in Debian 13' {
    installed trixie
}

@test 'built in Debian testing' {
    built testing
}

@test 'installed in Debian testing' {
    installed testing
}

@test 'each upgrades the one before' {
    local suite versions=()
    for suite in bookworm trixie testing; do
        versions+=("$(dpkg-deb -f "$dir/$suite"/libnginx-mod-http-ratelimit_*.deb Version)")
    done
    echo "${versions[*]}"
    dpkg --compare-versions "${versions[0]}" lt "${versions[1]}"
    dpkg --compare-versions "${versions[1]}" lt "${versions[2]}"
}
