use lib 't/lib';
use ConfErrors;
use Test::Nginx::Socket 'no_plan';

run_tests();

__DATA__

=== TEST 1: it is a number of requests, not a rate
--- http_config
    ratelimit_zone   zone=api:64k;
    ratelimit_policy place key=$arg_k concurrent=10/1s;
--- error_log
invalid concurrent "10/1s" in "ratelimit_policy", it must be an integer of 0 to 1000000, or "unlimited" in


=== TEST 2: no more than the bucket counts
--- http_config
    ratelimit_zone   zone=api:64k;
    ratelimit_policy place key=$arg_k concurrent=1000001;
--- error_log
invalid concurrent "1000001" in "ratelimit_policy", it must be an integer of 0 to 1000000, or "unlimited" in


=== TEST 3: beside a quota
--- http_config
    ratelimit_zone   zone=api:64k;
    ratelimit_policy place key=$arg_k quota=5/1s concurrent=10;
--- error_log
invalid quota "5/1s" in "ratelimit_policy", it must not stand beside "concurrent=": that takes a policy of its own in


=== TEST 4: beside an algorithm
--- http_config
    ratelimit_zone   zone=api:64k;
    ratelimit_policy place key=$arg_k concurrent=10 algorithm=gcra;
--- error_log
invalid algorithm "gcra" in "ratelimit_policy", it must not stand beside "concurrent=" in


=== TEST 5: with a condition on the response
--- http_config
    ratelimit_zone   zone=api:64k;
    ratelimit_policy place key=$arg_k concurrent=10 skip_status=304;
--- error_log
invalid concurrent "10" in "ratelimit_policy", it must not stand beside "skip_status=", "skip_if=", "count_status=" or "count_if=" in


=== TEST 6: with a capacity
--- http_config
    ratelimit_zone   zone=api:64k;
    ratelimit_policy place key=$arg_k concurrent=10 capacity=20;
--- error_log
invalid capacity "20" in "ratelimit_policy", it must stand beside algorithm=gcra in


=== TEST 7: with a time zone
--- http_config
    ratelimit_zone   zone=api:64k;
    ratelimit_policy place key=$arg_k concurrent=10 tz=Z;
--- error_log
invalid tz "Z" in "ratelimit_policy", it must stand beside algorithm=calendar in


=== TEST 8: with a final cost
--- http_config
    ratelimit_zone   zone=api:64k;
    ratelimit_policy place key=$arg_k concurrent=10;
--- config
    location /t { ratelimit place settle=$upstream_http_x_cost; }
--- error_log
"settle=" must not stand at the policy "place" with "concurrent=" in


=== TEST 9: in a zone that machines share
--- http_config
    ratelimit_redis  r server=127.0.0.1:1;
    ratelimit_zone   zone=api:64k redis=r;
    ratelimit_policy place key=$arg_k concurrent=10;
--- error_log
"ratelimit_policy" "place" with "concurrent=" must not be in the shared zone "api": each machine has its own in
