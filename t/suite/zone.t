use lib 't/lib';
use RateLimit;
use Test::Nginx::Socket 'no_plan';

run_tests();

__DATA__

=== TEST 1: start-up says how many keys a zone holds
--- http_config
    ratelimit_zone zone=api:1m;
--- error_code: 404
--- request
GET /nothing
--- error_log
[notice]
ratelimit: zone "api" of 1048576 bytes holds 15810 buckets



=== TEST 2: 64k is the least
--- http_config
    ratelimit_zone zone=api:64k;
--- error_code: 404
--- request
GET /nothing
--- error_log
ratelimit: zone "api" of 65536 bytes holds 930 buckets



=== TEST 3: a size may be in bytes, a large one in megabytes
--- http_config
    ratelimit_zone zone=one:65536;
    ratelimit_zone zone=two:2M;
--- error_code: 404
--- request
GET /nothing
--- error_log
ratelimit: zone "one" of 65536 bytes holds 930 buckets
ratelimit: zone "two" of 2097152 bytes holds 31682 buckets



=== TEST 4: where exactly one zone exists it is every policy's
--- http_config
    ratelimit_policy one key=$arg_k quota=1/1h;
    ratelimit_zone   zone=api:64k;
    ratelimit_policy two key=$arg_k quota=1/1h;
--- config
    location /one { ratelimit one; empty_gif; }
    location /two { ratelimit two; empty_gif; }
--- request eval
["GET /one?k=a", "GET /two?k=a", "GET /one?k=a", "GET /two?k=a"]
--- error_code eval
[200, 200, 429, 429]



=== TEST 5: policies in different zones still decide all or none
--- http_config
    ratelimit_zone   zone=first:64k;
    ratelimit_zone   zone=second:64k;
    ratelimit_policy one zone=first  key=$arg_one quota=1/1h;
    ratelimit_policy two zone=second key=$arg_two quota=1/1h;
--- config
    location /t {
        ratelimit one;
        ratelimit two;
        empty_gif;
    }
--- request eval
["GET /t?one=a&two=a", "GET /t?one=a&two=b", "GET /t?one=b&two=b"]
--- error_code eval
[200, 429, 200]



=== TEST 6: zone= names the only zone as well
--- http_config
    ratelimit_zone   zone=api:64k;
    ratelimit_policy token zone=api key=$arg_k quota=1/1h;
--- config
    location /t { ratelimit token; empty_gif; }
--- request eval
["GET /t?k=a", "GET /t?k=a"]
--- error_code eval
[200, 429]



=== TEST 7: a zone may be defined behind the policies that live in it
--- http_config
    ratelimit_policy one zone=second key=$arg_k quota=1/1h;
    ratelimit_zone   zone=first:64k;
    ratelimit_zone   zone=second:64k;
--- config
    location /t { ratelimit one; empty_gif; }
--- request eval
["GET /t?k=a", "GET /t?k=a"]
--- error_code eval
[200, 429]



=== TEST 8: a zone that no policy uses is harmless
--- http_config
    ratelimit_zone zone=idle:64k;
--- config
    location /t { empty_gif; }



=== TEST 9: a full zone makes room for strangers and says so once
--- http_config
    ratelimit_zone   zone=api:64k;
    ratelimit_policy token key=$arg_k quota=2/1h;
--- config
    location /t { ratelimit token; empty_gif; keepalive_requests 100000; }
    location /log { default_type text/plain; alias $TEST_NGINX_SERVER_ROOT/logs/error.log; }
--- init
my $answers = RateLimit::pipeline(3000, sub { "/t?k=$_[0]" });
RateLimit::publish('answers', CORE::join '', map { "$_: $answers->{$_}\n" } sort keys %$answers);
--- request eval
["GET /answers", "GET /t?k=last", "GET /log"]
--- wait: 1.05
--- error_code eval
[200, 200, 200]
--- response_body_filters eval
[[sub { $_[0] }], [sub { "" }],
 [RateLimit::lines_like(qr/\[warn\] .*(zone "api" is full, )\d+ buckets with units in use evicted since the last such line/)]]
--- response_body eval
["200: 3000\n", "", "zone \"api\" is full, \n"]



=== TEST 10: a zone that the core could not number is refused, as its memory would not be used
--- http_config
    ratelimit_zone zone=api:262145m;
--- config
--- must_die
--- suppress_stderr
--- error_log
invalid zone "api:262145m" in "ratelimit_zone", it must not be larger than 256g in
--- no_error_log
[alert]



=== TEST 11: a zone cannot have the name of memory that is no zone
--- http_config
    ratelimit_zone zone=ngx_http_ratelimit_processes:1m;
--- config
--- must_die
--- suppress_stderr
--- error_log
invalid zone "ngx_http_ratelimit_processes:1m" in "ratelimit_zone", it must not begin with ngx_http_ratelimit_ in
--- no_error_log
[alert]
