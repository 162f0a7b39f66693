use lib 't/lib';
use RateLimit;
use Api;
use Test::Nginx::Socket 'no_plan';

# Every block is a reload of the one before.
use_hup();
no_shuffle();

run_tests();

__DATA__

=== TEST 1: counted before any reload
--- http_config
    ratelimit_zone   zone=api:64k;
    ratelimit_policy token key=$arg_k quota=1/1h;
    ratelimit_policy gone  key=$arg_k quota=1/1h;
--- config
    location /t   { ratelimit token; empty_gif; }
    location /g   { ratelimit gone; empty_gif; }
    location /api { ratelimit_api; allow all; }
--- request eval
["GET /t?k=a", "GET /t?k=a", "GET /g?k=a", "GET /api", "GET /api"]
--- error_code eval
[200, 429, 200, 200, 200]
--- response_body_filters eval
[(map { Api::any() } 1 .. 3), Api::counts(0), Api::counts(1)]
--- response_body eval
["", "", "", "admitted=1 refused=1 refused_dry_run=0 bypassed=0 refunded=0 errors=0\n",
 "admitted=1 refused=0 refused_dry_run=0 bypassed=0 refunded=0 errors=0\n"]



=== TEST 2: a reload goes on counting, also under another quota, algorithm and place
--- http_config
    ratelimit_zone   zone=api:128k;
    ratelimit_policy first key=$arg_k quota=1/1h;
    ratelimit_policy token key=$arg_k quota=2/1h algorithm=fixed;
--- config
    location /t   { ratelimit token; empty_gif; }
    location /api { ratelimit_api; allow all; }
--- request eval
["GET /t?k=a", "GET /api", "GET /api"]
--- error_code eval
[200, 200, 200]
--- response_body_filters eval
[Api::any(), Api::counts(0), Api::counts(1)]
--- response_body eval
["", "admitted=0 refused=0 refused_dry_run=0 bypassed=0 refunded=0 errors=0\n",
 "admitted=2 refused=1 refused_dry_run=0 bypassed=0 refunded=0 errors=0\n"]



=== TEST 3: a policy that comes back has its counts, one in another zone starts anew
--- http_config
    ratelimit_zone   zone=api:128k;
    ratelimit_zone   zone=other:64k;
    ratelimit_policy gone  key=$arg_k quota=1/1h zone=api;
    ratelimit_policy token key=$arg_k quota=2/1h zone=other;
--- config
    location /t   { ratelimit token; empty_gif; }
    location /api { ratelimit_api; allow all; }
--- request eval
["GET /t?k=a", "GET /api", "GET /api", "GET /api/keys?top=5&policy=gone"]
--- error_code eval
[200, 200, 200, 200]
--- response_body_filters eval
[Api::any(), Api::counts(0), Api::counts(1), Api::at("top_admitted.n")]
--- response_body eval
["", "admitted=1 refused=0 refused_dry_run=0 bypassed=0 refunded=0 errors=0\n",
 "admitted=1 refused=0 refused_dry_run=0 bypassed=0 refunded=0 errors=0\n", "top_admitted.n: 1\n"]



=== TEST 4: overrides of two policies
--- http_config
    ratelimit_zone   zone=api:128k;
    ratelimit_policy token key=$arg_k quota=2/1h;
    ratelimit_policy going key=$arg_k quota=2/1h;
--- config
    location /api { ratelimit_api write=on; allow all; }
--- request eval
["PUT /api/overrides?policy=token&key=a&quota=7", "PUT /api/overrides?policy=going&key=a&quota=8", "PUT /api/overrides?policy=going&scale=50%"]
--- error_code eval
[200, 200, 200]
--- response_body_filters eval
[Api::any(), Api::any(), Api::at(map { "overrides.$_.in_force" } 0 .. 2)]
--- response_body eval
["", "", "overrides.0.in_force: true\noverrides.1.in_force: true\noverrides.2.in_force: true\n"]



=== TEST 5: of a policy that has gone, or has another key now, they are listed and deleted
--- http_config
    ratelimit_zone   zone=api:128k;
    ratelimit_policy token key=$arg_other quota=2/1h;
--- config
    location /api { ratelimit_api write=on; allow all; }
--- request
GET /api/overrides
--- response_body_filters eval
[sub {
    my ($body) = @_;
    my $shown = Api::at(map { ("overrides.$_.policy", "overrides.$_.in_force") } 0 .. 2)->[0]->($body);
    my ($token, $going) = $body =~ /"key_id": "(\w+)"/g;
    my @answers = map { Api::ask('DELETE', "/api/overrides?$_") } "policy=going&id=$token", "policy=going&id=$going", "policy=going", "policy=going", "policy=token&id=$token", "policy=token&id=$token";
    return $shown . CORE::join '', map { /"detail": "(.*)"/ ? "$1\n" : (() = /"zone"/g) . " left\n" } @answers;
}]
--- response_body
overrides.0.policy: token
overrides.0.in_force: false
overrides.1.policy: going
overrides.1.in_force: false
overrides.2.policy: going
overrides.2.in_force: false
there is no override
2 left
1 left
there is no override
0 left
there is no override
