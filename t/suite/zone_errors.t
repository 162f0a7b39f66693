use lib 't/lib';
use ConfErrors;
use Test::Nginx::Socket 'no_plan';

run_tests();

__DATA__

=== TEST 1: ratelimit_zone needs a parameter
--- http_config
    ratelimit_zone;
--- error_log
invalid number of arguments in "ratelimit_zone" directive in


=== TEST 2: ratelimit_zone without a size
--- http_config
    ratelimit_zone zone=api;
--- error_log
invalid zone "api" in "ratelimit_zone", it must be NAME:SIZE with a SIZE such as 64m or 1g, at least 64k in


=== TEST 3: ratelimit_zone without anything
--- http_config
    ratelimit_zone zone=;
--- error_log
invalid zone "" in "ratelimit_zone", it must be NAME:SIZE with a SIZE such as 64m or 1g, at least 64k in


=== TEST 4: ratelimit_zone without a name
--- http_config
    ratelimit_zone zone=:64k;
--- error_log
invalid zone ":64k" in "ratelimit_zone", it must be NAME:SIZE with a SIZE such as 64m or 1g, at least 64k in


=== TEST 5: ratelimit_zone with an empty size
--- http_config
    ratelimit_zone zone=api:;
--- error_log
invalid zone "api:" in "ratelimit_zone", it must be NAME:SIZE with a SIZE such as 64m or 1g, at least 64k in


=== TEST 6: ratelimit_zone of less than 64k
--- http_config
    ratelimit_zone zone=api:63k;
--- error_log
invalid zone "api:63k" in "ratelimit_zone", it must be NAME:SIZE with a SIZE such as 64m or 1g, at least 64k in


=== TEST 7: ratelimit_zone of size 0
--- http_config
    ratelimit_zone zone=api:0;
--- error_log
invalid zone "api:0" in "ratelimit_zone", it must be NAME:SIZE with a SIZE such as 64m or 1g, at least 64k in


=== TEST 8: ratelimit_zone of negative size
--- http_config
    ratelimit_zone zone=api:-1;
--- error_log
invalid zone "api:-1" in "ratelimit_zone", it must be NAME:SIZE with a SIZE such as 64m or 1g, at least 64k in


=== TEST 9: ratelimit_zone of a size that is none
--- http_config
    ratelimit_zone zone=api:lots;
--- error_log
invalid zone "api:lots" in "ratelimit_zone", it must be NAME:SIZE with a SIZE such as 64m or 1g, at least 64k in


=== TEST 10: ratelimit_zone of a size that overflows
--- http_config
    ratelimit_zone zone=api:99999999999999g;
--- error_log
invalid zone "api:99999999999999g" in "ratelimit_zone", it must be NAME:SIZE with a SIZE such as 64m or 1g, at least 64k in


=== TEST 11: ratelimit_zone with zone= twice
--- http_config
    ratelimit_zone zone=api:64k zone=b:64k;
--- error_log
duplicate parameter "zone=b:64k" in "ratelimit_zone" in


=== TEST 12: ratelimit_zone with an unknown parameter
--- http_config
    ratelimit_zone zone=api:64k size=1m;
--- error_log
invalid parameter "size=1m" in "ratelimit_zone", it must be 


=== TEST 13: ratelimit_zone with a bare name
--- http_config
    ratelimit_zone api:64k;
--- error_log
invalid parameter "api:64k" in "ratelimit_zone", it must be 


=== TEST 14: two zones of one name
--- http_config
    ratelimit_zone zone=api:64k;
    ratelimit_zone zone=api:1m;
--- error_log
duplicate zone "api" in "ratelimit_zone" in


=== TEST 15: ratelimit_zone is for http
--- directive
    ratelimit_zone zone=b:64k;
--- error_log
"ratelimit_zone" directive is not allowed here in
