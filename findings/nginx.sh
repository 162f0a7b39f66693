# shellcheck shell=bash disable=SC2154
# Sourced after common.sh: Debian 12's nginx on sockets in the temporary folder.

debian_packages nginx=1.22.1

# nginx_start: the http block's content from standard input, where @tmp@ is the
# temporary folder; one process, and the client's side is @tmp@/web.socket.
nginx_start() {
    mkdir -p "$tmp/www"
    {
        echo "daemon off; master_process off; pid $tmp/nginx.pid;"
        echo "error_log $tmp/error.log info; events { }"
        echo "http { access_log off; root $tmp/www; limit_req_status 429;"
        for kind in client_body proxy fastcgi uwsgi scgi; do
            echo "${kind}_temp_path $tmp/$kind;"
        done
        sed "s|@tmp@|$tmp|g"
        echo "}"
    } >"$tmp/nginx.conf"
    start "$tmp/root/usr/sbin/nginx" -p "$tmp" -c "$tmp/nginx.conf"
    within test -S "$tmp/web.socket"
}
