use lib 't/lib';
use ConfErrors;
use Test::Nginx::Socket 'no_plan';

run_tests();

__DATA__

=== TEST 181: ratelimit_inherit inside if
--- directive
    location /t { if ($arg_x) { ratelimit_inherit off; } }
--- error_log
"ratelimit_inherit" directive is not allowed here in


=== TEST 187: ratelimit_inherit needs a value
--- directive
    ratelimit_inherit;
--- error_log
invalid number of arguments in "ratelimit_inherit" directive in


=== TEST 188: ratelimit_inherit yes
--- directive
    ratelimit_inherit yes;
--- error_log
invalid value "yes" in "ratelimit_inherit", it must be one of on, off, merge in


=== TEST 189: ratelimit_inherit Merge
--- directive
    ratelimit_inherit Merge;
--- error_log
invalid value "Merge" in "ratelimit_inherit", it must be one of on, off, merge in


=== TEST 190: ratelimit_inherit with two values
--- directive
    ratelimit_inherit on off;
--- error_log
invalid number of arguments in "ratelimit_inherit" directive in


=== TEST 191: ratelimit_inherit twice
--- directive
    ratelimit_inherit on;
    ratelimit_inherit on;
--- error_log
"ratelimit_inherit" directive is duplicate in
