#!/bin/bash
# undici over HTTP/2 fails one request each time that nginx renews a connection.
#
# guess:   nginx ends an HTTP/2 connection after keepalive_requests (1,000) with
#          a GOAWAY that names the last request it will answer. Either the client
#          sends the rest on a new connection and nobody notices; or it takes
#          that for an error, and all that runs on the connection fails.
# happens: fetch rejects one request with "GOAWAY frame received with code 0"
#          each time, though nginx passed it on and the back end did its work. A
#          busy client loses one request in 1,000 so, and a POST that it sends
#          again is done twice. Here keepalive_requests is 50, and of 60 POSTs
#          one fails and 60 are done.
# source:  undici 7.30.2, lib/dispatcher/client-h2.js: onHttp2SessionGoAway()
#          destroys the socket and fails the first request that runs, whatever
#          the last stream of the GOAWAY is; RFC 9113, 6.8 says that streams up
#          to it may still complete. undici issue 5089.

cd "$(dirname "$0")"
. ./common.sh
. ./nginx.sh
npm_packages undici@7.30.2

openssl req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=web \
    -keyout "$tmp/key.pem" -out "$tmp/cert.pem" 2>/dev/null
nginx_start <<'END'
    server {
        listen unix:@tmp@/web.socket ssl http2;
        ssl_certificate     @tmp@/cert.pem;
        ssl_certificate_key @tmp@/key.pem;
        keepalive_requests  50;
        location / { proxy_pass http://unix:@tmp@/app.socket; }
    }
END

cat >"$tmp/sixty.js" <<'END'
const {Agent, fetch} = require('undici');
const [folder] = process.argv.slice(2);
let done = 0;

async function post(dispatcher) {
  try {
    const response = await fetch('https://web/', {method: 'POST', dispatcher});
    await response.text();
    return response.status;
  } catch (error) {
    return error.cause.message;
  }
}

require('http').createServer((request, response) => {
  done++;
  setTimeout(() => response.end('done'), 100);
}).listen(`${folder}/app.socket`, async () => {
  for (let round = 1; round <= 3; round++) {
    const dispatcher = new Agent({allowH2: true, connections: 1, connect: {
      socketPath: `${folder}/web.socket`, rejectUnauthorized: false}});
    const seen = {};
    done = 0;
    const all = await Promise.all(Array.from({length: 60}, () => post(dispatcher)));
    for (const one of all) seen[one] = (seen[one] || 0) + 1;
    const words = Object.entries(seen).map(([what, n]) => `${n} x ${what}`);
    console.log(`${words.join(', ')}; done ${done}`);
  }
  process.exit();
});
END
run_node sixty.js "$tmp"

for round in 1 2 3; do
    expect "60 POSTs, round $round" "$(line $round)" \
        '59 x 200, 1 x HTTP/2: "GOAWAY" frame received with code 0; done 60'
done
