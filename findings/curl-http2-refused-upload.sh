#!/bin/bash
# curl over HTTP/2 does not see the 429 that nginx answers to an upload.
#
# guess:   limit_req refuses an upload of 1 MB with 429 while it comes in; curl
#          says 429, over HTTP/2 as over HTTP/1.1, and --retry waits and tries
#          again.
# happens: over HTTP/2 curl says 000 and ends with 92, "Stream error in the
#          HTTP/2 framing layer", and --retry does not try again, since that is
#          no status. nginx sends the whole answer, and then, as it wants no
#          more of the body, RST_STREAM with NO_ERROR, which RFC 9113 (8.1)
#          provides for and tells clients not to take as a reason to discard the
#          answer. Over HTTP/1.1 it is 429.
# source:  curl 7.88.1, lib/http2.c: cf_h2_send() fails with CURLE_HTTP2_STREAM
#          on a stream that has been closed, whether an answer has come or not;
#          later versions drop the rest of the body there without a word. nginx
#          1.22.1, src/http/v2/ngx_http_v2.c, ngx_http_v2_close_stream().

cd "$(dirname "$0")"
. ./common.sh
. ./nginx.sh

version=$(curl --version | sed -n '1s/curl \([^ ]*\).*/\1/p')
echo "version: curl $version"
[ "$version" = 7.88.1 ] || fail "this was seen with curl 7.88.1"

nginx_start <<'END'
    limit_req_zone $server_port$host zone=one:1m rate=1r/m;

    server {
        listen unix:@tmp@/web.socket http2;
        location / { limit_req zone=one; }
    }
    server {
        listen unix:@tmp@/old.socket;
        location / { limit_req zone=one; }
    }
END
head -c 1000000 /dev/zero >"$tmp/megabyte"

# five SOCKET ARGUMENT...: uploads; status and exit status of each.
five() {
    local i socket=$1 status seen=()
    shift
    for i in 1 2 3 4 5; do
        status=0
        printed=$(curl -s -o "$tmp/body" -w '%{http_code}' "$@" \
            --unix-socket "$tmp/$socket" http://web/) || status=$?
        seen+=("$printed/$status")
    done
    echo "${seen[*]}"
}

five web.socket --http2-prior-knowledge >"$tmp/first"
expect "HTTP/2, no body" "$(five web.socket --http2-prior-knowledge)" \
    "429/0 429/0 429/0 429/0 429/0"
expect "HTTP/2, 1 MB" "$(five web.socket --http2-prior-knowledge -T "$tmp/megabyte")" \
    "000/92 000/92 000/92 000/92 000/92"
expect "HTTP/2, 1 MB, --retry 2" \
    "$(five web.socket --http2-prior-knowledge --retry 2 -T "$tmp/megabyte")" \
    "000/92 000/92 000/92 000/92 000/92"
expect "HTTP/1.1, 1 MB" "$(five old.socket -T "$tmp/megabyte")" \
    "429/0 429/0 429/0 429/0 429/0"
