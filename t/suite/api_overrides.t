use lib 't/lib';
use RateLimit;
use Api;
use Test::Nginx::Socket 'no_plan';

our $half = '[{"in_force":true,"key_id":null,"policy":null,"scale_percent":50,"until":null,"zone":"one"}]';

run_tests();

__DATA__

=== TEST 1: a zone is scaled, and back
--- http_config
    ratelimit_zone   zone=one:64k;
    ratelimit_zone   zone=two:64k;
    ratelimit_policy a key=$arg_k quota=8/1h zone=one;
    ratelimit_policy b key=$arg_k quota=8/1h zone=two;
--- config
    location /t   { ratelimit a b; ratelimit_headers per-policy prefix=X-; empty_gif; }
    location /api { ratelimit_api write=on; allow all; }
--- request eval
["PUT /api/overrides?zone=one&scale=50%", "GET /t?k=k", "GET /api/overrides", "DELETE /api/overrides?zone=one", "GET /t?k=k", "DELETE /api/overrides?zone=one"]
--- error_code eval
[200, 200, 200, 200, 200, 404]
--- response_headers eval
["", "X-a-max: 4\r\nX-b-max: 8", "", "", "X-a-max: 8\r\nX-b-max: 8", ""]
--- response_body_filters eval
[Api::at("overrides"), Api::any(), Api::at("overrides"), Api::at("overrides"), Api::any(), Api::at("detail")]
--- response_body eval
["overrides: $main::half\n", "", "overrides: $main::half\n", "overrides: []\n", "", "detail: there is no override\n"]



=== TEST 2: a policy, by another quota, for a time
--- http_config
    ratelimit_zone   zone=api:64k;
    ratelimit_policy a key=$arg_k quota=8/1h;
    ratelimit_policy b key=$arg_k quota=8/1h;
--- config
    location /t   { ratelimit a b; ratelimit_headers per-policy prefix=X-; empty_gif; }
    location /api { ratelimit_api write=on; allow all; }
--- request eval
["PATCH /api/overrides?policy=b&quota=20&for=1h", "GET /t?k=k", "GET /api"]
--- response_headers eval
["", "X-a-max: 8\r\nX-b-max: 20", ""]
--- response_body_filters eval
[Api::at("overrides.0.quota_units", "overrides.0.policy"), Api::any(), Api::at("overrides.n")]
--- response_body eval
["overrides.0.quota_units: 20\noverrides.0.policy: b\n", "", "overrides.n: 1\n"]



=== TEST 3: an override whose time is over
--- http_config
    ratelimit_zone   zone=api:64k;
    ratelimit_policy b key=$arg_k quota=8/1h;
--- config
    location /t   { ratelimit b; ratelimit_headers per-policy prefix=X-; empty_gif; }
    location /api { ratelimit_api write=on; allow all; }
--- request eval
["PUT /api/overrides?policy=b&quota=20&for=50ms", "GET /t?k=k", "GET /api/overrides"]
--- wait: 0.3
--- response_headers eval
["", "X-b-max: 8", ""]
--- response_body_filters eval
[Api::any(), Api::any(), Api::at("overrides.n")]
--- response_body eval
["", "", "overrides.n: 0\n"]



=== TEST 4: let one customer through now
--- http_config
    ratelimit_zone   zone=api:64k;
    ratelimit_policy token key=$arg_k quota=1/1h;
--- config
    location /t   { ratelimit token; ratelimit_headers x-ratelimit; empty_gif; }
    location /api { ratelimit_api write=on; allow all; }
--- request eval
["GET /t?k=a", "GET /t?k=a", "GET /t?k=b", "PUT /api/overrides?policy=token&key=a&quota=unlimited&for=1h", "GET /t?k=a", "GET /t?k=b",
 "GET /api/keys?policy=token&key=a", "PUT /api/overrides?policy=token&key=a&quota=5", "GET /t?k=a", "GET /api/keys?policy=token&key=a", "DELETE /api/overrides?policy=token&key=a", "GET /t?k=a"]
