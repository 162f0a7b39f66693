# limit_req's words, and other limiters' ways to write a rate: nginx -t says what
# they are here.

use lib 't/lib';
use ConfErrors;
use Test::Nginx::Socket 'no_plan';

run_tests();

__DATA__

=== TEST 1: rate= of a policy
--- http_config
    ratelimit_zone   zone=api:64k;
    ratelimit_policy token key=$arg_k rate=10r/s;
--- error_log
invalid parameter "rate=10r/s" in "ratelimit_policy", it is limit_req's, here it is quota=10/1s algorithm=gcra in


=== TEST 2: a rate a minute
--- http_config
    ratelimit_zone   zone=api:64k;
    ratelimit_policy token key=$arg_k rate=30r/m;
--- error_log
invalid parameter "rate=30r/m" in "ratelimit_policy", it is limit_req's, here it is quota=30/1m algorithm=gcra in


=== TEST 3: a rate that is none
--- http_config
    ratelimit_zone   zone=api:64k;
    ratelimit_policy token key=$arg_k rate=fast;
--- error_log
invalid parameter "rate=fast" in "ratelimit_policy", it is limit_req's, here it is quota=UNITS/WINDOW algorithm=gcra in


=== TEST 4: a rate of the zone
--- http_config
    ratelimit_zone zone=one:10m rate=10r/s;
--- error_log
invalid parameter "rate=10r/s" in "ratelimit_zone", it is limit_req's, here a "ratelimit_policy" has quota=10/1s algorithm=gcra in


=== TEST 5: a key of the zone
--- http_config
    ratelimit_zone $binary_remote_addr zone=one:10m rate=10r/s;
--- error_log
invalid parameter "$binary_remote_addr" in "ratelimit_zone", it belongs to a "ratelimit_policy", as key=$binary_remote_addr in


=== TEST 6: a key without its word
--- http_config
    ratelimit_zone   zone=one:10m;
    ratelimit_policy token $binary_remote_addr quota=1/1m;
--- error_log
invalid parameter "$binary_remote_addr" in "ratelimit_policy", it must be key=$binary_remote_addr in


=== TEST 7: burst= of a policy
--- http_config
    ratelimit_zone   zone=api:64k;
    ratelimit_policy token key=$arg_k quota=10/1s burst=20;
--- error_log
invalid parameter "burst=20" in "ratelimit_policy", it is limit_req's, here it is capacity=21 algorithm=gcra in


=== TEST 8: a burst that is none
--- http_config
    ratelimit_zone   zone=api:64k;
    ratelimit_policy token key=$arg_k quota=10/1s burst=;
--- error_log
invalid parameter "burst=" in "ratelimit_policy", it is limit_req's, here it is capacity=, one more than that, with algorithm=gcra in


=== TEST 9: nodelay
--- http_config
    ratelimit_zone   zone=api:64k;
    ratelimit_policy token key=$arg_k quota=10/1s nodelay;
--- error_log
invalid parameter "nodelay" in "ratelimit_policy", it is limit_req's, and goes without saying here: requests are not delayed in


=== TEST 10: delay=
--- http_config
    ratelimit_zone   zone=api:64k;
    ratelimit_policy token key=$arg_k quota=10/1s delay=8;
--- error_log
invalid parameter "delay=8" in "ratelimit_policy", it is limit_req's, which can stand beside this where requests should be delayed in


=== TEST 11: a line as limit_req's
--- directive
    ratelimit zone=token burst=20 nodelay;
--- error_log
invalid parameter "zone=token" in "ratelimit", it is limit_req's, here the name of a "ratelimit_policy" stands alone: ratelimit token in


=== TEST 12: burst= of a line
--- directive
    ratelimit token burst=20;
--- error_log
invalid parameter "burst=20" in "ratelimit", it is limit_req's, here a "ratelimit_policy" has capacity=21 algorithm=gcra in


=== TEST 13: a quota a second
--- http_config
    ratelimit_zone   zone=api:64k;
    ratelimit_policy token key=$arg_k quota=10/s;
--- error_log
invalid quota "10/s" in "ratelimit_policy", it must be 10/1s in


=== TEST 14: a quota as limit_req's rate
--- http_config
    ratelimit_zone   zone=api:64k;
    ratelimit_policy token key=$arg_k quota=10r/s;
--- error_log
invalid quota "10r/s" in "ratelimit_policy", it must be 10/1s in


=== TEST 15: a quota in words
--- http_config
    ratelimit_zone   zone=api:64k;
    ratelimit_policy token key=$arg_k quota=100/minute;
--- error_log
invalid quota "100/minute" in "ratelimit_policy", it must be 100/1m in


=== TEST 16: a quota a month
--- http_config
    ratelimit_zone   zone=api:64k;
    ratelimit_policy token key=$arg_k quota=10000/month;
--- error_log
invalid quota "10000/month" in "ratelimit_policy", it must be 10000/1M with algorithm=calendar in


=== TEST 17: what is nothing like that is told all that is allowed
--- http_config
    ratelimit_zone   zone=api:64k;
    ratelimit_policy token key=$arg_k quota=9999999999999999r/s;
--- error_log
invalid quota "9999999999999999r/s" in "ratelimit_policy", it must be UNITS/WINDOW such as
