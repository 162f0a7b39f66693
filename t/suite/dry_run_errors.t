use lib 't/lib';
use ConfErrors;
use Test::Nginx::Socket 'no_plan';

run_tests();

__DATA__

=== TEST 185: ratelimit_dry_run inside if
--- directive
    location /t { if ($arg_x) { ratelimit_dry_run on; } }
--- error_log
"ratelimit_dry_run" directive is not allowed here in


=== TEST 241: ratelimit_dry_run needs a value
--- directive
    ratelimit_dry_run;
--- error_log
invalid number of arguments in "ratelimit_dry_run" directive in


=== TEST 242: ratelimit_dry_run yes
--- directive
    ratelimit_dry_run yes;
--- error_log
invalid dry_run "yes" in "ratelimit_dry_run", it must be on, off or a variable in


=== TEST 243: ratelimit_dry_run 1
--- directive
    ratelimit_dry_run 1;
--- error_log
invalid dry_run "1" in "ratelimit_dry_run", it must be on, off or a variable in


=== TEST 244: ratelimit_dry_run On
--- directive
    ratelimit_dry_run On;
--- error_log
invalid dry_run "On" in "ratelimit_dry_run", it must be on, off or a variable in


=== TEST 245: ratelimit_dry_run of a variable that does not exist
--- directive
    ratelimit_dry_run $nosuch;
--- error_log
unknown "nosuch" variable


=== TEST 246: ratelimit_dry_run twice
--- directive
    ratelimit_dry_run on;
    ratelimit_dry_run on;
--- error_log
"ratelimit_dry_run" directive is duplicate in