--- error_code eval
[200, 429, 200, 200, 200, 429, 200, 200, 200, 200, 200, 429]
--- response_headers eval
["X-RateLimit-Limit: 1", "X-RateLimit-Limit: 1", "", "", "!X-RateLimit-Limit", "", "", "", "X-RateLimit-Limit: 5", "", "", "X-RateLimit-Limit: 1"]
--- response_body_filters eval
[(map { Api::any() } 1 .. 6), Api::at("limit", "unlimited", "override.unlimited"), (map { Api::any() } 1 .. 2),
 Api::at("limit", "remaining", "override.quota_units"), Api::at("overrides.n"), Api::any()]
--- response_body eval
[("") x 6, "limit: null\nunlimited: true\noverride.unlimited: true\n", "", "", "limit: 5\nremaining: 3\noverride.quota_units: 5\n", "overrides.n: 0\n", ""]



=== TEST 5: what cannot be
--- http_config
    ratelimit_zone   zone=api:64k;
    ratelimit_policy token key=$arg_k quota=1/1h;
--- config
    location /api { ratelimit_api write=on; allow all; }
--- request eval
["PUT /api/overrides", "PUT /api/overrides?zone=nope&scale=50%", "PUT /api/overrides?zone=api", "PUT /api/overrides?zone=api&scale=50%&quota=1", "PUT /api/overrides?zone=api&quota=5",
 "PUT /api/overrides?zone=api&policy=token&scale=50%", "PUT /api/overrides?policy=token&scale=fifty", "PUT /api/overrides?policy=token&scale=",
 "PUT /api/overrides?policy=token&quota=-1", "PUT /api/overrides?policy=token&quota=5&for=ever", "PUT /api/overrides?policy=token&quota=5&fro=1h", "PUT /api/overrides?policy=nope&quota=5"]
--- error_code eval
[400, 404, 400, 400, 400, 400, 400, 400, 400, 400, 400, 404]
--- response_body_filters eval
[(Api::at("detail")) x 12]
--- response_body eval
[map { "detail: $_\n" } 'no "policy="', 'unknown zone "nope"', ('either "scale=" or "quota=" is needed') x 2,
 'a zone has no quota, only "scale="', '"zone=" excludes "policy=" and keys',
 ('invalid "scale=", it must be a percentage such as "50%" or "12.5%", of 0% to 10000% with at most three decimals') x 2,
 'invalid "quota=", it must be an integer of 0 to 999999999999999, or "unlimited"',
 'invalid "for=", it must be an integer with ms, s, m, h or d behind it, of 1ms to 366d', 'unknown parameter "fro"', 'unknown policy "nope"']



=== TEST 6: there is room for so many only
--- http_config
    ratelimit_zone   zone=api:64k;
    ratelimit_policy token key=$arg_k quota=1/1h;
--- config
    location /api { ratelimit_api write=on; allow all; }
--- request eval
[map { "PUT /api/overrides?policy=token&key=$_&quota=5" } 1 .. 41]
--- error_code eval
[(200) x 40, 507]
--- timeout: 10



=== TEST 7: overrides are logged, without keys
--- http_config
    ratelimit_zone   zone=api:64k;
    ratelimit_policy token key=$arg_k quota=1/1h;
--- config
    location /api { ratelimit_api write=on; allow all; }
    location /log { alias $TEST_NGINX_SERVER_ROOT/logs/error.log; default_type text/plain; }
--- request eval
["PUT /api/overrides?zone=api&scale=50%&for=1h", "PUT /api/overrides?policy=token&quota=7", "PUT /api/overrides?policy=token&key=topsecret&quota=unlimited&for=10m",
 "DELETE /api/overrides?policy=token&key=topsecret", "GET /log"]
