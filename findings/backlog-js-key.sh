#!/bin/bash
# backlog-js does not send its key where Backlog's documentation has it.
#
# guess:   `new Backlog({host, apiKey})` asks for /api/v2/space?apiKey=KEY, as in
#          the API's documentation and in earlier versions.
# happens: the key is in a header field, Backlog-API-Key, and nowhere in the URL.
#          A proxy that limits or logs by the argument apiKey, as the
#          documentation suggests, sees all the users of this client as users
#          without a key, and counts them by address.
# source:  backlog-js 0.20.1, dist/index.mjs sets the field for apiKey and
#          Authorization for accessToken.

cd "$(dirname "$0")"
. ./common.sh
npm_packages backlog-js@0.20.1

cat >"$tmp/space.mjs" <<'END'
import { Backlog } from 'backlog-js';

globalThis.fetch = async (input, init) => {
  const request = new Request(input, init);
  console.log(new URL(request.url).pathname + new URL(request.url).search);
  console.log(request.headers.get('backlog-api-key'));
  return new Response('{"spaceKey": "demo"}',
    {headers: {'Content-Type': 'application/json'}});
};
const backlog = new Backlog({host: 'demo.example', apiKey: 'secret'});
console.log((await backlog.getSpace()).spaceKey);
END
run_node space.mjs

expect "asks for" "$(line 1)" "/api/v2/space"
expect "Backlog-API-Key" "$(line 2)" "secret"
expect "the answer's spaceKey" "$(line 3)" "demo"
