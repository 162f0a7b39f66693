use lib 't/lib';
use ConfErrors;
use Test::Nginx::Socket 'no_plan';

run_tests();

__DATA__

=== TEST 1: for ever
--- directive
    ratelimit token wait=61s;
--- error_log
invalid wait "61s" in "ratelimit", it must be an integer with ms, s or m behind it, of 1ms to 60s in


=== TEST 2: no time
--- directive
    ratelimit token wait=2;
--- error_log
invalid wait "2" in "ratelimit", it must be an integer with ms, s or m behind it, of 1ms to 60s in


=== TEST 3: a queue of none
--- directive
    ratelimit token wait=2s queue=0;
--- error_log
invalid queue "0" in "ratelimit", it must be an integer of 1 to 100000 in


=== TEST 4: a queue for what
--- directive
    ratelimit token queue=20;
--- error_log
"ratelimit" directive has "queue=" without "wait=" in


=== TEST 5: of a policy that bans
--- http_config
    ratelimit_zone   zone=api:64k;
    ratelimit_policy token key=$arg_k quota=1/1h ban=10m;
--- directive
    ratelimit token wait=2s;
--- error_log
"wait=" of the policy "token" must not be decided together with the policy "token" that has "ban=" in


=== TEST 6: of a zone that machines share
--- http_config
    ratelimit_redis  r server=127.0.0.1:1;
    ratelimit_zone   zone=api:64k redis=r;
    ratelimit_policy token key=$arg_k quota=1/1h;
--- directive
    ratelimit token wait=2s;
--- error_log
"wait=" of the policy "token" must not be decided together with the policy "token" of a shared zone in



=== TEST 7: beside a policy that bans
--- http_config
    ratelimit_zone   zone=api:64k;
    ratelimit_policy login key=$arg_k quota=1/1h ban=10m;
    ratelimit_policy pace  key=$arg_k quota=1/1s algorithm=gcra;
--- directive
    ratelimit login;
    ratelimit pace wait=2s;
--- error_log
"wait=" of the policy "pace" must not be decided together with the policy "login" that has "ban=" in
