use lib 't/lib';
use RateLimit;
use Test::Nginx::Socket 'no_plan';

add_block_preprocessor(sub {
    my $block = shift;

    # Most blocks only look at what $client is.
    if (!defined $block->config) {
        $block->set_value('config', 'location /t { return 200 "[$client]\n"; }');
    }
});

run_tests();

__DATA__

=== TEST 1: bearer is the credential of the Authorization field
--- http_config
    ratelimit_key $client bearer;
--- more_headers
Authorization: Bearer mF_9.B5f-4.1JqM
--- response_body
[bearer:mF_9.B5f-4.1JqM]



=== TEST 2: the scheme's name is case-insensitive, and only Bearer counts
--- http_config
    ratelimit_key $client bearer;
--- request eval
[("GET /t") x 5]
--- more_headers eval
["Authorization: bearer abc",
 "Authorization: BEARER abc",
 "authorization: bEaReR abc",
 "Authorization: Basic YWxpY2U6c2VjcmV0",
 "Authorization: Bearer"]
--- response_body eval
["[bearer:abc]\n", "[bearer:abc]\n", "[bearer:abc]\n", "[]\n", "[]\n"]



=== TEST 3: basic is the user name, whatever the password
--- http_config
    ratelimit_key $client basic;
--- request eval
[("GET /t") x 4]
--- more_headers eval
["Authorization: Basic YWxpY2U6c2VjcmV0",
 "Authorization: basic YWxpY2U6b3RoZXI=",
 "Authorization: Basic OnNlY3JldA==",
 "Authorization: Bearer YWxpY2U6c2VjcmV0"]
--- response_body eval
["[basic:alice]\n", "[basic:alice]\n", "[]\n", "[]\n"]



=== TEST 4: all that is not base64 is one user, which is nobody else's name
--- http_config
    ratelimit_key $client basic;
--- request eval
[("GET /t") x 2]
--- more_headers eval
["Authorization: Basic ***", "Authorization: Basic a:b"]
--- response_body eval
[("[basic::]\n") x 2]



=== TEST 5: header= is a request field, its name in any case
--- http_config
    ratelimit_key $client header=X-API-Key;
--- request eval
[("GET /t") x 4]
--- more_headers eval
["X-API-Key: k1", "x-api-key: k1", "X-API-KEY: K1", "X-API-Keys: k1"]
--- response_body eval
["[header:k1]\n", "[header:k1]\n", "[header:K1]\n", "[]\n"]



=== TEST 6: of repeated fields header= takes the first that is not empty
--- http_config
    ratelimit_key $client header=X-API-Key;
--- request eval
[("GET /t") x 2]
--- more_headers eval
["X-API-Key: first\nX-API-Key: second", "X-API-Key:\nX-API-Key: second"]
--- response_body eval
["[header:first]\n", "[header:second]\n"]



=== TEST 7: header= takes fields that nginx knows itself
--- http_config
    ratelimit_key $client header=User-Agent header=Host;
--- request eval
[("GET /t") x 2]
--- more_headers eval
["User-Agent: curl", "Host: localhost"]
--- response_body eval
["[header:curl]\n", "[header:localhost]\n"]



=== TEST 8: arg= is the first non-empty occurrence
--- http_config
    ratelimit_key $client arg=api_key;
--- request eval
["GET /t?api_key=one", "GET /t?api_key=one&api_key=two", "GET /t?api_key=&api_key=two", "GET /t?x=1&api_key=3&y", "GET /t?api_key", "GET /t"]
--- response_body eval
["[arg:one]\n", "[arg:one]\n", "[arg:two]\n", "[arg:3]\n", "[]\n", "[]\n"]



=== TEST 9: names and values of arg= are percent-decoded
--- http_config
    ratelimit_key $client arg=api_key;
--- request eval
["GET /t?%61pi%5Fkey=one", "GET /t?api_key=o%6Ee", "GET /t?api_key=a%2Fb%26c", "GET /t?api_key=%c3%a9"]
--- response_body eval
["[arg:one]\n", "[arg:one]\n", "[arg:a/b&c]\n", "[arg:\xc3\xa9]\n"]



=== TEST 10: arg= is case-sensitive, a plus stays a plus, an invalid escape as it is
--- http_config
    ratelimit_key $client arg=key;
--- request eval
["GET /t?KEY=one", "GET /t?key=ONE", "GET /t?key=a+b", "GET /t?key=100%", "GET /t?key=%zz", "GET /t?mykey=1", "GET /t?keys=1"]
--- response_body eval
["[]\n", "[arg:ONE]\n", "[arg:a+b]\n", "[arg:100%]\n", "[arg:%zz]\n", "[]\n", "[]\n"]



=== TEST 11: cookie= finds its cookie among others
--- http_config
    ratelimit_key $client cookie=sid;
