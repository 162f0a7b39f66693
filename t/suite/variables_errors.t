use lib 't/lib';
use ConfErrors;
use Test::Nginx::Socket 'no_plan';

run_tests();

__DATA__

=== TEST 252: $ratelimit_status of an unknown policy
--- directive
    location /t { return 200 $ratelimit_status_nope; }
--- error_log
unknown policy "nope" in variable "$ratelimit_status_nope"


=== TEST 253: $ratelimit_policy of an unknown policy
--- directive
    location /t { return 200 $ratelimit_policy_nope; }
--- error_log
unknown policy "nope" in variable "$ratelimit_policy_nope"


=== TEST 254: $ratelimit_limit of an unknown policy
--- directive
    location /t { return 200 $ratelimit_limit_nope; }
--- error_log
unknown policy "nope" in variable "$ratelimit_limit_nope"


=== TEST 255: $ratelimit_remaining of an unknown policy
--- directive
    location /t { return 200 $ratelimit_remaining_nope; }
--- error_log
unknown policy "nope" in variable "$ratelimit_remaining_nope"


=== TEST 256: $ratelimit_reset of an unknown policy
--- directive
    location /t { return 200 $ratelimit_reset_nope; }
--- error_log
unknown policy "nope" in variable "$ratelimit_reset_nope"


=== TEST 257: $ratelimit_reset_at of an unknown policy
--- directive
    location /t { return 200 $ratelimit_reset_at_nope; }
--- error_log
unknown policy "nope" in variable "$ratelimit_reset_at_nope"


=== TEST 258: $ratelimit_retry_after of an unknown policy
--- directive
    location /t { return 200 $ratelimit_retry_after_nope; }
--- error_log
unknown policy "nope" in variable "$ratelimit_retry_after_nope"


=== TEST 259: $ratelimit_window of an unknown policy
--- directive
    location /t { return 200 $ratelimit_window_nope; }
--- error_log
unknown policy "nope" in variable "$ratelimit_window_nope"


=== TEST 260: $ratelimit_key_id of an unknown policy
--- directive
    location /t { return 200 $ratelimit_key_id_nope; }
--- error_log
unknown policy "nope" in variable "$ratelimit_key_id_nope"


=== TEST 261: a variable of a policy without a name
--- directive
    location /t { return 200 "$ratelimit_policy_ x"; }
--- error_log
unknown policy "" in variable "$ratelimit_policy_"


=== TEST 262: a variable that there is not
--- directive
    location /t { return 200 $ratelimit_nope; }
--- error_log
unknown "ratelimit_nope" variable
