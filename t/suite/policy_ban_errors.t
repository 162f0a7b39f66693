use lib 't/lib';
use ConfErrors;
use Test::Nginx::Socket 'no_plan';

run_tests();

__DATA__

=== TEST 1: a ban without an end
--- http_config
    ratelimit_zone   zone=api:64k;
    ratelimit_policy login key=$arg_k quota=5/1m ban=10;
--- error_log
invalid ban "10" in "ratelimit_policy", it must be up to 8 times such as "10m,1h,1d", of 1s to 366d, each longer than the one before in


=== TEST 2: shorter the next time
--- http_config
    ratelimit_zone   zone=api:64k;
    ratelimit_policy login key=$arg_k quota=5/1m ban=1h,10m;
--- error_log
invalid ban "1h,10m" in "ratelimit_policy", it must be up to 8 times such as "10m,1h,1d", of 1s to 366d, each longer than the one before in


=== TEST 3: after none
--- http_config
    ratelimit_zone   zone=api:64k;
    ratelimit_policy login key=$arg_k quota=5/1m ban=10m after=0;
--- error_log
invalid after "0" in "ratelimit_policy", it must be an integer of 1 to 255 in


=== TEST 4: after too many
--- http_config
    ratelimit_zone   zone=api:64k;
    ratelimit_policy login key=$arg_k quota=5/1m ban=10m after=256;
--- error_log
invalid after "256" in "ratelimit_policy", it must be an integer of 1 to 255 in


=== TEST 5: after what
--- http_config
    ratelimit_zone   zone=api:64k;
    ratelimit_policy login key=$arg_k quota=5/1m after=5;
--- error_log
invalid after "5" in "ratelimit_policy", it must stand beside "ban=" in


=== TEST 6: nothing restarts
--- http_config
    ratelimit_zone   zone=api:64k;
    ratelimit_policy login key=$arg_k quota=5/1m ban_restarts;
--- error_log
invalid parameter "ban_restarts" in "ratelimit_policy", it must stand beside "ban=" in


=== TEST 7: of requests at once
--- http_config
    ratelimit_zone   zone=api:64k;
    ratelimit_policy login key=$arg_k concurrent=5 ban=10m;
--- error_log
invalid ban "10m" in "ratelimit_policy", it must not stand beside "concurrent=", which has no window in


=== TEST 8: where requests wait, also in a zone that machines share
--- http_config
    ratelimit_redis  r server=127.0.0.1:1;
    ratelimit_zone   zone=api:64k redis=r;
    ratelimit_zone   zone=here:64k;
    ratelimit_policy login key=$arg_k quota=5/1m ban=10m zone=api;
    ratelimit_policy line  key=$arg_k quota=5/1m algorithm=gcra zone=here;
--- config
    location /t { ratelimit line wait=5s; ratelimit login; }
--- error_log
"wait=" of the policy "line" must not be decided together with the policy "login" that has "ban=" in


=== TEST 9: twice
--- http_config
    ratelimit_zone   zone=api:64k;
    ratelimit_policy login key=$arg_k quota=5/1m ban=10m ban=20m;
--- error_log
duplicate parameter "ban=20m" in "ratelimit_policy" in
