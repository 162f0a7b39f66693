use lib 't/lib';
use RateLimit;
use Test::Nginx::Socket 'no_plan';

run_tests();

__DATA__

=== TEST 1: keys of 1 byte, of 65,536 and of 1 MB count as any other
--- http_config
    ratelimit_zone   zone=api:64k;
    ratelimit_policy token key=$arg_k quota=1/1h;
    large_client_header_buffers 4 2m;
--- config
    location /t { ratelimit token; empty_gif; }
--- request eval
my @keys = ("x", "x" x 65535, "x" x 65536, "x" x 1048576);
[(map { "GET /t?k=$_" } @keys) x 2]
--- error_code eval
[(200) x 4, (429) x 4]



=== TEST 2: the same through every source of ratelimit_key
--- http_config
    ratelimit_zone   zone=api:64k;
    ratelimit_key    $client bearer header=X-API-Key cookie=sid arg=api_key;
    ratelimit_policy token key=$client quota=1/1h;
    large_client_header_buffers 4 2m;
--- config
    location /t { ratelimit token; empty_gif; }
--- request eval
[("GET /t") x 6, ("GET /t?api_key=" . "x" x 1048576) x 2]
--- more_headers eval
my $long = "x" x 1048576;
[("Authorization: Bearer $long") x 2, ("X-API-Key: $long") x 2, ("Cookie: sid=$long") x 2, ("X: y") x 2]
--- error_code eval
[(200, 429) x 4]



=== TEST 3: long keys that differ in their last byte are two keys
--- http_config
    ratelimit_zone   zone=api:64k;
    ratelimit_policy token key=$arg_k quota=1/1h;
    large_client_header_buffers 4 2m;
--- config
    location /t { ratelimit token; empty_gif; }
--- request eval
my $long = "x" x 1048576;
["GET /t?k=${long}a", "GET /t?k=${long}b", "GET /t?k=${long}a"]
--- error_code eval
[200, 200, 429]



=== TEST 4: a key of 0 bytes is none
--- http_config
    ratelimit_zone   zone=api:64k;
    ratelimit_key    $client bearer header=X-API-Key cookie=sid arg=api_key;
    ratelimit_policy token key=$client quota=0/1h;
--- config
    location /t { ratelimit token; empty_gif; }
--- request eval
["GET /t?api_key=", "GET /t", "GET /t", "GET /t"]
--- more_headers eval
["X: y", "Authorization: Bearer ", "X-API-Key:", "Cookie: sid="]
--- error_code eval
[(200) x 4]



=== TEST 5: a NUL in a key ends nothing
--- http_config
    ratelimit_zone   zone=api:64k;
    ratelimit_key    $client arg=k;
    ratelimit_policy token key=$client quota=1/1h;
--- config
    location /t { ratelimit token; empty_gif; }
--- request eval
["GET /t?k=a%00b", "GET /t?k=a%00c", "GET /t?k=a", "GET /t?k=%00", "GET /t?k=%00%00", "GET /t?k=a%00b", "GET /t?k=%00"]
--- error_code eval
[(200) x 5, 429, 429]



=== TEST 6: one value is one key, however it is escaped
--- http_config
    ratelimit_zone   zone=api:64k;
    ratelimit_key    $client arg=k;
    ratelimit_policy token key=$client quota=1/1h;
--- config
    location /t { ratelimit token; empty_gif; }
--- request eval
["GET /t?k=caf%C3%A9", "GET /t?k=caf%c3%a9", "GET /t?k=%63af%c3%A9", "GET /t?%6B=caf%C3%A9", "GET /t?k=CAF%C3%A9", "GET /t?k=cafe"]
--- error_code eval
[200, 429, 429, 429, 200, 200]



=== TEST 7: UTF-8 and bytes that are none are keys as well
--- http_config
    ratelimit_zone   zone=api:64k;
    ratelimit_key    $client header=X-API-Key;
    ratelimit_policy token key=$client quota=1/1h;
--- config
    location /t { ratelimit token; empty_gif; }
--- request eval
[("GET /t") x 6]
--- more_headers eval
["X-API-Key: \xe2\x82\xac", "X-API-Key: \xff\xfe", "X-API-Key: \xff", "X-API-Key: \xe2\x82\xac", "X-API-Key: \xff\xfe", "X-API-Key: \xff"]
--- error_code eval
[200, 200, 200, 429, 429, 429]



