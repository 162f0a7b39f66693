use lib 't/lib';
use ConfErrors;
use Test::Nginx::Socket 'no_plan';

run_tests();

__DATA__

=== TEST 183: ratelimit_status inside if
--- directive
    location /t { if ($arg_x) { ratelimit_status 429; } }
--- error_log
"ratelimit_status" directive is not allowed here in


=== TEST 184: ratelimit_body inside if
--- directive
    location /t { if ($arg_x) { ratelimit_body problem; } }
--- error_log
"ratelimit_body" directive is not allowed here in


=== TEST 220: ratelimit_status needs a code
--- directive
    ratelimit_status;
--- error_log
invalid number of arguments in "ratelimit_status" directive in


=== TEST 221: ratelimit_status 399
--- directive
    ratelimit_status 399;
--- error_log
invalid status "399" in "ratelimit_status", it must be a code of 400 to 599 in


=== TEST 222: ratelimit_status 600
--- directive
    ratelimit_status 600;
--- error_log
invalid status "600" in "ratelimit_status", it must be a code of 400 to 599 in


=== TEST 223: ratelimit_status x
--- directive
    ratelimit_status x;
--- error_log
invalid status "x" in "ratelimit_status", it must be a code of 400 to 599 in


=== TEST 224: ratelimit_status -1
--- directive
    ratelimit_status -1;
--- error_log
invalid status "-1" in "ratelimit_status", it must be a code of 400 to 599 in


=== TEST 225: ratelimit_status 0
--- directive
    ratelimit_status 0;
--- error_log
invalid status "0" in "ratelimit_status", it must be a code of 400 to 599 in


=== TEST 226: ratelimit_status 4290
--- directive
    ratelimit_status 4290;
--- error_log
invalid status "4290" in "ratelimit_status", it must be a code of 400 to 599 in


=== TEST 227: ratelimit_status 429.5
--- directive
    ratelimit_status 429.5;
--- error_log
invalid status "429.5" in "ratelimit_status", it must be a code of 400 to 599 in


=== TEST 228: ratelimit_status with two codes
--- directive
    ratelimit_status 429 503;
--- error_log
invalid number of arguments in "ratelimit_status" directive in


=== TEST 229: ratelimit_status twice
--- directive
    ratelimit_status 429;
    ratelimit_status 503;
--- error_log
"ratelimit_status" directive is duplicate in


=== TEST 230: ratelimit_body needs a value
--- directive
    ratelimit_body;
--- error_log
invalid number of arguments in "ratelimit_body" directive in


=== TEST 231: ratelimit_body on
--- directive
    ratelimit_body on;
--- error_log
invalid value "on" in "ratelimit_body", it must be off, problem, grpc or a content type and a text in


=== TEST 232: ratelimit_body json
--- directive
    ratelimit_body json;
--- error_log
invalid value "json" in "ratelimit_body", it must be off, problem, grpc or a content type and a text in


=== TEST 233: ratelimit_body of the type text
--- directive
    ratelimit_body text hello;
--- error_log
invalid content type "text" in "ratelimit_body", it must be a media type such as application/json in


=== TEST 234: ratelimit_body of the type problem
--- directive
    ratelimit_body problem hello;
--- error_log
invalid content type "problem" in "ratelimit_body", it must be a media type such as application/json in


=== TEST 235: ratelimit_body with two texts
--- directive
    ratelimit_body text/plain a b;
--- error_log
invalid number of arguments in "ratelimit_body" directive in


=== TEST 236: ratelimit_body of text/plain with a variable that does not exist
--- directive
    ratelimit_body text/plain $nosuch;
--- error_log
unknown "nosuch" variable


=== TEST 237: ratelimit_body of text/plain with a brace left open
--- directive
    ratelimit_body text/plain "${arg_x";
--- error_log
the closing bracket in "arg_x" variable is missing in


=== TEST 238: ratelimit_body of application/json with a variable that does not exist
--- directive
    ratelimit_body application/json $nosuch;
--- error_log
unknown "nosuch" variable


=== TEST 239: ratelimit_body of application/json with a brace left open
--- directive
    ratelimit_body application/json "${arg_x";
--- error_log
the closing bracket in "arg_x" variable is missing in


=== TEST 240: ratelimit_body twice
--- directive
    ratelimit_body off;
    ratelimit_body problem;
--- error_log
"ratelimit_body" directive is duplicate in


=== TEST 341: ratelimit_status 408
--- directive
    ratelimit_status 408;
--- error_log
invalid status "408" in "ratelimit_status", it must be a code that nginx sends, and 408, 494 to 497 and 499 are its own: it closes or says 400 in


=== TEST 342: ratelimit_status 494
--- directive
    ratelimit_status 494;
--- error_log
invalid status "494" in "ratelimit_status", it must be a code that nginx sends, and 408, 494 to 497 and 499 are its own: it closes or says 400 in


=== TEST 343: ratelimit_status 497
--- directive
    ratelimit_status 497;
--- error_log
invalid status "497" in "ratelimit_status", it must be a code that nginx sends, and 408, 494 to 497 and 499 are its own: it closes or says 400 in


=== TEST 344: ratelimit_status 499
--- directive
    ratelimit_status 499;
--- error_log
invalid status "499" in "ratelimit_status", it must be a code that nginx sends, and 408, 494 to 497 and 499 are its own: it closes or says 400 in


=== TEST 345: ratelimit_body of one word
--- directive
    ratelimit_body nothing;
--- error_log
invalid value "nothing" in "ratelimit_body", it must be off, problem, grpc or a content type and a text in
