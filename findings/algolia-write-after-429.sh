#!/bin/bash
# algoliasearch sends a write four times after 429, however long it has to wait.
#
# guess:   Algolia's clients go to another host after a network error or a 5xx,
#          and reject at once at a 4xx, 429 among them.
# happens: a 429 is retried on the same host, three times, after as long as
#          Retry-After says, a write (saveObject) as well as a read. There is no
#          bound: with Retry-After: 3600 the promise is pending for three hours,
#          and the client's timeouts do not count it. A date in Retry-After is
#          not read, and makes 1 s. The error at the end has the status, and an
#          empty message unless the body has one of Algolia's form.
# source:  @algolia/client-common 5.65.0, dist/common.js: maxRateLimitRetries = 3
#          in createTransporter(), and parseRetryAfterMs().

cd "$(dirname "$0")"
. ./common.sh
npm_packages algoliasearch@5.65.0

cat >"$tmp/write.mjs" <<'END'
import { createServer } from 'node:http';
import { algoliasearch } from 'algoliasearch';

let retryAfter;
let times = [];
const server = createServer((request, response) => {
  request.resume().on('end', () => {
    times.push(Date.now());
    response.writeHead(429, {'Content-Type': 'application/problem+json',
      'Retry-After': retryAfter});
    response.end('{"title": "slow down", "status": 429}');
  });
}).listen(0, '127.0.0.1', async () => {
  const client = algoliasearch('app', 'key', {hosts: [{url: '127.0.0.1',
    port: server.address().port, protocol: 'http', accept: 'readWrite'}]});
  for (retryAfter of ['2', new Date(Date.now() + 60000).toUTCString()]) {
    times = [];
    const error = await client.saveObject({indexName: 'i', body: {a: 1}})
      .catch(error => error);
    const gaps = times.slice(1).map((time, i) => Math.round((time - times[i]) / 1000));
    console.log(`${times.length} writes, ${gaps.join(' ')} s apart, ` +
      `${error.status} '${error.message}'`);
  }
  process.exit();
});
END
run_node write.mjs

expect "Retry-After: 2" "$(line 1)" "4 writes, 2 2 2 s apart, 429 ''"
expect "Retry-After: a minute, as a date" "$(line 2)" "4 writes, 1 1 1 s apart, 429 ''"
