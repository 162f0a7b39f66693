use lib 't/lib';
use ConfErrors;
use Test::Nginx::Socket 'no_plan';

run_tests();

__DATA__

=== TEST 1: ratelimit_standing outside of a location
--- directive
    ratelimit_standing;
--- error_log
"ratelimit_standing" directive is not allowed here in


=== TEST 2: ratelimit_standing has no parameters
--- directive
    location /t { ratelimit_standing on; }
--- error_log
invalid number of arguments in "ratelimit_standing" directive in


=== TEST 3: ratelimit_standing twice
--- directive
    location /t { ratelimit_standing; ratelimit_standing; }
--- error_log
"ratelimit_standing" directive is duplicate in


=== TEST 4: behind it another directive that answers, whose requests would not be limited
--- directive
    location /t { ratelimit token; ratelimit_standing; empty_gif; }
--- error_log
"ratelimit_standing" must be the only directive that answers requests of its location in


=== TEST 5: before it another one
--- directive
    location /t { ratelimit token; proxy_pass http://127.0.0.1:1; ratelimit_standing; }
--- error_log
"ratelimit_standing" directive must be the only one that answers requests of its location in
