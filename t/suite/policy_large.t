# Quotas and costs beyond what 32 bits hold: up to 999,999,999,999,999 units.

use lib 't/lib';
use RateLimit;
use Api;
use Test::Nginx::Socket 'no_plan';

add_block_preprocessor(sub {
    my $block = shift;

    $block->set_value('http_config', <<'_END_') if !defined $block->http_config;
    ratelimit_zone   zone=api:64k;
    ratelimit_policy sliding  key=$arg_k quota=50G/366d algorithm=sliding;
    ratelimit_policy fixed    key=$arg_k quota=50G/366d algorithm=fixed;
    ratelimit_policy calendar key=$arg_k quota=50G/12M  algorithm=calendar;
    ratelimit_policy gcra     key=$arg_k quota=1/366d   algorithm=gcra capacity=50G;
_END_
});

run_tests();

__DATA__

=== TEST 1: every unit of a large quota counts, however small the cost
--- config
    ratelimit_headers x-ratelimit;
    location /sliding  { ratelimit sliding  cost=$arg_c; empty_gif; }
    location /fixed    { ratelimit fixed    cost=$arg_c; empty_gif; }
    location /calendar { ratelimit calendar cost=$arg_c; empty_gif; }
    location /gcra     { ratelimit gcra     cost=$arg_c; empty_gif; }
--- request eval
[map { my $name = $_; map { "GET /$name?k=a&c=$_" } 1, 1, 20000, "5G", 44999979998, 1, 0 } qw(sliding fixed calendar gcra)]
--- error_code eval
[(200, 200, 200, 200, 200, 429, 200) x 4]
--- response_headers eval
[map { "X-RateLimit-Limit: 50000000000\r\nX-RateLimit-Remaining: $_" } (49999999999, 49999999998, 49999979998, 44999979998, 0, 0, 0) x 4]



=== TEST 2: suffixes are of units; in a window they are of time
--- http_config
    ratelimit_zone   zone=api:64k;
    ratelimit_policy k key=$arg_k quota=5k/1m;
    ratelimit_policy m key=$arg_k quota=10M/1h;
    ratelimit_policy g key=$arg_k quota=50G/1d algorithm=fixed;
    ratelimit_policy t key=$arg_k quota=999T/12M algorithm=calendar;
--- config
    location /t { ratelimit k m g t; ratelimit_headers per-policy prefix=X- ietf; empty_gif; }
--- request
GET /t?k=a
--- response_headers
X-k-max: 5000
X-m-max: 10000000
X-g-max: 50000000000
X-t-max: 999000000000000
X-t-remaining: 998999999999999
RateLimit-Policy: "k";q=5000;w=60, "m";q=10000000;w=3600, "g";q=50000000000;w=86400, "t";q=999000000000000



=== TEST 3: settled costs, into debt and back; operators see every unit
--- config
    ratelimit_headers x-ratelimit;
    location /fixed    { ratelimit fixed    cost=$arg_c settle=$arg_s; empty_gif; }
    location /sliding  { ratelimit sliding  cost=$arg_c settle=$arg_s; empty_gif; }
    location /calendar { ratelimit calendar cost=$arg_c settle=$arg_s; empty_gif; }
    location /gcra     { ratelimit gcra     cost=$arg_c settle=$arg_s; empty_gif; }
    location /api      { ratelimit_api; allow all; }
--- request eval
[(map { ("GET /$_?k=a&c=40G&s=10G", "GET /$_?k=a&c=20G&s=7", "GET /$_?k=a&c=1&s=2T", "GET /$_?k=a&c=1&s=1", "GET /$_?k=a&c=0&s=0") }
  qw(sliding fixed calendar gcra)), "GET /api/metrics"]
--- error_code eval
[(200, 200, 200, 429, 200) x 4, 200]
--- response_headers eval
[(map { "X-RateLimit-Remaining: $_" } (40000000000, 39999999993, 0, 0, 0) x 4), ""]
--- response_body_filters eval
[([sub { "" }]) x 20, [RateLimit::lines_like(qr/^nginx_ratelimit_units_total\{.*policy="fixed",(.*)/)]]
--- response_body eval
[('') x 20, <<'_END_']
kind="reserved"} 60000000001
kind="settled"} 1999999999999
kind="returned"} 49999999993
_END_



