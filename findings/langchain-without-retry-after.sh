#!/bin/bash
# LangChain asks again only if a 429 has a Retry-After of up to a minute.
#
# guess:   a model is called up to seven times (maxRetries is 6), with pauses that
#          double from one to two seconds on, or after as long as Retry-After says.
# happens: so it is if there is a Retry-After of up to 60 seconds, with the longer
#          of the two pauses. Without the field, and with 61, the first 429 is an
#          error, RateLimitCapacityError, and nothing is asked again. So a limiter
#          that is sparing with fields, or has a window of more than a minute,
#          turns off the retries that it got with earlier versions.
# source:  @langchain/core 1.4.0, dist/utils/async_caller.js:
#          classifyRateLimitError() has "headerless_429" and
#          "retry_after_too_large", which defaultFailedAttemptHandler() throws.

cd "$(dirname "$0")"
. ./common.sh
npm_packages @langchain/core@1.4.0 @langchain/openai@1.6.0

cat >"$tmp/ask.mjs" <<'END'
import {ChatOpenAI} from '@langchain/openai';

const wait = globalThis.setTimeout;
let waits;
globalThis.setTimeout = (work, ms, ...rest) => {
  if (ms < 500 || ms >= 600000) return wait(work, ms, ...rest);  // not a pause
  waits.push(ms);
  return wait(work, 0, ...rest);
};

for (const seconds of [null, 2, 30, 60, 61]) {
  let requests = 0;
  waits = [];
  const headers = {'Content-Type': 'application/json'};
  if (seconds !== null) headers['Retry-After'] = String(seconds);
  const model = new ChatOpenAI({apiKey: 'key', model: 'gpt-4o', configuration: {
    baseURL: 'http://api.example/v1', fetch: async () => {
      requests++;
      return new Response('{"error": {"message": "slow down"}}',
        {status: 429, headers});
    }}});
  const error = await model.invoke('hello').catch(error => error);
  const least = waits.map((ms, i) => Math.max(1000 * (seconds ?? 0), 1000 * 2 ** i));
  const kept = waits.every((ms, i) => ms >= least[i]);
  console.log(`${seconds}: ${requests} requests, ${waits.length} pauses` +
    `${waits.length && kept ? ', none shorter than either' : ''}, ${error.status}`);
}
process.exit();
END
run_node ask.mjs
expect "no Retry-After" "$(after null)" "1 requests, 0 pauses, 429"
for seconds in 2 30 60; do
    expect "Retry-After: $seconds" "$(after $seconds)" \
        "7 requests, 6 pauses, none shorter than either, 429"
done
expect "Retry-After: 61" "$(after 61)" "1 requests, 0 pauses, 429"
