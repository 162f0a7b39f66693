use lib 't/lib';
use ConfErrors;
use Test::Nginx::Socket 'no_plan';

add_block_preprocessor(sub {
    my $block = shift;

    $block->set_value('http_config', <<'_END_' . ($block->usage // ''));
    ratelimit_zone   zone=api:64k;
    ratelimit_policy token key=$arg_k quota=1/1h;
_END_
});

run_tests();

__DATA__

=== TEST 1: no variable
--- usage
    ratelimit_usage tokens json=/a;
--- error_log
invalid variable "tokens" in "ratelimit_usage", it must be a name behind "$" in


=== TEST 2: no pointer
--- usage
    ratelimit_usage $tokens max=1k;
--- error_log
"ratelimit_usage" directive needs "json=" in


=== TEST 3: a pointer that is none
--- usage
    ratelimit_usage $tokens json=usage;
--- error_log
invalid json "usage" in "ratelimit_usage", it must be JSON pointers such as "/usage/total_tokens", in which "~0" stands for "~" and "~1" for "/", separated by "|" where they give the same number in


=== TEST 4: one of several that is none
--- usage
    ratelimit_usage $tokens json=/a|;
--- error_log
invalid json "/a|" in "ratelimit_usage", it must be JSON pointers


=== TEST 5: more values than are added up
--- usage
    ratelimit_usage $tokens json=/1 json=/2 json=/3 json=/4 json=/5 json=/6 json=/7 json=/8 json=/9;
--- error_log
"ratelimit_usage" directive adds up more than 8 values in


=== TEST 6: types that are none
--- usage
    ratelimit_usage $tokens json=/a types=json;
--- error_log
invalid types "json" in "ratelimit_usage", it must be media types, separated by "," in


=== TEST 7: too little memory
--- usage
    ratelimit_usage $tokens json=/a max=100;
--- error_log
invalid max "100" in "ratelimit_usage", it must be a size of 1k to 16m in


=== TEST 8: a parameter twice
--- usage
    ratelimit_usage $tokens json=/a max=1k max=2k;
--- error_log
duplicate parameter "max=2k" in "ratelimit_usage" in


=== TEST 9: an unknown parameter
--- usage
    ratelimit_usage $tokens json=/a min=1;
--- error_log
invalid parameter "min=1" in "ratelimit_usage", it must be one of json=, types=, max= in


=== TEST 10: in settle= without settle_at=end
--- usage
    ratelimit_usage $tokens json=/a;
--- directive
    ratelimit token settle=$tokens;
--- error_log
"settle=" with "$tokens" needs "settle_at=end" in


=== TEST 11: a variable of nginx's
--- usage
    ratelimit_usage $request_time json=/a;
--- error_log
the duplicate "request_time" variable in


=== TEST 12: in a location
--- directive
    location /t { ratelimit_usage $tokens json=/a; }
--- error_log
"ratelimit_usage" directive is not allowed here in
