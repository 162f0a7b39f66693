#!/bin/bash
# vsthrottle with a block never lets a client in again that goes on asking.
#
# guess:   is_denied("b", 3, 4s, 6s) lets 3 requests in, blocks the client for
#          six seconds at the fourth, and then lets it in anew: of requests
#          every half second about 3 in each seven or eight seconds.
# happens: none at all. A request during the block is refused, and sets the time
#          from which tokens come back; what has come back since the one before
#          is cut to whole tokens, that is to none. So when the block ends there
#          is no token, the next request begins the block anew, and so for ever.
#          Who stays away for the block is let in.
# source:  varnish-modules 0.20.0, src/vmod_vsthrottle.c: vmod_is_denied() sets
#          last_used for a key that is blocked, and calc_tokens() rounds down.

cd "$(dirname "$0")"
. ./common.sh
debian_packages varnish=7.1.1 varnish-modules=0.20.0 libvarnishapi3=7.1.1

cat >"$tmp/block.vcl" <<'END'
vcl 4.1;
import vsthrottle;
backend none none;
sub vcl_recv {
    if (req.url == "/b" && vsthrottle.is_denied("b", 3, 4s, 6s)) {
        return (synth(429));
    }
    return (synth(200));
}
END
vmods=$(echo "$tmp"/root/usr/lib/*-linux-gnu/varnish/vmods)
start "$tmp/root/usr/sbin/varnishd" -F -n "$tmp/work" -a "$tmp/web.socket" \
    -f "$tmp/block.vcl" -p "vmod_path=$vmods" -j none -s malloc,8m
within curl -s --unix-socket "$tmp/web.socket" http://web/

cat >"$tmp/ask.js" <<'END'
const http = require('http');
const ask = () => new Promise(done => http.get(
  {socketPath: process.argv[2], path: '/b', headers: {Host: 'web'}},
  response => { response.resume(); done(response.statusCode); }));
const sleep = ms => new Promise(done => setTimeout(done, ms));

(async () => {
  const first = [];
  for (let i = 0; i < 4; i++) first.push(await ask());
  console.log(first.join(' '));
  let served = 0;
  for (let i = 0; i < 40; i++) {
    await sleep(500);
    if (await ask() === 200) served++;
  }
  console.log(served);
  await sleep(9000);
  console.log(await ask());
})();
END
run_node ask.js "$tmp/web.socket"

expect "four at once" "$(line 1)" "200 200 200 429"
expect "served of 40, one each half second" "$(line 2)" 0
expect "after nine seconds of silence" "$(line 3)" 200