--- request eval
[("GET /t") x 6]
--- more_headers eval
["Cookie: sid=abc",
 "Cookie: a=1; sid=abc; b=2",
 "Cookie: xsid=1; sid=abc",
 "Cookie: sid=; sid=abc",
 "Cookie: sidx=1",
 "Cookie: a=1\nCookie: sid=abc"]
--- response_body eval
[("[cookie:abc]\n") x 4, "[]\n", "[cookie:abc]\n"]



=== TEST 12: addr is the client's address
--- http_config
    ratelimit_key $client addr;
--- response_body
[addr:127.0.0.1]



=== TEST 13: addr=V4/V6 masks IPv4
--- http_config
    ratelimit_key $client  addr=24/64;
    ratelimit_key $company addr=8/32;
    ratelimit_key $world   addr=0/0;
    set_real_ip_from 127.0.0.1;
--- config
    location /t { return 200 "[$client] [$company] [$world]\n"; }
--- more_headers
X-Real-IP: 192.0.2.77
--- response_body
[addr:192.0.2.0] [addr:192.0.0.0] [addr:0.0.0.0]



=== TEST 14: IPv6 clients share a bucket by /64, unless told otherwise
--- http_config
    ratelimit_key $client addr;
    ratelimit_key $whole  addr=32/128;
    ratelimit_key $short  addr=32/48;
    set_real_ip_from 127.0.0.1;
--- config
    location /t { return 200 "[$client] [$whole] [$short]\n"; }
--- more_headers
X-Real-IP: 2001:db8:1:2:3:4:5:6
--- response_body
[addr:2001:db8:1:2::] [addr:2001:db8:1:2:3:4:5:6] [addr:2001:db8:1::]



=== TEST 15: an IPv4-mapped address counts as IPv4
--- http_config
    ratelimit_key $client addr=24/64;
    set_real_ip_from 127.0.0.1;
--- more_headers
X-Real-IP: ::ffff:192.0.2.77
--- response_body
[addr:192.0.2.0]



=== TEST 16: a unix socket has no address, so the next source is asked
--- http_config
    ratelimit_key $client addr header=X-Fallback;