=== TEST 8: repeated values do not multiply the quota
--- http_config
    ratelimit_zone   zone=api:64k;
    ratelimit_key    $client header=X-API-Key cookie=sid arg=k;
    ratelimit_policy token key=$client quota=1/1h;
--- config
    location /t { ratelimit token; empty_gif; }
--- request eval
["GET /t", "GET /t", "GET /t", "GET /t", "GET /t?k=1", "GET /t?k=1&k=2", "GET /t?k=&k=1"]
--- more_headers eval
["X-API-Key: a", "X-API-Key: a\nX-API-Key: b", "Cookie: sid=a", "Cookie: sid=a; sid=b", "X: y", "X: y", "X: y"]
--- error_code eval
[200, 429, 200, 429, 200, 429, 429]



=== TEST 9: hundreds of cookies and arguments
--- http_config
    ratelimit_zone   zone=api:64k;
    ratelimit_key    $cookie_key cookie=sid;
    ratelimit_key    $arg_key    arg=k;
    large_client_header_buffers 4 64k;
--- config
    location /t { return 200 "$cookie_key $arg_key\n"; }
--- request eval
"GET /t?" . CORE::join("&", map { "k$_=$_" } 1 .. 900) . "&k=last"
--- more_headers eval
"Cookie: " . CORE::join("; ", map { "sid$_=$_" } 1 .. 900) . "; sid=last"
--- response_body
cookie:last arg:last



=== TEST 10: a hundred policies in one location, all or none
--- http_config eval
"ratelimit_zone zone=api:1m;\n"
. CORE::join('', map { "ratelimit_policy p$_ key=\$arg_k quota=" . ($_ + 1) . "/1h;\n" } 1 .. 100)
--- config eval
"location /t { ratelimit_headers per-policy prefix=X-;\n"
. CORE::join('', map { "ratelimit p$_;\n" } 1 .. 100) . "empty_gif; }"
--- request eval
[("GET /t?k=a") x 3]
--- error_code eval
[200, 200, 429]
--- response_headers eval
[(map { my $n = $_; CORE::join "\n", map { "X-p$_-remaining: " . ($_ + 1 - $n) } 1 .. 100 } 1, 2),
 CORE::join "\n", map { "X-p$_-remaining: " . ($_ - 1) } 1 .. 100]



=== TEST 11: 128 policies decide a request, with every dialect
--- http_config eval
"ratelimit_zone zone=api:1m;\n"
. CORE::join('', map { "ratelimit_policy p$_ key=\$arg_k quota=999999999999999/366d;\n" } 1 .. 128)
--- config eval
"location /t { ratelimit_headers x-ratelimit ietf draft3 per-policy prefix=X-;\n"
. CORE::join('', map { "ratelimit p$_;\n" } 1 .. 128) . "empty_gif; }"
--- request
GET /t?k=a
--- response_headers eval
"X-RateLimit-Remaining: 999999999999998\nX-p128-remaining: 999999999999998\n"
. 'RateLimit-Policy: ' . CORE::join(", ", map { "\"p$_\";q=999999999999999;w=31622400" } 1 .. 128)



=== TEST 12: a thousand policies in a configuration
--- http_config eval
"ratelimit_zone zone=api:1m;\n"
. CORE::join('', map { "ratelimit_policy p$_ key=\$arg_k quota=1/1h;\n" } 1 .. 1000)
--- config eval
CORE::join '', map { "location = /$_ { ratelimit p$_; empty_gif; }\n" } 1 .. 1000
--- request eval
["GET /1?k=a", "GET /1000?k=a", "GET /500?k=a", "GET /1?k=a", "GET /1000?k=a"]
--- error_code eval
[200, 200, 200, 429, 429]



=== TEST 13: the smallest zone, more keys than it holds: strangers are never refused
--- http_config
    ratelimit_zone   zone=api:64k;
    ratelimit_policy token key=$arg_k quota=1/1h;
--- config
    keepalive_requests 100000;
    location /t { ratelimit token; empty_gif; access_log off; }
--- init
my $answers = RateLimit::pipeline(5000, sub { "/t?k=$_[0]" });
RateLimit::publish('answers', CORE::join '', map { "$_: $answers->{$_}\n" } sort keys %$answers);
--- request
GET /answers
--- response_body
200: 5000



=== TEST 14: limit_req's flood trap: a throttled client stays throttled after 20,000 strangers
--- http_config
    ratelimit_zone   zone=api:1m;
    ratelimit_policy token key=$arg_k quota=10/1h;
--- config
    keepalive_requests 100000;
    location /t { ratelimit token; empty_gif; access_log off; }
