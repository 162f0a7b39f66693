#!/bin/bash
# @fastify/rate-limit: timeWindow '1 hour 30 minutes' answers everything with 500.
#
# guess:   a text that is not understood stops the server when
#          the plugin is registered; or the window becomes NaN, and clients are
#          refused once and for all after `max` requests.
# happens: the server starts without a word, and each request to a limited
#          route, the very first included, is answered 500 "params.timeWindow is
#          not a function", until somebody changes the text. '90 minutes' and
#          '1h' work; '1h30m' and '1 hour 30 minutes' are what breaks.
# source:  @fastify/rate-limit 11.2.0, index.js: a timeWindow that is a string
#          is parsed by @lukeed/ms, which answers undefined for two units
#          together. That is not checked; what is no number is then called as a
#          function for each request.

cd "$(dirname "$0")"
. ./common.sh
npm_packages fastify@5.12.8 @fastify/rate-limit@11.2.0

cat >"$tmp/windows.js" <<'END'
const fastify = require('fastify');

(async () => {
  for (const timeWindow of ['90 minutes', '1h', '1 hour 30 minutes', '1h30m']) {
    const app = fastify();
    await app.register(require('@fastify/rate-limit'), {max: 2, timeWindow});
    app.get('/', async () => 'served');
    await app.ready();
    const seen = [];
    let message = '';
    for (let i = 0; i < 4; i++) {
      const response = await app.inject('/');
      seen.push(response.statusCode);
      if (response.statusCode === 500) message = response.json().message;
    }
    console.log(`${timeWindow}: ${seen.join(' ')} ${message}`.trim());
    await app.close();
  }
})();
END
run_node windows.js

broken="500 500 500 500 params.timeWindow is not a function"
expect "'90 minutes'" "$(after '90 minutes')" "200 200 429 429"
expect "'1h'" "$(after 1h)" "200 200 429 429"
expect "'1 hour 30 minutes'" "$(after '1 hour 30 minutes')" "$broken"
expect "'1h30m'" "$(after 1h30m)" "$broken"