--- config
    location /t { proxy_pass http://backend; }
--- backend
    location / { return 200 "[$client]\n"; }
--- request eval
["GET /t", "GET /t"]
--- more_headers eval
["", "X-Fallback: other"]
--- response_body eval
["[]\n", "[header:other]\n"]



=== TEST 17: any variable may be a source
--- http_config
    map $arg_user $account { default ""; alice acme; bob acme; }
    ratelimit_key $client $account;
--- request eval
["GET /t?user=alice", "GET /t?user=bob", "GET /t?user=eve"]
--- response_body eval
["[var:acme]\n", "[var:acme]\n", "[]\n"]



=== TEST 18: the first source that yields a value wins
--- http_config
    ratelimit_key $client bearer header=X-API-Key arg=api_key addr;
--- request eval
["GET /t?api_key=a", "GET /t?api_key=a", "GET /t?api_key=a", "GET /t"]
--- more_headers eval
["Authorization: Bearer b\nX-API-Key: h", "X-API-Key: h", "", ""]
--- response_body eval
["[bearer:b]\n", "[header:h]\n", "[arg:a]\n", "[addr:127.0.0.1]\n"]



=== TEST 19: sources joined by | share the tag of the first: one secret is one bucket
--- http_config
    ratelimit_key $client bearer|header=X-API-Key|arg=api_key addr;
--- request eval
["GET /t?api_key=s", "GET /t", "GET /t", "GET /t"]
--- more_headers eval
["", "X-API-Key: s", "Authorization: Bearer s", ""]
--- response_body eval
["[bearer:s]\n", "[bearer:s]\n", "[bearer:s]\n", "[addr:127.0.0.1]\n"]



=== TEST 20: a token that looks like an address does not share the address's bucket
--- http_config
    ratelimit_zone   zone=api:64k;
    ratelimit_key    $client bearer addr;
    ratelimit_policy token key=$client quota=1/1h;
--- config
    location /t { ratelimit token; empty_gif; }
--- request eval
[("GET /t") x 4]
--- more_headers eval
["Authorization: Bearer 127.0.0.1", "", "Authorization: Bearer 127.0.0.1", ""]
--- error_code eval
[200, 200, 429, 429]



=== TEST 21: untagged gives the bare value
--- http_config
    ratelimit_key $client bearer|arg=api_key addr untagged;
--- request eval
["GET /t", "GET /t?api_key=s", "GET /t"]
--- more_headers eval
["Authorization: Bearer b", "", ""]
--- response_body eval
["[b]\n", "[s]\n", "[127.0.0.1]\n"]



=== TEST 22: no source yields: the variable is empty and the policy does not count
--- http_config
    ratelimit_zone   zone=api:64k;
    ratelimit_key    $client bearer cookie=sid;
    ratelimit_policy token key=$client quota=0/1h;
--- config
    location /t {
        ratelimit token;
        add_header X-Client "[$client]" always;
        add_header X-Status $ratelimit_status always;
        empty_gif;
    }
--- response_headers
X-Client: []
X-Status: BYPASSED



=== TEST 23: several variables beside each other
--- http_config
    ratelimit_key $user   basic;
    ratelimit_key $client addr;
--- config
    location /t { return 200 "[$user] [$client]\n"; }
--- more_headers
Authorization: Basic YWxpY2U6c2VjcmV0
--- response_body
[basic:alice] [addr:127.0.0.1]



=== TEST 24: a variable of ratelimit_key may be a source of another
--- http_config
    ratelimit_key $user   basic untagged;
    ratelimit_key $client $user addr;
--- request eval
["GET /t", "GET /t"]
--- more_headers eval
["Authorization: Basic YWxpY2U6c2VjcmV0", ""]
--- response_body eval
["[var:alice]\n", "[addr:127.0.0.1]\n"]



=== TEST 25: a variable of ratelimit_key serves maps and logs as any other
--- http_config
    ratelimit_key $client header=X-API-Key;
    map $client $plan { default free; header:gold paid; }
--- config
    location /t { return 200 "$plan\n"; }
--- request eval
["GET /t", "GET /t"]
--- more_headers eval
["X-API-Key: gold", "X-API-Key: lead"]
--- response_body eval
["paid\n", "free\n"]



=== TEST 26: names=cgi takes names of arguments as PHP does
--- http_config
    ratelimit_key $client arg=api_key names=cgi;
--- request eval
[map { "GET /t?$_" }
 'api_key=a', '%20api.key=a', 'api[key=a', 'api%5Bkey=a', 'api+key=a', 'api_key%00x=a',
 'api_key[]=a', 'api_key=a&api.key=a', 'api_key=a+b', 'api_key=a&api.key=b', 'api_key=&api.key=b',
 'api-key=a', 'API_KEY=a', 'api_key']
--- response_body eval
[("[arg:a]\n") x 8, "[arg:a b]\n", ("[arg::]\n") x 2, ("[]\n") x 3]



=== TEST 27: names=cgi takes names of cookies and fields as PHP does
--- http_config
    ratelimit_key $client cookie=my_sid header=X-API-Key names=cgi;
    underscores_in_headers on;
--- request eval
[("GET /t") x 11]
--- more_headers eval
["Cookie: my_sid=a", "Cookie: x=y; my.sid=a", "Cookie: my[sid=\"a\"",
 "Cookie: my_sid=a\nCookie: my.sid=a", "Cookie: my_sid=a; my.sid=b", "Cookie: my%5fsid=a",
 "X-API-Key: a", "X_API_Key: a", "x-api_key: a\nX-API-KEY: a", "X-API-Key: a\nX_API_Key: b",
 "X-API-Key:\nX_API_Key: b"]
--- response_body eval
[("[cookie:a]\n") x 4, "[cookie::]\n", "[]\n", ("[header:a]\n") x 3, ("[header::]\n") x 2]



=== TEST 28: names=cgi leaves sources without a name as they are
--- http_config
    ratelimit_key $client bearer basic $http_x_user addr names=cgi untagged;
--- request eval
[("GET /t") x 4]
--- more_headers eval
["Authorization: Bearer a", "Authorization: Basic YWxpY2U6eA==", "X-User: u", ""]
--- response_body eval
["[a]\n", "[alice]\n", "[u]\n", "[127.0.0.1]\n"]



=== TEST 29: lower makes one key of letters in any case
--- http_config
    ratelimit_key $client bearer|arg=api_key header=X-Name lower;
--- request eval
["GET /t", "GET /t", "GET /t?api_key=AB%43", "GET /t?api_key=ABC", "GET /t", "GET /t"]
--- more_headers eval
["Authorization: Bearer aBC-9", "Authorization: Bearer ABC-9", "", "", "X-Name: \xc3\x84 Z", ""]
--- response_body eval
[("[bearer:abc-9]\n") x 2, ("[bearer:abc]\n") x 2, "[header:\xc3\x84 z]\n", "[]\n"]



=== TEST 30: names=cgi and lower count as they are shown
--- http_config
    ratelimit_zone   zone=api:64k;
    ratelimit_key    $client arg=api_key names=cgi lower;
    ratelimit_policy one key=$client quota=1/1h;
--- config
    location /t { ratelimit one; empty_gif; }
--- request eval
[map { "GET /t?$_" }
 'api_key=Valid', 'api_key=VALID', 'api.key=valid', '+api[key=valid', 'api_key%00=vali%64',
 'api_key=valid&api_key=1', 'api_key=2&api.key=valid', 'api_key[]=3&api_key=valid',
 'api_key=other', 'x=1']
--- error_code eval
[200, 429, 429, 429, 429, 200, 429, 429, 200, 200]