=== TEST 4: what a variable yields beyond the maximum is the maximum
--- http_config
    ratelimit_zone   zone=api:64k;
    ratelimit_policy any key=$arg_k quota=$arg_q scale=$arg_p algorithm=fixed;
--- config
    location /t { ratelimit any cost=$arg_c; ratelimit_headers x-ratelimit; empty_gif; }
--- request eval
["GET /t?k=a&q=5000T/1h&c=1", "GET /t?k=a&q=900T/1h&p=10000%&c=1", "GET /t?k=b&q=3G/1h&p=33.333%&c=1",
 "GET /t?k=c&q=900T/1h&c=99999999999999999999", "GET /t?k=c&q=900T/1h&c=900T"]
--- error_code eval
[200, 200, 200, 429, 200]
--- response_headers eval
["X-RateLimit-Limit: 999999999999999\r\nX-RateLimit-Remaining: 999999999999998",
 "X-RateLimit-Limit: 999999999999999\r\nX-RateLimit-Remaining: 999999999999997",
 "X-RateLimit-Limit: 999990000\r\nX-RateLimit-Remaining: 999989999",
 "X-RateLimit-Limit: 900000000000000\r\nX-RateLimit-Remaining: 900000000000000",
 "X-RateLimit-Limit: 900000000000000\r\nX-RateLimit-Remaining: 0"]



=== TEST 5: overrides, keys and standings
--- config
    ratelimit_headers x-ratelimit;
    location /t        { ratelimit sliding cost=7; empty_gif; }
    location /api      { ratelimit_api write=on; allow all; }
    location /standing { ratelimit sliding; ratelimit_standing; }
--- request eval
["PUT /api/overrides?policy=sliding&quota=20T", "GET /t?k=a", "GET /api/keys?policy=sliding&key=a", "GET /standing?k=a",
 "PUT /api/overrides?policy=sliding&quota=1000T"]
--- error_code eval
[200, 200, 200, 200, 400]
--- response_headers eval
["", "X-RateLimit-Limit: 20000000000000\r\nX-RateLimit-Remaining: 19999999999993", "", "", ""]
--- response_body_filters eval
[Api::at("overrides.0.quota_units"), Api::any(), Api::at("limit", "remaining"), [sub { RateLimit::standing($_[0]) =~ s/ \d+$//mr }],
 Api::at("detail")]
--- response_body eval
["overrides.0.quota_units: 20000000000000\n", "", "limit: 20000000000000\nremaining: 19999999999993\n",
 "sliding 20000000000000 7 19999999999993\n",
 "detail: invalid \"quota=\", it must be an integer of 0 to 999999999999999, or \"unlimited\"\n"]



=== TEST 6: a quota that grows large, and becomes small again, forgets nothing
--- http_config
    ratelimit_zone   zone=api:64k;
    ratelimit_policy sliding  key=$arg_k quota=$arg_q/366d algorithm=sliding;
    ratelimit_policy fixed    key=$arg_k quota=$arg_q/366d algorithm=fixed;
    ratelimit_policy calendar key=$arg_k quota=$arg_q/12M  algorithm=calendar;
--- config
    ratelimit_headers x-ratelimit;
    location /sliding  { ratelimit sliding  cost=$arg_c; empty_gif; }
    location /fixed    { ratelimit fixed    cost=$arg_c; empty_gif; }
    location /calendar { ratelimit calendar cost=$arg_c; empty_gif; }
--- request eval
[map { ("GET /$_?k=a&q=1000&c=600", "GET /$_?k=a&q=70000&c=600", "GET /$_?k=a&q=9T&c=600", "GET /$_?k=a&q=9T&c=1T",
        "GET /$_?k=a&q=2G&c=1", "GET /$_?k=a&q=2T&c=1", "GET /$_?k=b&q=9T&c=600", "GET /$_?k=b&q=1000&c=300", "GET /$_?k=b&q=1000&c=300") }
 qw(sliding fixed calendar)]
--- error_code eval
[(200, 200, 200, 200, 429, 200, 200, 200, 429) x 3]
--- response_headers eval
[map { "X-RateLimit-Remaining: $_" } (400, 68800, 8999999998200, 7999999998200, 0, 999999998199, 8999999999400, 100, 100) x 3]
