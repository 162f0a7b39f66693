use lib 't/lib';
use RateLimit;
use Test::Nginx::Socket 'no_plan';

# Every block is a reload of the one before: nginx goes on with its zones.
use_hup();
no_shuffle();

run_tests();

__DATA__

=== TEST 1: a ban begins
--- http_config
    ratelimit_zone   zone=api:64k;
    ratelimit_policy login key=$arg_k quota=1/1m ban=10m after=1;
--- config
    location /t { ratelimit login; empty_gif; }
--- request eval
["GET /t?k=a", "GET /t?k=a"]
--- error_code eval
[200, 429]



=== TEST 2: a reload with another quota leaves it
--- http_config
    ratelimit_zone   zone=api:64k;
    ratelimit_policy login key=$arg_k quota=100/1m ban=20m after=1;
--- config
    location /t { ratelimit login; empty_gif; }
    location /api { ratelimit_api; allow all; }
--- request eval
["GET /t?k=a", "GET /api/bans"]
--- error_code eval
[429, 200]
--- response_headers_like eval
["Retry-After: (?:600|5[5-9]\\d)", ""]
--- response_body_like eval
["", qr/"banned": 1,.*"policy": "login"/s]



=== TEST 3: and a zone of another size takes it along
--- http_config
    ratelimit_zone   zone=api:1m;
    ratelimit_policy login key=$arg_k quota=100/1m ban=20m after=1;
--- config
    location /t { ratelimit login; empty_gif; }
    location /api { ratelimit_api; allow all; }
--- request eval
["GET /api/bans", "GET /t?k=a", "GET /api/bans"]
--- error_code eval
[200, 429, 200]
--- response_headers_like eval
["", "Retry-After: (?:600|5[5-9]\\d)", ""]
--- response_body_like eval
[qr/"banned": 1,.*"policy": "login"/s, "", qr/"banned": 1,.*"policy": "login"/s]



=== TEST 4: a policy that bans no more
--- http_config
    ratelimit_zone   zone=api:1m;
    ratelimit_policy login key=$arg_k quota=100/1m;
--- config
    location /t { ratelimit login; empty_gif; }
    location /api { ratelimit_api write=on; allow all; }
--- request eval
["GET /t?k=a", "GET /api/bans", "DELETE /api/bans?policy=login&key=a"]
--- error_code eval
[200, 200, 404]
--- response_body_like eval
["GIF", '"banned": 0,', "the key is not banned"]
