# Sourced by t/run: gets what the tests need, from Debian's packages only.
# A function that cannot do its work stops the run with a message.

cache=${XDG_CACHE_HOME:-${HOME:-/tmp}/.cache}/ngx_http_ratelimit_module

say() {
    printf '== %s\n' "$*" >&2
}

stop() {
    printf '\n== stopped: %s\n' "$*" >&2
    exit 1
}

as_root() {
    if [ "$(id -u)" = 0 ]; then
        "$@"
    elif command -v sudo > /dev/null; then
        sudo -n "$@"
    else
        return 1
    fi
}

# install PACKAGE...: those that are missing.
install() {
    local package missing=() lists=(/var/lib/apt/lists/*_Packages*)
    for package; do
        case $(dpkg-query -W -f '${Status}' "$package" 2> /dev/null) in
            *' installed') ;;
            *) missing+=("$package") ;;
        esac
    done
    [ ${#missing[@]} -gt 0 ] || return 0
    say "installing ${missing[*]}"
    as_root true ||
        stop "packages are missing and this user can neither install them" \
             "nor use sudo: apt-get install ${missing[*]}"
    as_root apt-get -qq update < /dev/null ||
        [ -e "${lists[0]}" ] || stop 'apt-get update failed'
    as_root env DEBIAN_FRONTEND=noninteractive apt-get -q -y \
        -o DPkg::Lock::Timeout=600 install --no-install-recommends \
        "${missing[@]}" < /dev/null > "$cache/install.log" 2>&1 ||
        { tail -n 20 "$cache/install.log" >&2
          stop "apt-get install ${missing[*]} failed"; }
}

# The mirrors of Debian that this machine already uses, one a line, as
# "TYPE [options] ADDRESS SUITE main".  mirror_lines deb-src | mirror_lines
# deb SUITE
mirror_lines() {
    local type=$1 suite=${2:-'$(CODENAME)'} label=${2:+Label: Debian}
    local keys=/usr/share/keyrings/debian-archive-keyring.gpg
    apt-get indextargets 'Created-By: Packages' 'Origin: Debian' \
        'Component: main' ${label:+"$label"} \
        --format "$type [signed-by=$keys] \$(REPO_URI) $suite main" | sort -u
}

# private_apt NAME TYPE [SUITE]: lists of their own, so that the machine's
# stay as they are; afterwards ${apt[@]} are the options that use them.
private_apt() {
    local dir=$cache/apt-$1
    mkdir -p "$dir/lists/partial"
    mirror_lines "${@:2}" > "$dir/sources.list"
    if [ ! -s "$dir/sources.list" ]; then
        as_root apt-get -qq update < /dev/null
        mirror_lines "${@:2}" > "$dir/sources.list"
    fi
    [ -s "$dir/sources.list" ] ||
        stop "this machine's apt knows no Debian mirror: $1 is out of reach"
    apt=(-q -o "Dir::Etc::SourceList=$dir/sources.list"
         -o Dir::Etc::SourceParts=- -o "Dir::State::Lists=$dir/lists"
         -o Dir::Cache::pkgcache= -o Dir::Cache::srcpkgcache=
         -o APT::Sandbox::User=root)
    apt-get "${apt[@]}" -qq update < /dev/null ||
        stop "apt-get update failed for $1"
}

# Test::Nginx, which Debian has from testing on.  It is pure Perl and runs
# with the libraries of the older releases.
install_test_nginx() {
    perl -MTest::Nginx::Socket -e 1 2> /dev/null && return
    say 'installing Test::Nginx, the package of Debian testing'
    local dir=$cache/test-nginx
    rm -rf "$dir" && mkdir -p "$dir"
    private_apt test-nginx deb testing
    (cd "$dir" && apt-get "${apt[@]}" download libtest-nginx-perl) < /dev/null ||
        stop 'libtest-nginx-perl could not be downloaded'
    as_root env DEBIAN_FRONTEND=noninteractive apt-get -q -y \
        -o DPkg::Lock::Timeout=600 -o APT::Sandbox::User=root \
        install --no-install-recommends "$dir"/libtest-nginx-perl_*.deb \
        < /dev/null > "$dir/install.log" 2>&1 ||
        { tail -n 20 "$dir/install.log" >&2
          stop 'libtest-nginx-perl could not be installed'; }
    perl -MTest::Nginx::Socket -e 1 ||
        stop 'Test::Nginx is installed and does not load'
}

# unpack_nginx SUITE: its nginx and nginx-dev, unpacked below the cache and
# not installed; sets $nginx and $nginx_src.
unpack_nginx() {
    local dir=$cache/nginx-$1 deb
    if [ ! -x "$dir/root/usr/sbin/nginx" ]; then
        say "getting nginx of Debian $1"
        rm -rf "$dir" && mkdir -p "$dir"
        private_apt "nginx-$1" deb "$1"
        (cd "$dir" && apt-get "${apt[@]}" download "nginx/$1" "nginx-dev/$1") \
            < /dev/null || stop "nginx of Debian $1 could not be downloaded"
        for deb in "$dir"/*.deb; do
            dpkg -x "$deb" "$dir/unpacked" || stop "$deb does not unpack"
        done
        mv "$dir/unpacked" "$dir/root"
    fi
    nginx=$dir/root/usr/sbin/nginx
    nginx_src=$dir/root
    "$nginx" -v 2> /dev/null || stop "nginx of Debian $1 does not run here"
}

# get_nginx_source: that of the nginx installed, or the nearest revision that
# the mirror has; sets $source.
get_nginx_source() {
    local dir=$cache/nginx-source version installed
    installed=$(dpkg-query -W -f '${source:Version}' nginx)
    source=$dir/${installed%-*}
    [ ! -f "$source/src/core/nginx.c" ] || return 0
    install dpkg-dev
    say "getting the source of nginx $installed"
    rm -rf "$dir" && mkdir -p "$dir"
    private_apt nginx-source deb-src
    for version in "$installed" \
        $(apt-cache "${apt[@]}" showsrc nginx | sed -n 's/^Version: //p'); do
        [ "${version%-*}" = "${installed%-*}" ] || continue
        if (cd "$dir" && rm -rf ./*/ && apt-get "${apt[@]}" source \
            "nginx=$version") < /dev/null > "$dir/log" 2>&1; then
            mv "$dir"/*/ "$source"
            return
        fi
    done
    tail -n 20 "$dir/log" >&2
    stop "the source of nginx $installed could not be downloaded"
}

# get_promtool: that of Debian's prometheus, unpacked below the cache and not
# installed, since nobody wants its daemon; sets $promtool.
get_promtool() {
    local dir=$cache/prometheus deb
    promtool=$dir/root/usr/bin/promtool
    if [ ! -x "$promtool" ]; then
        say 'getting promtool of prometheus'
        rm -rf "$dir" && mkdir -p "$dir"
        (cd "$dir" && { apt-get -q download prometheus ||
            { as_root apt-get -qq update; apt-get -q download prometheus; }; }) \
            < /dev/null > "$dir/log" 2>&1 ||
            { cat "$dir/log" >&2; stop 'prometheus could not be downloaded'; }
        for deb in "$dir"/*.deb; do
            dpkg -x "$deb" "$dir/root" || stop "$deb does not unpack"
            rm "$deb"
        done
    fi
    "$promtool" --version > /dev/null || stop 'promtool does not run here'
}

# get_valkey: that of Debian's backports, unpacked below the cache and not
# installed; sets $valkey, the server, and $no_valkey to why there is none.
get_valkey() {
    local dir=$cache/valkey suite
    valkey=$dir/valkey-server no_valkey=
    [ ! -x "$valkey" ] || return 0
    suite=$(. /etc/os-release && echo "$VERSION_CODENAME")-backports
    say "getting valkey of Debian $suite"
    rm -rf "$dir" && mkdir -p "$dir"
    (private_apt valkey deb "$suite" && cd "$dir" &&
        apt-get "${apt[@]}" download "valkey-tools/$suite" &&
        dpkg -x valkey-tools_*.deb root) < /dev/null > "$dir/log" 2>&1 &&
        # It is the server, too, by the name that it is called by.
        ln -s root/usr/bin/valkey-check-rdb "$valkey" &&
        "$valkey" --version > /dev/null ||
        no_valkey="no valkey of $suite runs here"
    [ -z "$no_valkey" ] || say "SKIPPED: $no_valkey"
}

# get_npm: what Debian does not package, from the npm registry, below the
# cache; sets $npm_dir, the folder that holds node_modules, and $no_npm to why
# there is none, which is said aloud and stops nothing: not every machine may
# use npm.
get_npm() {
    npm_dir=$cache/npm no_npm=
    (command -v node && command -v npm) > /dev/null ||
        (install nodejs npm) || no_npm='no nodejs and npm can be installed'
    local wanted="playwright-core@1 axe-core@4.10.3 structured-headers@2 eslint@9 @eslint/js@9 \
html-validate@9 stylelint@16 stylelint-config-standard@38"
    if [ -z "$no_npm" ] && [ "$(cat "$npm_dir/complete" 2> /dev/null)" != "$wanted" ]; then
        say 'getting playwright-core, axe-core, linters, structured-headers from npm'
        rm -rf "$npm_dir" && mkdir -p "$npm_dir"
        # shellcheck disable=SC2086  # a word is a package
        (cd "$npm_dir" && npm install --no-audit --no-fund --no-save --fetch-retries=1 $wanted &&
            echo "$wanted" > complete) < /dev/null > "$npm_dir/log" 2>&1 ||
            { tail -n 5 "$npm_dir/log" >&2
              no_npm='npm install does not work here'; }
    fi
    [ -z "$no_npm" ] ||
        say "SKIPPED: page's linters, structured fields, $no_npm"
}

# get_browser: Debian's chromium, for what get_npm got; sets $no_browser to why
# there is none.
get_browser() {
    no_browser=$no_npm
    [ -n "$no_browser" ] || (install chromium fonts-dejavu-core) ||
        no_browser='no chromium can be installed'
    [ -z "$no_browser" ] || say "SKIPPED: browser test, $no_browser"
}

# get_clients: the HTTP clients of t/clients/packages.txt, from the npm registry,
# below the cache; sets $clients_dir and $no_clients, as get_npm does.
get_clients() {
    local wanted=t/clients/packages.txt
    clients_dir=$cache/clients no_clients=$no_npm
    if [ -z "$no_clients" ] && [ "$(node -p 'process.versions.node.split(".")[0]')" -lt 20 ]; then
        no_clients="they need Node.js 20, and here is $(node --version)"
    fi
    if [ -z "$no_clients" ] && ! cmp -s "$wanted" "$clients_dir/complete"; then
        say "getting $(wc -l < "$wanted") HTTP clients from npm"
        rm -rf "$clients_dir" && mkdir -p "$clients_dir"
        (xargs -a "$wanted" npm install --prefix "$clients_dir" --no-audit --no-fund --no-save \
            --ignore-scripts --legacy-peer-deps --fetch-retries=1 &&
            cp "$wanted" "$clients_dir/complete") < /dev/null > "$clients_dir/log" 2>&1 ||
            { tail -n 5 "$clients_dir/log" >&2
              no_clients='npm install does not work here'; }
    fi
    [ -z "$no_clients" ] || say "SKIPPED: clients, $no_clients"
}

# get_peers: what the checks hold the module against.  It may run beside a
# build.
get_peers() {
    get_promtool
    get_valkey
    get_npm
    get_browser
    get_clients
}

# await_peers: after get_peers in the background has ended, get_peers again,
# which has little to do then but to say what is missing.
await_peers() {
    [ -n "$getting_peers" ] || return 0
    wait "$getting_peers"
    getting_peers=
    get_peers
    export PROMTOOL=$promtool NPM_DIR=$npm_dir NO_NPM=$no_npm NO_BROWSER=$no_browser \
        CLIENTS_DIR=$clients_dir NO_CLIENTS=$no_clients VALKEY=$valkey NO_VALKEY=$no_valkey
}