--- response_body_filters eval
[(map { Api::any() } 1 .. 4), [RateLimit::lines_like(qr/ratelimit: (override .*)/), sub { $_[0] =~ s/[0-9a-f]{16}/ID/gr }]]
--- response_body eval
["", "", "", "", <<'_END_']
override of zone "api" set to 50% for 1h by "ratelimit_api", client: 127.0.0.1
override of policy "token" set to 7 by "ratelimit_api", client: 127.0.0.1
override of key ID of policy "token" set to unlimited for 10m by "ratelimit_api", client: 127.0.0.1
override of key ID of policy "token" cleared by "ratelimit_api", client: 127.0.0.1
_END_
--- no_error_log
topsecret



=== TEST 8: a key's override says whose it is, and its id clears it
--- http_config
    ratelimit_zone   zone=api:64k;
    ratelimit_policy a key=$arg_k quota=1/1h;
    ratelimit_policy b key=$arg_k quota=1/1h;
    ratelimit_policy a_policy_whose_name_is_longer_than_it key=$arg_k quota=1/1h;
--- config
    location /api { ratelimit_api write=on; allow all; }
--- request eval
["PUT /api/overrides?policy=b&key=x&quota=5", "PUT /api/overrides?policy=b&scale=10%", "GET /api/keys?policy=b&key=x", "PUT /api/overrides?policy=a_policy_whose_name_is_longer_than_it&quota=5"]
--- error_code eval
[200, 200, 200, 507]
--- response_body_filters eval
[Api::at("overrides.0.policy", "overrides.0.in_force"), Api::at("overrides.1.policy", "overrides.1.key_id"), [sub {
    my ($id) = $_[0] =~ /"key_id": "(\w+)"/ or return "no id: $_[0]";
    my @answers = map { Api::ask(@$_) } ['DELETE', "/api/overrides?policy=a&id=$id"], ['DELETE', "/api/overrides?policy=b&id=$id"],
        ['DELETE', "/api/overrides?policy=b&id=$id"], ['DELETE', '/api/overrides?policy=b'];
    return CORE::join '', map { /"detail": "(.*)"/ ? "$1\n" : /"overrides": \[(.)/s ? (/key_id": "/ ? "a key's\n" : /policy/ ? "a policy's\n" : "none\n") : "$_\n" } @answers;
}], Api::at("detail")]
--- response_body eval
["overrides.0.policy: b\noverrides.0.in_force: true\n", "overrides.1.policy: b\noverrides.1.key_id: null\n",
 "there is no override\na policy's\nthere is no override\nnone\n", "detail: a policy whose name is longer than 32 can have no override\n"]



=== TEST 9: a variable's quota: a key that is let through is not told as refused
--- http_config
    ratelimit_zone   zone=api:64k;
    ratelimit_policy tier key=$arg_k quota=$arg_q;
--- config
    location /t   { ratelimit tier; empty_gif; }
    location /api { ratelimit_api write=on; allow all; }
--- request eval
["GET /t?k=a&q=1/1h", "GET /t?k=a&q=1/1h", "PUT /api/overrides?policy=tier&key=a&quota=unlimited", "GET /t?k=a&q=1/1h", "GET /api/keys?policy=tier&key=a",
 "PUT /api/overrides?policy=tier&key=a&quota=5", "GET /api/keys?policy=tier&key=a", "DELETE /api/overrides?policy=tier&key=a",
 "PUT /api/overrides?policy=tier&quota=unlimited", "GET /api/keys?policy=tier&key=a", "GET /api/keys?policy=tier&key=new"]
--- error_code eval
[200, 429, (200) x 9]
--- response_body_filters eval
[(map { Api::any() } 1 .. 4), Api::at(qw(unlimited limit retry_after_ms limit_source)), Api::any(), Api::at(qw(unlimited limit remaining retry_after_ms limit_source)),
 Api::any(), Api::any(), (Api::at(qw(unlimited limit_source))) x 2]
--- response_body eval
[("") x 4, "unlimited: true\nlimit: null\nretry_after_ms: null\nlimit_source: override\n", "",
 "unlimited: false\nlimit: 5\nremaining: 4\nretry_after_ms: 0\nlimit_source: override\n", "", "", ("unlimited: true\nlimit_source: override\n") x 2]
