use lib 't/lib';
use RateLimit;
use Test::Nginx::Socket 'no_plan';

# What "ratelimit_standing" tells, as RateLimit::standing has it, a policy a line.
add_block_preprocessor(sub {
    my $block = shift;

    $block->set_value('response_body_filters', [\&RateLimit::standing])
        if !defined $block->response_body_filters && !defined $block->must_die;
});

run_tests();

__DATA__

=== TEST 1: every policy that holds there, and nothing is charged
--- timed
--- http_config
    ratelimit_zone   zone=api:64k;
    ratelimit_policy token  key=$arg_k quota=9/1m algorithm=fixed;
    ratelimit_policy bucket key=$arg_k quota=60/1m algorithm=gcra capacity=5;
    ratelimit_policy slides key=$arg_k quota=7/1m;
--- config
    ratelimit token bucket slides;
    location /t { empty_gif; }
    location = /rate_limit { ratelimit_standing; }
--- request eval
[("GET /rate_limit?k=a") x 12, ("GET /t?k=a") x 3, "GET /rate_limit?k=a"]
--- response_body_like eval
[("^bucket 5 0 5 [01]\nslides 7 0 7 \\d+\ntoken 9 0 9 \\d+\n\$") x 12, ("^\$") x 3, "^bucket 5 3 2 [34]\nslides 7 3 4 (60|61|62|63|64)\ntoken 9 3 6 (60|61)\n\$"]



=== TEST 2: the JSON itself, which nobody is to keep
--- http_config
    ratelimit_zone   zone=api:64k;
    ratelimit_policy token key=$arg_k quota=9/1m algorithm=calendar;
    ratelimit_policy open  key=$arg_k quota=unlimited;
--- config
    location /rate_limit { ratelimit token open; ratelimit_standing; }
--- request
GET /rate_limit?k=a
--- response_body_filters eval
sub { $_[0] =~ s/"reset": 1\d{9}/"reset": WHEN/r }
--- response_body
{
  "resources": {
    "token": {
      "limit": 9,
      "used": 0,
      "remaining": 9,
      "reset": WHEN
    },
    "open": {
      "limit": null,
      "used": null,
      "remaining": null,
      "reset": null
    }
  }
}
--- response_headers
Content-Type: application/json
Cache-Control: no-store



=== TEST 3: null where nothing limits the caller: no key, no quota, a condition; hidden policies are absent
--- http_config
    ratelimit_zone   zone=api:64k;
    ratelimit_policy token  key=$arg_k quota=9/1m;
    ratelimit_policy plan   key=$remote_addr quota=$arg_q;
    ratelimit_policy some   key=$remote_addr quota=5/1m;
    ratelimit_policy secret key=$remote_addr quota=3/1m hidden;
--- config
    location /rate_limit { ratelimit token plan secret; ratelimit some if=$arg_if; ratelimit_standing; }
--- request eval
["GET /rate_limit", "GET /rate_limit?k=a&q=4/1m&if=1", "GET /rate_limit?k=a&q=unlimited&if=0"]
--- response_body_like eval
["^plan null null null null\nsome null null null null\ntoken null null null null\n\$", "^plan 4 0 4 \\d+\nsome 5 0 5 \\d+\ntoken 9 0 9 \\d+\n\$", "^plan null null null null\nsome null null null null\ntoken 9 0 9 \\d+\n\$"]



=== TEST 4: the method of the question does not matter, and of several lines the first that applies counts
--- http_config
    ratelimit_zone   zone=api:64k;
    ratelimit_policy create key=$arg_k quota=9/1m algorithm=fixed;
    ratelimit_policy twice  key=$arg_k quota=8/1m algorithm=fixed;
--- config
    location /rate_limit {
        ratelimit create methods=POST;
        ratelimit twice if=$arg_no;
        ratelimit twice;
        ratelimit_standing;
    }
--- request
GET /rate_limit?k=a
--- response_body_like eval
"^create 9 0 9 \\d+\ntwice 8 0 8 \\d+\n\$"



=== TEST 5: a key that authentication finds out
--- http_config
    ratelimit_zone   zone=api:64k;
    ratelimit_policy user key=$user quota=9/1m algorithm=fixed;
--- backend
    location / { add_header X-User alice; return 204; }
--- config
    auth_request     /auth;
    auth_request_set $user $upstream_http_x_user;
    ratelimit        user phase=precontent;
    location = /auth { internal; auth_request off; ratelimit off; proxy_pass http://backend; }
    location /t { empty_gif; }
    location /rate_limit { ratelimit_standing; }
--- request eval
["GET /t", "GET /rate_limit", "GET /rate_limit"]
--- response_body_like eval
["^\$", ("^user 9 1 8 \\d+\n\$") x 2]



=== TEST 6: HEAD, and methods that are none here
--- http_config
    ratelimit_zone   zone=api:64k;
    ratelimit_policy token key=$arg_k quota=9/1m;
--- config
    location /rate_limit { ratelimit token; ratelimit_standing; }
--- request eval
["HEAD /rate_limit?k=a", "POST /rate_limit?k=a", "DELETE /rate_limit?k=a"]
--- error_code eval
[200, 405, 405]
--- response_body_filters eval
[sub { '' }]
--- response_body eval
['', '', '']



=== TEST 7: locations in it are limited as ever, and it is so within blocks
--- http_config
    ratelimit_zone   zone=api:64k;
    ratelimit_policy token key=$arg_k quota=2/1m algorithm=fixed;
--- config
    ratelimit token;
    location /rate_limit {
        ratelimit_standing;
        if ($arg_x) { set $y 1; }
        limit_except GET { deny all; }
        location /rate_limit/in { empty_gif; }
    }
--- request eval
[("GET /rate_limit?k=a&x=1") x 2, ("GET /rate_limit/in?k=a") x 3, "GET /rate_limit?k=a", "POST /rate_limit?k=a"]
--- error_code eval
[200, 200, 200, 200, 429, 200, 403]
--- response_body_like eval
[("^token 2 0 2 \\d+\n\$") x 2, ("^\$") x 3, "^token 2 2 0 \\d+\n\$", "^\$"]



=== TEST 8: within a limit_except block
--- http_config
    ratelimit_zone   zone=api:64k;
    ratelimit_policy token key=$arg_k quota=2/1m algorithm=fixed;
--- config
    ratelimit token;
    location /rate_limit {
        ratelimit_standing;
        limit_except POST { allow all; }
    }
--- request eval
[("GET /rate_limit?k=a") x 3]
--- response_body_like eval
[("^token 2 0 2 \\d+\n\$") x 3]



=== TEST 9: a request that was decided before it was led there
--- http_config
    ratelimit_zone   zone=api:64k;
    ratelimit_policy token key=$arg_k quota=1/1m algorithm=fixed;
--- config
    location /t { ratelimit token; error_page 429 /rate_limit; empty_gif; }
    location /rate_limit { ratelimit token; ratelimit_standing; }
--- request eval
["GET /t?k=a", "GET /t?k=a", "GET /rate_limit?k=a"]
--- error_code eval
[200, 429, 200]
--- response_body_like eval
["^\$", ("^token 1 1 0 \\d+\n\$") x 2]



=== TEST 10: where nothing holds there is nothing to tell, and nginx says so
--- config
    location /rate_limit { ratelimit_standing; }
--- request
GET /rate_limit
--- response_body_filters eval
sub { $_[0] }
--- response_body
{
  "resources": {}
}
--- error_log
"ratelimit_standing" tells of nothing, no "ratelimit" line holds in its location in
