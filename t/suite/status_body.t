use lib 't/lib';
use RateLimit;
use Test::Nginx::Socket 'no_plan';

add_block_preprocessor(sub {
    my $block = shift;

    # Most blocks need one policy that always refuses.
    if (!defined $block->http_config) {
        $block->set_value('http_config', <<'_END_');
    ratelimit_zone   zone=api:64k;
    ratelimit_policy token key=everybody quota=0/60s;
_END_
    }
});

run_tests();

__DATA__

=== TEST 1: 429 is the default
--- config
    location /t { ratelimit token; empty_gif; }
--- error_code: 429



=== TEST 2: ratelimit_status sets another
--- config
    location /a { ratelimit token; ratelimit_status 503; empty_gif; }
    location /b { ratelimit token; ratelimit_status 400; empty_gif; }
    location /c { ratelimit token; ratelimit_status 599; empty_gif; }
    location /d { ratelimit token; ratelimit_status 418; empty_gif; }
--- request eval
["GET /a", "GET /b", "GET /c", "GET /d"]
--- error_code eval
[503, 400, 599, 418]
--- response_headers eval
[("Retry-After: 60") x 4]



=== TEST 3: 444 closes the connection without an answer
--- config
    location /t { ratelimit token; ratelimit_status 444; empty_gif; }
--- error_code eval: ""



=== TEST 4: ratelimit_body, a type and a text
--- config
    location /t {
        ratelimit token;
        ratelimit_body text/plain "Slow down.\n";
        empty_gif;
    }
--- error_code: 429
--- response_headers
Content-Type: text/plain
Content-Length: 11
Retry-After: 60
--- response_body
Slow down.



=== TEST 5: the text may hold variables, retry_after among them
--- config
    location /t {
        ratelimit token;
        ratelimit_body application/json '{"policy":"$ratelimit_policy","limit":$ratelimit_limit,"retryAfter":$ratelimit_retry_after,"window":"$ratelimit_window","path":"$uri"}';
        empty_gif;
    }
--- error_code: 429
--- response_headers
Content-Type: application/json
Retry-After: 60
--- response_body chomp
{"policy":"token","limit":0,"retryAfter":60,"window":"60s","path":"/t"}



=== TEST 6: in JSON, variables are escaped
--- config
    location /t {
        ratelimit token;
        ratelimit_body application/json '{"name":"$http_x_name"}';
        empty_gif;
    }
--- more_headers eval
"X-Name: say \"hi\" \\ back\tslash \x{7f}"
--- error_code: 429
--- response_body_filters eval
\&RateLimit::canonical_json
--- response_body eval
qq({"name":"say \\"hi\\" \\\\ back\\tslash \x7f"}\n)



=== TEST 7: in JSON, UTF-8 stays and what is none becomes U+FFFD
--- config
    location /t {
        ratelimit token;
        ratelimit_body application/json '{"name":"$http_x_name"}';
        empty_gif;
    }
--- request eval
[("GET /t") x 4]
--- more_headers eval
["X-Name: \xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80", "X-Name: a\xffb", "X-Name: a\xc3", "X-Name: \xc0\xaf"]
--- error_code eval
[(429) x 4]
--- response_body eval
["{\"name\":\"\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80\"}",
 "{\"name\":\"a\xef\xbf\xbdb\"}", "{\"name\":\"a\xef\xbf\xbd\"}",
 qr/\A\{"name":"(?:\xef\xbf\xbd){1,2}"\}\z/]



=== TEST 8: in any +json type as well, parameters or not, in any case
--- config
    location /a { ratelimit token; ratelimit_body application/vnd.api+json          '["$http_x_name"]'; empty_gif; }
    location /b { ratelimit token; ratelimit_body "application/json; charset=utf-8" '["$http_x_name"]'; empty_gif; }
    location /c { ratelimit token; ratelimit_body Application/JSON                  '["$http_x_name"]'; empty_gif; }
--- more_headers
X-Name: a"b
--- request eval
["GET /a", "GET /b", "GET /c"]
--- error_code eval
[429, 429, 429]
--- response_headers eval
["Content-Type: application/vnd.api+json", "Content-Type: application/json; charset=utf-8", "Content-Type: Application/JSON"]
--- response_body eval
[('["a\"b"]') x 3]



=== TEST 9: in other types nothing is escaped
--- config
    location /t { ratelimit token; ratelimit_body text/plain '$http_x_name'; empty_gif; }
--- more_headers
X-Name: a"b\c
--- error_code: 429
--- response_body chomp
a"b\c



=== TEST 10: problem is RFC 9457 of the type quota-exceeded
--- http_config
    ratelimit_zone   zone=api:64k;
    ratelimit_policy minute key=everybody quota=0/60s;
    ratelimit_policy hour   key=everybody quota=0/1h;
    ratelimit_policy fine   key=everybody quota=10/1h;
    ratelimit_policy secret key=everybody quota=0/1h hidden;
--- config
    location /t {
        ratelimit minute;
        ratelimit hour;
        ratelimit fine;
        ratelimit secret;
        ratelimit_body problem;
        empty_gif;
    }
