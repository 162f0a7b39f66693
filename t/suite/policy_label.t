use lib 't/lib';
use RateLimit;
use Api;
use Test::Nginx::Socket 'no_plan';

# "label=": who it is, beside a key's id.

run_tests();

__DATA__

=== TEST 1: a refused key has its label at once, in the key, the lists and its override; logs have none
--- http_config
    ratelimit_zone   zone=api:64k;
    map $arg_k $customer { key-1 "Acme \"Ltd\""; default ""; }
    ratelimit_policy token key=$arg_k quota=1/1h label=$customer;
--- config
    location /t   { ratelimit token cost=$arg_cost; empty_gif; }
    location /api { ratelimit_api write=on; allow all; }
--- request eval
["GET /t?k=key-1&cost=2", "GET /api/keys?policy=token&key=key-1", "GET /api/keys?top=5",
 "PUT /api/overrides?policy=token&key=key-1&quota=5", "GET /api/"]
--- error_code eval
[429, 200, 200, 200, 200]
--- response_body_filters eval
[Api::any(), Api::at('label'), Api::at('top_refused.0.label'), Api::at('overrides.0.label'), Api::at('overrides.0.label')]
--- response_body eval
["", "label: Acme \"Ltd\"\n", "top_refused.0.label: Acme \"Ltd\"\n", ("overrides.0.label: Acme \"Ltd\"\n") x 2]
--- no_error_log
Acme



=== TEST 2: an admitted key has it from its second request on
--- http_config
    ratelimit_zone   zone=api:64k;
    ratelimit_policy token key=$arg_k quota=10/1h label=$arg_name;
--- config
    location /t   { ratelimit token; empty_gif; }
    location /api { ratelimit_api; allow all; }
--- request eval
["GET /t?k=a&name=acme", "GET /api/keys?policy=token&key=a", "GET /t?k=a&name=acme", "GET /api/keys?policy=token&key=a"]
--- response_body_filters eval
[Api::any(), Api::at('label'), Api::any(), Api::at('label')]
--- response_body eval
["", "label: null\n", "", "label: acme\n"]



=== TEST 3: the first that is not empty stays
--- http_config
    ratelimit_zone   zone=api:64k;
    ratelimit_policy token key=$arg_k quota=0/1h label=$arg_name;
--- config
    location /t   { ratelimit token; empty_gif; }
    location /api { ratelimit_api; allow all; }
--- request eval
["GET /t?k=a", "GET /t?k=a&name=acme", "GET /t?k=a&name=other", "GET /t?k=a", "GET /api/keys?policy=token&key=a"]
--- error_code eval
[429, 429, 429, 429, 200]
--- response_body_filters eval
[(Api::any()) x 4, Api::at('label')]
--- response_body eval
[("") x 4, "label: acme\n"]



=== TEST 4: what a client may send: cut, and no JSON is broken
--- http_config
    ratelimit_zone   zone=api:64k;
    ratelimit_policy token key=$arg_k quota=0/1h label=$http_x_name;
--- config
    location /t   { ratelimit token; empty_gif; }
    location /api { ratelimit_api; allow all; }
--- more_headers eval
["X-Name: " . ("x" x 100), "X-Name: a\"b\\\x{ff}", "X-Name: q", "X-Name: q"]
--- request eval
["GET /t?k=a", "GET /t?k=b", "GET /api/keys?policy=token&key=a", "GET /api/keys?policy=token&key=b"]
--- error_code eval
[429, 429, 200, 200]
--- response_body_filters eval
[(Api::any()) x 2, (Api::at('label')) x 2]
--- response_body eval
["", "", "label: " . ("x" x 64) . "\n", "label: a\"b\\?\n"]



=== TEST 5: dry runs too
--- http_config
    ratelimit_zone   zone=api:64k;
    ratelimit_policy token key=$arg_k quota=0/1h label=customer-$arg_k;
--- config
    location /t   { ratelimit token; ratelimit_dry_run on; empty_gif; }
    location /api { ratelimit_api; allow all; }
--- request eval
["GET /t?k=a", "GET /api/keys?policy=token&key=a"]
--- response_body_filters eval
[Api::any(), Api::at('label')]
--- response_body eval
["", "label: customer-a\n"]



=== TEST 6: without label= nothing is said of one
--- http_config
    ratelimit_zone   zone=api:64k;
    ratelimit_policy token key=$arg_k quota=0/1h;
--- config
    location /t   { ratelimit token; empty_gif; }
    location /api { ratelimit_api; allow all; }
--- request eval
["GET /t?k=a", "GET /api/keys?policy=token&key=a"]
--- error_code eval
[429, 200]
--- response_body_unlike eval
["label", "label"]
