#!/bin/bash
# ky waits 24.8 days for an X-RateLimit-Reset that is in milliseconds.
#
# guess:   without Retry-After ky takes the time from X-RateLimit-Reset, in
#          seconds, a span or Unix time. Milliseconds, as Date.now() and many
#          limiters' `reset` give them, are either recognised, or the timer
#          overflows and ky asks again at once.
# happens: the number is multiplied by 1,000 whatever it is, taken for a date in
#          the year 58,000, and the wait is cut to the longest timer there is,
#          2,147,483,647 ms. `await ky.get()` does not come back for 24.8 days:
#          `timeout`, 10 s, is for each request, and retry.maxRetryAfter has no
#          bound of its own. Seconds work.
# source:  ky 1.14.3, distribution/core/Ky.js: #calculateRetryDelay() reads
#          Retry-After, RateLimit-Reset, X-RateLimit-Reset and others, and #retry
#          bounds the delay by maxSafeTimeout. README, "retry".

cd "$(dirname "$0")"
. ./common.sh
npm_packages ky@1.14.3

cat >"$tmp/waits.mjs" <<'END'
import ky from 'ky';

const now = () => Date.now();
const wait = globalThis.setTimeout;
let waits;
globalThis.setTimeout = (work, ms, ...rest) => {
  if (ms === 10000) return wait(work, ms, ...rest);    // ky's own time limit
  waits.push(ms);
  return wait(work, 1, ...rest);
};

for (const [name, reset] of [
  ['seconds from now', () => 30],
  ['Unix time in seconds', () => Math.floor(now() / 1000) + 30],
  ['Unix time in milliseconds', () => now() + 30000]]) {
  waits = [];
  const fetch = async () => new Response('{}', {status: 429, headers: {
    'X-RateLimit-Limit': '5', 'X-RateLimit-Remaining': '0',
    'X-RateLimit-Reset': String(reset())}});
  await ky.get('http://api.example/', {fetch, retry: 1}).catch(() => {});
  const [longest] = waits.sort((a, b) => b - a);
  console.log(`${name}: ${longest > 1e6 ? longest : Math.round(longest / 1e4) * 1e4} ms`);
}
process.exit();
END
run_node waits.mjs

expect "30 s as seconds from now" "$(after 'seconds from now')" "30000 ms"
expect "30 s as Unix time in s" "$(after 'Unix time in seconds')" "30000 ms"
expect "30 s as Unix time in ms" "$(after 'Unix time in milliseconds')" \
    "2147483647 ms"