--- error_code: 429
--- response_headers
Content-Type: application/problem+json
Retry-After: 3600
--- response_body_filters eval
sub {
    my $problem = JSON::PP->new->utf8->decode($_[0]);
    return CORE::join "\n", $problem->{type}, $problem->{status}, length $problem->{title} > 0,
                      CORE::join(',', @{$problem->{'violated-policies'}}), '';
}
--- response_body
https://iana.org/assignments/http-problem-types#quota-exceeded
429
1
minute,hour



=== TEST 11: problem names the status that is sent
--- config
    location /t { ratelimit token; ratelimit_status 503; ratelimit_body problem; empty_gif; }
--- error_code: 503
--- response_body_filters eval
sub { JSON::PP->new->utf8->decode($_[0])->{status} . "\n" }
--- response_body
503



=== TEST 12: problem of a hidden policy alone names no policy
--- http_config
    ratelimit_zone   zone=api:64k;
    ratelimit_policy secret key=everybody quota=0/1h hidden;
--- config
    location /t { ratelimit secret; ratelimit_body problem; empty_gif; }
--- error_code: 429
--- response_body_filters eval
sub { scalar(@{JSON::PP->new->utf8->decode($_[0])->{'violated-policies'} || []}) . "\n" }
--- response_body
0



=== TEST 13: without ratelimit_body error_page applies
--- config
    location /t { ratelimit token; error_page 429 /busy.txt; empty_gif; }
    location = /busy.txt { root $TEST_NGINX_HTML_DIR; }
--- user_files
>>> busy.txt
come back later
--- error_code: 429
--- response_headers
Retry-After: 60
--- response_body
come back later



=== TEST 14: error_page may change the status
--- config
    location /t { ratelimit token; ratelimit_headers x-ratelimit; error_page 429 =503 /busy.txt; empty_gif; }
    location = /busy.txt { root $TEST_NGINX_HTML_DIR; }
--- user_files
>>> busy.txt
come back later
--- error_code: 503
--- response_headers
Retry-After: 60
X-RateLimit-Remaining: 0
--- response_body
come back later



=== TEST 15: ratelimit_body beats error_page
--- config
    location /t {
        ratelimit token;
        error_page 429 /busy.txt;
        ratelimit_body text/plain "mine\n";
        empty_gif;
    }
--- user_files
>>> busy.txt
come back later
--- error_code: 429
--- response_body
mine



=== TEST 16: ratelimit_body off gives the level nginx's page back
--- config
    ratelimit_body text/plain "mine\n";
    location /own { ratelimit token; empty_gif; }
    location /off { ratelimit token; ratelimit_body off; empty_gif; }
--- request eval
["GET /own", "GET /off"]
--- error_code eval
[429, 429]
--- response_headers eval
["Content-Type: text/plain", "Content-Type: text/html"]
--- response_body eval
["mine\n", qr/429 Too Many Requests/]



=== TEST 17: HEAD gets the headers and the length only
--- config
    location /text    { ratelimit token; ratelimit_body text/plain "Slow down.\n"; empty_gif; }
    location /problem { ratelimit token; ratelimit_body problem; empty_gif; }
--- request eval
["HEAD /text", "HEAD /problem"]
--- error_code eval
[429, 429]
--- response_headers_like eval
["Content-Type: text/plain\nContent-Length: 11\nRetry-After: 60",
 "Content-Type: application/problem\\+json\nContent-Length: [1-9]\\d+\nRetry-After: 60"]
--- response_body eval
["", ""]



=== TEST 18: HEAD and GET tell the same length
--- config
    location /t { ratelimit token; ratelimit_body problem; empty_gif; }
--- init
my ($head) = RateLimit::curl('-I', '/t') =~ /^(Content-Length: .*)/mi;
my ($get)  = RateLimit::curl('-i', '/t') =~ /^(Content-Length: .*)/mi;
RateLimit::publish('same', defined $head && $head eq $get ? "same\n" : "HEAD $head GET $get\n");
--- request
GET /same
--- response_body
same



=== TEST 19: an empty body
--- config
    location /t { ratelimit token; ratelimit_body text/plain ""; empty_gif; }
--- error_code: 429
--- response_headers
Retry-After: 60
Content-Length: 0
--- response_body chomp



=== TEST 20: a body for a request with a body of its own
--- config
    location /t {
        ratelimit token;
        ratelimit_body text/plain "no\n";
        proxy_pass http://backend;
    }
--- backend
    location / { return 204; }
--- pipelined_requests eval
["POST /t\nsome body that nobody reads", "POST /t\nanother"]
--- error_code eval
[429, 429]
--- response_body eval
["no\n", "no\n"]



=== TEST 21: a policy's own status goes with the body as well
--- http_config
    ratelimit_zone   zone=api:64k;
    ratelimit_policy token key=everybody quota=0/60s status=503;
--- config
    location /t { ratelimit token; ratelimit_body text/plain "busy $status\n"; empty_gif; }
--- error_code: 503
--- response_body
busy 503



=== TEST 22: add_header with always adds to the refused response too
--- config
    location /t {
        ratelimit token;
        ratelimit_body text/plain "no\n";
        add_header X-Mine yes always;
        add_header X-Not  yes;
        empty_gif;
    }
--- error_code: 429
--- response_headers
X-Mine: yes
! X-Not