--- init
my $before = RateLimit::pipeline(12, sub { "/t?k=victim" });
my $flood  = RateLimit::pipeline(20000, sub { "/t?k=$_[0]" });
my $after  = RateLimit::pipeline(12, sub { "/t?k=victim" });
RateLimit::publish('answers', "before: $before->{200} admitted, $before->{429} refused\n"
                              . "flood: $flood->{200} admitted\n"
                              . "after: " . ($after->{200} // 0) . " admitted\n");
--- request
GET /answers
--- response_body
before: 10 admitted, 2 refused
flood: 20000 admitted
after: 0 admitted



=== TEST 15: the same for every algorithm, the flood in the very policy
--- http_config
    ratelimit_zone   zone=api:64k;
    ratelimit_policy sliding  key=$arg_k quota=3/1h   algorithm=sliding;
    ratelimit_policy fixed    key=$arg_k quota=3/1h   algorithm=fixed;
    ratelimit_policy calendar key=$arg_k quota=3/366d algorithm=calendar;
    ratelimit_policy gcra     key=$arg_k quota=3/366d algorithm=gcra;
--- config
    keepalive_requests 100000;
    access_log off;
    location /sliding  { ratelimit sliding;  empty_gif; }
    location /fixed    { ratelimit fixed;    empty_gif; }
    location /calendar { ratelimit calendar; empty_gif; }
    location /gcra     { ratelimit gcra;     empty_gif; }
--- init
my $text = '';
for my $name (qw(sliding fixed calendar gcra)) {
    RateLimit::pipeline(4, sub { "/$name?k=victim" });
    RateLimit::pipeline(2000, sub { "/$name?k=$_[0]" });
    my $after = RateLimit::pipeline(3, sub { "/$name?k=victim" });
    $text .= "$name " . ($after->{429} // 0) . "\n";
}
RateLimit::publish('answers', $text);
--- request
GET /answers
--- response_body
sliding 3
fixed 3
calendar 3
gcra 3



=== TEST 16: quota, capacity and cost at their maxima
--- http_config
    ratelimit_zone   zone=api:64k;
    ratelimit_policy sliding  key=$arg_k quota=999999999999999/366d algorithm=sliding;
    ratelimit_policy fixed    key=$arg_k quota=999999999999999/366d algorithm=fixed;
    ratelimit_policy calendar key=$arg_k quota=999999999999999/366d algorithm=calendar;
    ratelimit_policy gcra     key=$arg_k quota=999999999999999/366d algorithm=gcra capacity=999999999999999;
--- config
    ratelimit_headers x-ratelimit;
    location /sliding  { ratelimit sliding  cost=$arg_c; empty_gif; }
    location /fixed    { ratelimit fixed    cost=$arg_c; empty_gif; }
    location /calendar { ratelimit calendar cost=$arg_c; empty_gif; }
    location /gcra     { ratelimit gcra     cost=$arg_c; empty_gif; }
--- request eval
[map { ("GET /$_?k=a&c=1", "GET /$_?k=a&c=999999999999998", "GET /$_?k=a&c=1") } qw(sliding fixed calendar)]
--- error_code eval
[(200, 200, 429) x 3]
--- response_headers eval
[("X-RateLimit-Remaining: 999999999999998", "X-RateLimit-Remaining: 0", "X-RateLimit-Limit: 999999999999999\nX-RateLimit-Remaining: 0") x 3]



=== TEST 17: gcra at its maxima: the emptiest bucket fills in 31,622,400 s
--- timed
--- http_config
    ratelimit_zone   zone=api:64k;
    ratelimit_policy most key=$arg_k quota=999999999999999/366d algorithm=gcra;
    ratelimit_policy slow key=$arg_k quota=1/366d algorithm=gcra capacity=999999999999999;
    ratelimit_policy fast key=$arg_k quota=999999999999999/1ms algorithm=gcra;
--- config
    ratelimit_headers x-ratelimit;
    location /most { ratelimit most cost=999999999999999; empty_gif; }
    location /slow { ratelimit slow cost=999999999999999; empty_gif; }
    location /fast { ratelimit fast cost=999999999999999; empty_gif; }
--- request eval
["GET /most?k=a", "GET /most?k=a", "GET /slow?k=a", "GET /slow?k=a", "GET /fast?k=a", "GET /fast?k=a"]
--- error_code eval
[200, 429, 200, 429, 200, 200]
--- response_headers_like eval
["X-RateLimit-Limit: 999999999999999\nX-RateLimit-Remaining: 0\nX-RateLimit-Reset: 31622400",
 "X-RateLimit-Remaining: \\d+\nRetry-After: 1728000",
 "X-RateLimit-Limit: 999999999999999\nX-RateLimit-Remaining: 0\nX-RateLimit-Reset: [1-9]\\d*",
 "X-RateLimit-Remaining: 0\nRetry-After: [1-9]\\d*",
 "X-RateLimit-Limit: 999999999999999\nX-RateLimit-Remaining: 0\nX-RateLimit-Reset: 1",
 "X-RateLimit-Limit: 999999999999999\nX-RateLimit-Remaining: 0"]



=== TEST 18: the shortest window
--- http_config
    ratelimit_zone   zone=api:64k;
    ratelimit_policy sliding  key=$arg_k quota=1/1ms algorithm=sliding;
    ratelimit_policy fixed    key=$arg_k quota=1/1ms algorithm=fixed;
    ratelimit_policy calendar key=$arg_k quota=1/1ms algorithm=calendar;
    ratelimit_policy gcra     key=$arg_k quota=1/1ms algorithm=gcra;
--- config
    location /t { ratelimit sliding; ratelimit fixed; ratelimit calendar; ratelimit gcra; empty_gif; }
--- request eval
[("GET /t?k=a") x 3]
--- error_code eval
[200, 200, 200]



=== TEST 19: a window whose length changes with every request
--- http_config
    ratelimit_zone   zone=api:64k;
    ratelimit_policy sliding  key=$arg_k quota=$arg_q algorithm=sliding;
    ratelimit_policy fixed    key=$arg_k quota=$arg_q algorithm=fixed;
    ratelimit_policy calendar key=$arg_k quota=$arg_q algorithm=calendar;
    ratelimit_policy gcra     key=$arg_k quota=$arg_q algorithm=gcra;
--- config
    location /t { ratelimit sliding; ratelimit fixed; ratelimit calendar; ratelimit gcra; empty_gif; }
--- request eval
[map { "GET /t?k=a&q=$_" } "999999999999999/1ms", "999999999999999/366d", "999999999999999/1h", "999999999999999/7ms", "999999999999999/365d", "0/1s", "999999999999999/366d"]
--- error_code eval
[200, 200, 200, 200, 200, 429, 200]



=== TEST 20: a client's nonsense is cut before it reaches the log
--- http_config
    ratelimit_zone   zone=api:64k;
    ratelimit_policy token key=everybody quota=$http_x_quota;
--- config
    location /t { ratelimit token; empty_gif; }
--- more_headers eval
"X-Quota: " . "n" x 5000
--- error_log eval
[qr/invalid quota "n{64}[^n]/]
--- no_error_log eval
[qr/n{65}/]



=== TEST 21: control bytes in a client's nonsense write no line of their own
--- http_config
    ratelimit_zone   zone=api:64k;
    ratelimit_key    $quota arg=q untagged;
    ratelimit_policy token key=everybody quota=$quota;
--- config
    location /t { ratelimit token; empty_gif; }
--- request
GET /t?q=x%0Aforged%0D%00line
--- error_log
invalid quota "x
--- no_error_log eval
[qr/^forged/m]



=== TEST 22: fields of a client that look like ours change nothing
--- http_config
    ratelimit_zone   zone=api:64k;
    ratelimit_policy token key=everybody quota=5/1h;
--- config
    location /t { ratelimit token; ratelimit_headers x-ratelimit; empty_gif; }
--- more_headers
X-RateLimit-Remaining: 100
X-RateLimit-Limit: 100
--- response_headers
X-RateLimit-Limit: 5
X-RateLimit-Remaining: 4



=== TEST 23: distinct keys by the thousand over distinct policies keep their counts apart
--- http_config
    ratelimit_zone   zone=api:4m;
    ratelimit_policy one key=$arg_k quota=2/1h;
    ratelimit_policy two key=$arg_k quota=1/1h;
--- config
    keepalive_requests 100000;
    access_log off;
    location /one { ratelimit one; empty_gif; }
    location /two { ratelimit two; ratelimit_log_level info; empty_gif; }
--- init
my $one   = RateLimit::pipeline(4000, sub { "/one?k=" . ($_[0] % 2000) });
my $two   = RateLimit::pipeline(4000, sub { "/two?k=" . ($_[0] % 2000) });
RateLimit::publish('answers', "$one->{200} $two->{200} $two->{429}\n");
--- request
GET /answers
--- response_body
4000 2000 2000
