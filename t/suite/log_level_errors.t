use lib 't/lib';
use ConfErrors;
use Test::Nginx::Socket 'no_plan';

run_tests();

__DATA__

=== TEST 186: ratelimit_log_level inside if
--- directive
    location /t { if ($arg_x) { ratelimit_log_level info; } }
--- error_log
"ratelimit_log_level" directive is not allowed here in


=== TEST 247: ratelimit_log_level needs a level
--- directive
    ratelimit_log_level;
--- error_log
invalid number of arguments in "ratelimit_log_level" directive in


=== TEST 248: ratelimit_log_level debug
--- directive
    ratelimit_log_level debug;
--- error_log
invalid value "debug" in "ratelimit_log_level", it must be one of info, notice, warn, error in


=== TEST 249: ratelimit_log_level crit
--- directive
    ratelimit_log_level crit;
--- error_log
invalid value "crit" in "ratelimit_log_level", it must be one of info, notice, warn, error in


=== TEST 250: ratelimit_log_level Error
--- directive
    ratelimit_log_level Error;
--- error_log
invalid value "Error" in "ratelimit_log_level", it must be one of info, notice, warn, error in


=== TEST 251: ratelimit_log_level twice
--- directive
    ratelimit_log_level info;
    ratelimit_log_level warn;
--- error_log
"ratelimit_log_level" directive is duplicate in
