use lib 't/lib';
use ConfErrors;
use Test::Nginx::Socket 'no_plan';

run_tests();

__DATA__

=== TEST 268: ratelimit_on_error needs a value
--- directive
    ratelimit_on_error;
--- error_log
invalid number of arguments in "ratelimit_on_error" directive in


=== TEST 269: ratelimit_on_error on
--- directive
    ratelimit_on_error on;
--- error_log
invalid value "on" in "ratelimit_on_error", it must be one of pass, refuse in


=== TEST 270: ratelimit_on_error twice
--- directive
    ratelimit_on_error pass;
    ratelimit_on_error refuse;
--- error_log
"ratelimit_on_error" directive is duplicate in


=== TEST 271: ratelimit_on_error inside if
--- directive
    location /t { if ($arg_x) { ratelimit_on_error refuse; } }
--- error_log
"ratelimit_on_error" directive is not allowed here in


=== TEST 272: ratelimit_on_error inside limit_except
--- directive
    location /t { limit_except GET { ratelimit_on_error refuse; } }
--- error_log
"ratelimit_on_error" directive is not allowed here in
