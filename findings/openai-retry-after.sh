#!/bin/bash
# openai's client obeys a Retry-After of any length in version 6, and not in 7.
#
# guess:   a Retry-After of 60 seconds and more is ignored, as in versions 4 and
#          5: the client asks again after half a second and a second, and gives
#          up.
# happens: 6.49.0 sleeps for as long as the server says, an hour and another
#          hour here, in the middle of `await`, and neither `timeout` (ten
#          minutes) nor maxRetries bounds it. 7.59.0 ignores what is above 60 s
#          again. So with the same server one update turned a program that fails
#          after two seconds into one that waits for two hours, and the next one
#          turned it back.
# source:  client.js of each, retryRequest(): 7.59.0 compares timeoutMillis with
#          60 * 1000, 6.49.0 has no such comparison.

cd "$(dirname "$0")"
. ./common.sh
npm_packages six@npm:openai@6.49.0 seven@npm:openai@7.59.0

cat >"$tmp/waits.mjs" <<'END'
const wait = globalThis.setTimeout;
let waits;
globalThis.setTimeout = (work, ms, ...rest) => {
  if (ms === 600000) return wait(work, ms, ...rest);   // the request's own limit
  waits.push(ms);
  return wait(work, 0, ...rest);
};

for (const name of ['six', 'seven']) {
  const {default: OpenAI} = await import(name);
  for (const seconds of [30, 3600]) {
    let requests = 0;
    waits = [];
    const client = new OpenAI({apiKey: 'key', baseURL: 'http://api.example/v1',
      fetch: async () => {
        requests++;
        return new Response('{"error": {"message": "slow down"}}', {status: 429,
          headers: {'Content-Type': 'application/json',
            'Retry-After': seconds}});
      }});
    const error = await client.models.list().catch(error => error);
    const words = waits.map(ms => ms < 2500 ? 'its own' : ms).join(' ');
    console.log(`${name} ${seconds}: ${requests} requests, waits ${words}, ` +
      error.status);
  }
}
process.exit();
END
run_node waits.mjs
own="3 requests, waits its own its own, 429"
expect "6, Retry-After 30" "$(after 'six 30')" "3 requests, waits 30000 30000, 429"
expect "7, Retry-After 30" "$(after 'seven 30')" "3 requests, waits 30000 30000, 429"
expect "6, Retry-After 3600" "$(after 'six 3600')" \
    "3 requests, waits 3600000 3600000, 429"
expect "7, Retry-After 3600" "$(after 'seven 3600')" "$own"
