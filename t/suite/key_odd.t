# What every source of ratelimit_key makes of input that is missing, empty,
# repeated, 1 MB long, that has a NUL, UTF-8, escapes or letters of another
# case.  src/REFERENCE.md tells it in a table, at ratelimit_key.

use lib 't/lib';
use RateLimit;
use Jwt;
use MIME::Base64 qw(encode_base64);
use Test::Nginx::Socket 'no_plan';

our $long = 'x' x 1048576;
our $far = time + 86400;

add_block_preprocessor(sub {
    my $block = shift;

    $block->set_value('http_config',
                      "large_client_header_buffers 4 3m;\n"
                      . $block->http_config);
    if (!defined $block->config) {
        $block->set_value('config', 'location /t { return 200 "[$client]\n"; }');
    }
    if (!defined $block->user_files) {
        $block->set_value('user_files', [['secret.txt' => secret()]]);
    }
});

sub basic { return 'Authorization: Basic ' . encode_base64($_[0], '') }

sub jwt {
    my ($claims) = @_;

    return bearer(token('HS256', secret(), $claims));
}

run_tests();

__DATA__

=== TEST 1: bearer
--- http_config
    ratelimit_key $client bearer;
--- request eval
[("GET /t") x 11]
--- more_headers eval
["X: missing",
 "Authorization:",
 "Authorization: Bearer  ",
 "Authorization: Bearer a, Bearer b",
 "Authorization: Bearer a b",
 "Authorization: Bearer $main::long",
 "Authorization: Bearer caf\xc3\xa9",
 "Authorization: Bearer \xc3\xa9",
 "Authorization: Bearer a%62",
 "Authorization: BEARER a",
 "Authorization: bearer A"]
--- response_body eval
[("[]\n") x 3, ("[bearer:a]\n") x 2, "[bearer:$main::long]\n",
 "[bearer:caf]\n", "[bearer:\xc3\xa9]\n", "[bearer:a%62]\n", "[bearer:a]\n", "[bearer:A]\n"]



=== TEST 2: basic
--- http_config
    ratelimit_key $client basic;
--- request eval
[("GET /t") x 13]
--- more_headers eval
["X: missing",
 "Authorization: Basic",
 main::basic(":password"),
 main::basic("a:b:c"),
 main::basic("a") . ", Basic Yjo=",
 main::basic("$main::long:password"),
 main::basic("a\0b:password"),
 main::basic("caf\xc3\xa9:password"),
 main::basic("a%62:password"),
 "Authorization: Basic YTo%3D",
 "Authorization: BASIC YWxpY2U6eA==",
 "Authorization: Basic YWxpY2U6eA",
 main::basic("ALICE:x")]
--- response_body eval
[("[]\n") x 3, "[basic:a]\n", "[basic::]\n", "[basic:$main::long]\n",
 "[basic:a\0b]\n", "[basic:caf\xc3\xa9]\n", "[basic:a%62]\n", "[basic::]\n",
 ("[basic:alice]\n") x 2, "[basic:ALICE]\n"]



=== TEST 3: header=
--- http_config
    ratelimit_key $client header=X-API-Key;
--- request eval
[("GET /t") x 11]
--- more_headers eval
["X: missing",
 "X-API-Key:",
 "X-API-Key: \t ",
 "X-API-Key: \t a \t",
 "X-API-Key:\nX-API-Key: a\nX-API-Key: b",
 "X-API-Key: a, b",
 "X-API-Key: $main::long",
 "X-API-Key: caf\xc3\xa9",
 "X-API-Key: a%62",
 "x-api-KEY: a",
 "X-API-Key: A"]
--- response_body eval
[("[]\n") x 3, ("[header:a]\n") x 2, "[header:a, b]\n", "[header:$main::long]\n",
 "[header:caf\xc3\xa9]\n", "[header:a%62]\n", "[header:a]\n", "[header:A]\n"]



=== TEST 4: arg=
--- http_config
    ratelimit_key $client arg=k;
--- request eval
["GET /t", "GET /t?", "GET /t?k", "GET /t?k=&k=", "GET /t?k=&k=a&k=b",
 "GET /t?k=$main::long", "GET /t?k=a%00b", "GET /t?k=%00",
 "GET /t?k=caf\xc3\xa9", "GET /t?k=caf%c3%A9", "GET /t?%6b=%61", "GET /t?k=%2561",
 "GET /t?K=a", "GET /t?k=A"]
--- response_body eval
[("[]\n") x 4, "[arg:a]\n", "[arg:$main::long]\n", "[arg:a\0b]\n", "[arg:\0]\n",
 ("[arg:caf\xc3\xa9]\n") x 2, "[arg:a]\n", "[arg:%61]\n", "[]\n", "[arg:A]\n"]



=== TEST 5: cookie=
--- http_config
    ratelimit_key $client cookie=sid;
--- request eval
[("GET /t") x 14]
--- more_headers eval
["X: missing",
 "Cookie: sid",
 "Cookie: sid=; sid=\"\"",
 "Cookie: sid=; sid=a; sid=b",
 "Cookie: sid=\nCookie: sid=a\nCookie: sid=b",
 "Cookie: sid=$main::long",
 "Cookie: sid=a%00b",
 "Cookie: sid=caf\xc3\xa9",
 "Cookie: sid=caf%c3%A9",
 "Cookie: sid=\"caf\\303\\251\"",
 "Cookie: sid=\"a\"",
 "Cookie: s%69d=a",
 "Cookie: SID=a",
 "Cookie: sid=A"]
--- response_body eval
[("[]\n") x 3, ("[cookie:a]\n") x 2, "[cookie:$main::long]\n", "[cookie:a\0b]\n",
 ("[cookie:caf\xc3\xa9]\n") x 3, "[cookie:a]\n", ("[]\n") x 2, "[cookie:A]\n"]



=== TEST 6: jwt=
--- http_config
    ratelimit_key $client jwt=sub;
    ratelimit_jwt HS256 $TEST_NGINX_HTML_DIR/secret.txt;
--- request eval
[("GET /t") x 12]
--- more_headers eval
["X: missing",
 main::bearer(""),
 main::jwt('{}'),
 main::jwt('{"sub":""}'),
 main::jwt('{"sub":"a","sub":"b"}'),
 main::jwt('{"sub":"a"}') . ", Bearer b",
 main::jwt(qq({"sub":"$main::long"})),
 main::jwt('{"sub":"a\u0000b"}'),
 main::jwt(qq({"sub":"caf\xc3\xa9"})),
 main::jwt('{"sub":"caf\u00e9"}'),
 main::jwt('{"sub":"a%62"}'),
 main::jwt('{"SUB":"b","sub":"A"}')]
--- response_body eval
[("[]\n") x 4, "[jwt:b]\n", "[jwt:a]\n", "[]\n", "[jwt:a\0b]\n", ("[jwt:caf\xc3\xa9]\n") x 2,
 "[jwt:a%62]\n", "[jwt:A]\n"]



=== TEST 7: addr, behind a proxy that is trusted
--- http_config
    ratelimit_key $client addr=32/128;
    set_real_ip_from 127.0.0.1;
--- request eval
[("GET /t") x 10]
--- more_headers eval
["X: missing",
 "X-Real-IP:",
 "X-Real-IP: 192.0.2.1\nX-Real-IP: 192.0.2.2",
 "X-Real-IP: $main::long",
 "X-Real-IP: caf\xc3\xa9",
 "X-Real-IP: 192.0.2.%31",
 "X-Real-IP: 192.0.2.001",
 "X-Real-IP: 2001:DB8::A",
 "X-Real-IP: 2001:0db8:0:0::000a",
 "x-real-ip: ::FFFF:192.0.2.1"]
--- response_body eval
[("[addr:127.0.0.1]\n") x 2, "[addr:192.0.2.1]\n", ("[addr:127.0.0.1]\n") x 3, "[addr:192.0.2.1]\n",
 ("[addr:2001:db8::a]\n") x 2, "[addr:192.0.2.1]\n"]



=== TEST 8: addr is nothing that a stranger can write
--- http_config
    ratelimit_key $client addr;
--- more_headers
X-Real-IP: 192.0.2.1
X-Forwarded-For: 192.0.2.1
Forwarded: for=192.0.2.1
--- response_body
[addr:127.0.0.1]



=== TEST 9: a variable, as it is
--- http_config
    ratelimit_key $client $arg_k $http_x_key;
--- request eval
["GET /t", "GET /t?k=", "GET /t?k=a&k=b", "GET /t?k=$main::long", "GET /t?k=a%00b",
 "GET /t?k=caf\xc3\xa9", "GET /t?k=a%62", "GET /t?K=a", "GET /t?k=A", "GET /t"]
--- more_headers eval
["X: y", "X-Key:", ("X: y") x 7, "X-Key: a"]
--- response_body eval
[("[]\n") x 2, "[var:a]\n", "[var:$main::long]\n", "[var:a%00b]\n",
 "[var:caf\xc3\xa9]\n", "[var:a%62]\n", "[var:a]\n", "[var:A]\n", "[var:a]\n"]



=== TEST 10: a NUL as such is no request, whatever the source
--- http_config
    ratelimit_key $client bearer basic header=X-API-Key arg=k cookie=sid;
--- raw_request eval
"GET /t?k=a\0b HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"
--- error_code: 400



=== TEST 11: nor one in a field
--- http_config
    ratelimit_key $client bearer basic header=X-API-Key arg=k cookie=sid;
--- request eval
[("GET /t") x 3]
--- more_headers eval
["Authorization: Bearer a\0b", "X-API-Key: a\0b", "Cookie: sid=a\0b"]
--- error_code eval
[(400) x 3]



=== TEST 12: nor is Authorization twice
--- http_config
    ratelimit_key $client bearer basic;
--- more_headers
Authorization: Bearer a
Authorization: Bearer b
--- error_code: 400
