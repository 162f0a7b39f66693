use lib 't/lib';
use RateLimit;
use Api;
use Test::Nginx::Socket 'no_plan';
use POSIX ();
use Time::HiRes ();

our @figures = qw(policy zone exists limit limit_source unlimited remaining window window_ms);

# `recent` halves whenever the monotonic clock passes a multiple of 2^15 ms: a
# block that asks for the exact value waits where that is about to come.
sub stay_clear_of_halving {
    my $left = 32.768 - POSIX::fmod(Time::HiRes::clock_gettime(Time::HiRes::CLOCK_MONOTONIC()), 32.768);
    Time::HiRes::sleep($left) if $left < 3;
}

run_tests();

__DATA__

=== TEST 1: a key by its value
--- http_config
    ratelimit_zone   zone=api:64k;
    ratelimit_policy token key=$arg_k quota=10/60s;
--- config
    location /t   { ratelimit token cost=$arg_cost; empty_gif; }
    location /api { ratelimit_api; allow all; }
--- init
main::stay_clear_of_halving();
--- request eval
["GET /t?k=a&cost=3", "GET /api/keys?policy=token&key=a", "GET /api/keys?policy=token&key=b"]
--- error_code eval
[200, 200, 200]
--- response_body_filters eval
[Api::any(), (Api::at(@main::figures, qw(retry_after_ms refused admitted.requests_last_minute admitted.requests override))) x 2]
--- response_body eval
["", <<'_END_', <<'_END_']
policy: token
zone: api
exists: true
limit: 10
limit_source: configuration
unlimited: false
remaining: 7
window: 60s
window_ms: 60000
retry_after_ms: 0
refused: null
admitted.requests_last_minute: 1
admitted.requests: 1
override: null
_END_
policy: token
zone: api
exists: false
limit: 10
limit_source: configuration
unlimited: false
remaining: 10
window: 60s
window_ms: 60000
retry_after_ms: 0
refused: null
admitted.requests_last_minute: nothing
admitted.requests: nothing
override: null
_END_



=== TEST 2: a refused key: since when, how often, when again
--- http_config
    ratelimit_zone   zone=api:64k;
    ratelimit_policy token key=$arg_k quota=1/60s algorithm=fixed;
--- config
    location /t   { ratelimit token; empty_gif; }
    location /api { ratelimit_api; allow all; }
--- init
main::stay_clear_of_halving();
--- request eval
["GET /t?k=a", "GET /t?k=a", "GET /t?k=a", "GET /api/keys?policy=token&key=a"]
--- error_code eval
[200, 429, 429, 200]
--- response_body_like eval
[".", ".", ".", qr/"remaining": 0,
.*"reset_ms": (\d{5}),
  "retry_after_ms": \1,
  "banned_until": null,
  "last_seen": (\d{10}),
  "refused": \{
    "requests_last_minute": [12],
    "requests": 2,
    "first_seen": \d{10},
    "last_seen": \d{10},
    "dry_run": false
  \}/s]



=== TEST 3: values are percent-decoded, a plus stays one, bytes may be any
--- http_config
    ratelimit_zone   zone=api:64k;
    ratelimit_policy token key=$http_x_key quota=10/60s;
    ratelimit_policy addr  key=$binary_remote_addr quota=10/60s;
--- config
    location /t   { ratelimit token addr; empty_gif; }
    location /api { ratelimit_api; allow all; }
--- request eval
["GET /t", "GET /api/keys?policy=token&key=a%26b%20c%2b+%3D%C3%A9", "GET /api/keys?policy=token&key=a%26b", "GET /api/keys?policy=addr&key=%7f%00%00%01"]
--- more_headers eval
["X-Key: a&b c++=\xc3\xa9", ("X-Key: z") x 3]
--- response_body_filters eval
[Api::any(), (Api::at("exists", "remaining")) x 3]
--- response_body eval
["", "exists: true\nremaining: 9\n", "exists: false\nremaining: 10\n", "exists: true\nremaining: 9\n"]



=== TEST 4: of a compound key every part is needed, in order
--- http_config
    ratelimit_zone   zone=api:64k;
    ratelimit_policy pair key=$arg_a key=$arg_b quota=10/60s;
--- config
    location /t   { ratelimit pair; empty_gif; }
    location /api { ratelimit_api; allow all; }
--- request eval
["GET /t?a=1&b=2", "GET /api/keys?policy=pair&key=1&key=2", "GET /api/keys?policy=pair&key=2&key=1",
 "GET /api/keys?policy=pair&key=1", "GET /api/keys?policy=pair&key=1&key=2&key=3", "GET /api/keys?policy=pair",
 "GET /api/keys?policy=pair&key=1&key="]
--- error_code eval
[200, 200, 200, 400, 400, 400, 400]
--- response_body_filters eval
[Api::any(), (Api::at("remaining")) x 2, (Api::at("detail")) x 4]
--- response_body eval
["", "remaining: 9\n", "remaining: 10\n",
 "detail: policy \"pair\" needs \"id=\" or 2 times \"key=\", not 1\n",
 "detail: policy \"pair\" needs \"id=\" or 2 times \"key=\", not 3\n",
 "detail: policy \"pair\" needs \"id=\" or 2 times \"key=\", not 0\n",
 "detail: an empty key is never counted\n"]



=== TEST 5: the key of a "ratelimit_key" is given with its tag
--- http_config
    ratelimit_zone   zone=api:64k;
    ratelimit_key    $client bearer addr;
    ratelimit_policy token key=$client quota=10/60s;
--- config
    location /t   { ratelimit token; empty_gif; }
    location /api { ratelimit_api; allow all; }
--- request eval
["GET /t", "GET /t", "GET /api/keys?policy=token&key=bearer:abc", "GET /api/keys?policy=token&key=addr:127.0.0.1"]
--- more_headers eval
["Authorization: Bearer abc", "X-None: 1", "X-None: 1", "X-None: 1"]
--- response_body_filters eval
[Api::any(), Api::any(), (Api::at("remaining")) x 2]
--- response_body eval
["", "", "remaining: 9\n", "remaining: 9\n"]



=== TEST 6: the id that $ratelimit_key_id shows finds the same bucket
--- http_config
    ratelimit_zone   zone=api:64k;
    ratelimit_policy token key=$arg_k quota=10/60s;
    ratelimit_policy fixed key=$arg_k quota=10/60s algorithm=fixed;
--- config
    location /t   { ratelimit token; return 200 "$ratelimit_key_id"; }
    location /c   { ratelimit token; empty_gif; }
    location /api { ratelimit_api write=on; allow all; }
--- request eval
["GET /c?k=a", "GET /c?k=a", "GET /t?k=a"]
--- response_body_filters eval
[Api::any(), Api::any(), [sub {
    my ($id) = @_;
    my @answers = map { Api::ask(@$_) } ['GET', "/api/keys?id=$id&policy=token"],
        ['GET', '/api/keys?policy=token&id=' . uc $id], ['GET', "/api/keys?id=$id&policy=fixed"],
        ['DELETE', "/api/keys?id=$id&policy=token"], ['GET', '/api/keys?key=a&policy=token'];
    return CORE::join '', map { /"key_id": "$id",\n  "exists": (\w+),.*"remaining": (\w+)/s ? "$1 $2\n" : "not: $_" } @answers;
}]]
--- response_body eval
["", "", "true 8\ntrue 8\nfalse 10\ntrue 10\ntrue 10\n"]



=== TEST 7: unknown and malformed requests
--- http_config
    ratelimit_zone   zone=api:64k;
    ratelimit_policy token key=$arg_k quota=10/60s;
--- config
    location /api { ratelimit_api write=on; allow all; }
--- request eval
["GET /api/keys", "GET /api/keys?policy=nope&key=a", "GET /api/keys?policy=&key=a", "GET /api/keys?policy=token&policy=token&key=a",
 "GET /api/keys?polcy=token&key=a", "GET /api/keys?policy=token&id=123", "GET /api/keys?policy=token&id=0123456789abcdeg",
 "GET /api/keys?policy=token&id=0123456789abcdef&key=a", "GET /api/keys?top=0", "GET /api/keys?top=101", "GET /api/keys?top=x",
 "GET /api/keys?top=5&policy=nope", "GET /api?x=1", "DELETE /api/keys", "DELETE /api/keys?policy=nope&key=a", "DELETE /api/keys?policy=token",
 "GET /api/keys?policy=%3cscript%3e%22%00%ff&key=a"]
--- error_code eval
[400, 404, 404, 400, 400, 400, 400, 400, 400, 400, 400, 404, 400, 400, 404, 400, 404]
--- response_body_filters eval
[(Api::at("detail")) x 17]
--- response_body eval
[map { "detail: $_\n" } 'no "policy="', 'unknown policy "nope"', 'unknown policy ""', 'duplicate parameter "policy"', 'unknown parameter "polcy"',
 ('"id=" must be 16 hex digits, as in $ratelimit_key_id') x 2, '"id=" and "key=" exclude each other', ('"top=" must be 1 to 100') x 3, 'unknown policy "nope"',
 'unknown parameter "x"', 'no "policy="', 'unknown policy "nope"', 'policy "token" needs "id=" or 1 times "key=", not 0',
 "unknown policy \"<script>\"\0?\""]



=== TEST 8: DELETE takes a key's units off it
--- http_config
    ratelimit_zone   zone=api:64k;
    ratelimit_policy token key=$arg_k quota=1/60s;
--- config
    location /t   { ratelimit token; empty_gif; }
    location /api { ratelimit_api write=on; allow all; }
--- request eval
["GET /t?k=a", "GET /t?k=b", "GET /t?k=a", "DELETE /api/keys?policy=token&key=a", "GET /t?k=a", "GET /t?k=a", "GET /t?k=b", "DELETE /api/keys?policy=token&key=never"]
--- error_code eval
[200, 200, 429, 200, 200, 429, 429, 200]
--- response_body_filters eval
[(map { Api::any() } 1 .. 3), Api::at("exists", "remaining", "refused.requests"), (map { Api::any() } 1 .. 3), Api::at("exists", "remaining")]
--- response_body eval
[("") x 3, "exists: true\nremaining: 1\nrefused.requests: 1\n", ("") x 3, "exists: false\nremaining: 1\n"]



=== TEST 9: a reset is logged, by the id and never by the key
--- http_config
    ratelimit_zone   zone=api:64k;
    ratelimit_policy token key=$arg_k quota=1/60s;
--- config
    location /api { ratelimit_api write=on; allow all; }
--- request
DELETE /api/keys?policy=token&key=topsecret
--- error_log eval
qr/\[warn\] .*ratelimit: key [0-9a-f]{16} of policy "token" reset \(it had no bucket\) by "ratelimit_api", client: 127\.0\.0\.1/
--- no_error_log
topsecret



=== TEST 10: every algorithm can be looked at and reset
--- http_config
    ratelimit_zone   zone=api:64k;
    ratelimit_policy sliding  key=$arg_k quota=4/1h;
    ratelimit_policy fixed    key=$arg_k quota=4/1h algorithm=fixed;
    ratelimit_policy calendar key=$arg_k quota=4/1M algorithm=calendar;
    ratelimit_policy gcra     key=$arg_k quota=4/1h algorithm=gcra capacity=9;
--- config
    location /t   { ratelimit sliding fixed calendar gcra cost=3; empty_gif; }
    location /api { ratelimit_api write=on; allow all; }
--- request eval
["GET /t?k=a", (map { "GET /api/keys?policy=$_&key=a" } qw(sliding fixed calendar gcra)),
 (map { "DELETE /api/keys?policy=$_&key=a" } qw(sliding fixed calendar gcra)), "GET /t?k=a", "GET /t?k=a"]
--- error_code eval
[(200) x 10, 429]
--- response_body_filters eval
[Api::any(), (Api::at("limit", "remaining", "window")) x 8, Api::any(), Api::any()]
--- response_body eval
["", (map { "limit: 4\nremaining: 1\nwindow: $_\n" } qw(1h 1h 1M)), "limit: 9\nremaining: 6\nwindow: 1h\n",
 (map { "limit: 4\nremaining: 4\nwindow: $_\n" } qw(1h 1h 1M)), "limit: 9\nremaining: 9\nwindow: 1h\n", "", ""]



=== TEST 11: a variable's limit is that of the key's last request
--- http_config
    ratelimit_zone   zone=api:64k;
    ratelimit_policy tier key=$arg_k quota=$arg_q;
--- config
    location /t   { ratelimit tier; empty_gif; }
    location /api { ratelimit_api write=on; allow all; }
--- request eval
["GET /t?k=a&q=700/90s", "GET /api/keys?policy=tier&key=a", "GET /api/keys?policy=tier&key=b"]
--- response_body_filters eval
[Api::any(), (Api::at(@main::figures)) x 2]
--- response_body eval
["", <<'_END_', <<'_END_']
policy: tier
zone: api
exists: true
limit: 700
limit_source: last_request
unlimited: false
remaining: 699
window: 90s
window_ms: 90000
_END_
policy: tier
zone: api
exists: false
limit: null
limit_source: unknown
unlimited: false
remaining: null
window: null
window_ms: null
_END_



=== TEST 12: where the last request is not known either, the bucket's own limit is shown, to within 1/512
--- http_config
    ratelimit_zone   zone=api:64k;
    ratelimit_policy tier key=$arg_k quota=$arg_q;
--- config
    location /t   { ratelimit tier; empty_gif; }
    location /api { ratelimit_api write=on; allow all; }
--- init
# Sampled are the first request and few of the others within 100 ms.
RateLimit::pipeline(300, sub { "/t?k=" . ($_[0] + 1) . "&q=7005/1d" });
--- request
GET /api/keys?top=100
--- response_body_filters eval
[sub {
    my %listed = map { $_ => 1 } $_[0] =~ /"key_id": "(\w+)"/g;
    my $checked = 0;
    for my $key (1 .. 300) {
        my $json = Api::ask('GET', "/api/keys?policy=tier&key=$key");
        my ($id) = $json =~ /"key_id": "(\w+)"/ or return "no answer: $json";
        next if $listed{$id};
        $checked++;
        return $json if $json !~ /"limit_source": "bucket"/ || $json !~ /"limit": 700\d,/ || $json !~ /"window": "1d"/;
        last if $checked == 20;
    }
    return "checked $checked\n";
}]
--- response_body
checked 20
--- timeout: 10



=== TEST 13: scales and unlimited quotas
--- http_config
    ratelimit_zone   zone=api:64k;
    ratelimit_policy half key=$arg_k quota=9/60s scale=50% scale=50%;
    ratelimit_policy none key=$arg_k quota=unlimited;
    ratelimit_policy zero key=$arg_k quota=0/60s;
--- config
    location /api { ratelimit_api; allow all; }
--- request eval
[map { "GET /api/keys?policy=$_&key=a" } qw(half none zero)]
--- response_body_filters eval
[(Api::at(qw(limit unlimited remaining retry_after_ms limit_source))) x 3]
--- response_body eval
["limit: 2\nunlimited: false\nremaining: 2\nretry_after_ms: 0\nlimit_source: configuration\n",
 "limit: null\nunlimited: true\nremaining: null\nretry_after_ms: null\nlimit_source: configuration\n",
 "limit: 0\nunlimited: false\nremaining: 0\nretry_after_ms: 60000\nlimit_source: configuration\n"]



=== TEST 14: the top keys, refused and admitted, of a policy, of all
--- http_config
    ratelimit_zone   zone=api:64k;
    ratelimit_policy token  key=$arg_k quota=1/1h;
    ratelimit_policy strict key=$arg_k quota=0/1h;
--- config
    location /t   { ratelimit token; empty_gif; }
    location /s   { ratelimit strict; empty_gif; }
    location /api { ratelimit_api; allow all; }
--- init
main::stay_clear_of_halving();
RateLimit::pipeline(21, sub { $_[0] < 14 ? "/t?k=" . ($_[0] % 7 < 4 ? 'a' : 'b') : "/s?k=c" });
--- request eval
["GET /api/keys?top=10", "GET /api/keys?top=1", "GET /api/keys?top=10&policy=token", "GET /api/keys?top=10&policy=strict"]
--- response_body_filters eval
[Api::at("top_refused.n", map({ ("top_refused.$_.policy", "top_refused.$_.refused.requests") } 0 .. 2), "top_admitted.0.policy"),
 Api::at("top_refused.n", "top_refused.0.refused.requests", "top_admitted.n"),
 Api::at("top_refused.n", "top_refused.0.refused.requests", "top_refused.1.refused.requests", "top_refused.1.remaining"),
 Api::at("top_refused.n", "top_admitted.n")]
--- response_body eval
["top_refused.n: 3\ntop_refused.0.policy: token\ntop_refused.0.refused.requests: 7\ntop_refused.1.policy: strict\ntop_refused.1.refused.requests: 7\n"
 . "top_refused.2.policy: token\ntop_refused.2.refused.requests: 5\ntop_admitted.0.policy: token\n",
 "top_refused.n: 1\ntop_refused.0.refused.requests: 7\ntop_admitted.n: 1\n",
 "top_refused.n: 2\ntop_refused.0.refused.requests: 7\ntop_refused.1.refused.requests: 5\ntop_refused.1.remaining: 0\n",
 "top_refused.n: 1\ntop_admitted.n: 0\n"]



=== TEST 15: would-be refusals of a dry run are listed as well
--- http_config
    ratelimit_zone   zone=api:64k;
    ratelimit_policy token key=$arg_k quota=0/1h;
--- config
    location /t   { ratelimit token dry_run=on; empty_gif; }
    location /api { ratelimit_api; allow all; }
--- request eval
["GET /t?k=a", "GET /api/keys?top=10"]
--- error_code eval
[200, 200]
--- response_body_filters eval
[Api::any(), Api::at("top_refused.n", "top_refused.0.refused.requests", "top_admitted.n")]
--- response_body eval
["", "top_refused.n: 1\ntop_refused.0.refused.requests: 1\ntop_admitted.n: 0\n"]



=== TEST 16: among many refused keys the one that is refused most stays listed
--- http_config
    ratelimit_zone   zone=api:1m;
    ratelimit_policy token key=$arg_k quota=0/1h;
--- config
    keepalive_requests 10000;
    location /r   { ratelimit token; ratelimit_log_level info; error_log logs/error.log warn; empty_gif; }
    location /api { ratelimit_api; allow all; }
--- init
RateLimit::pipeline(3000, sub { "/r?k=" . ($_[0] % 10 ? $_[0] : 'often') });
--- request eval
["GET /api/keys?top=100&policy=token", "GET /api/keys?policy=token&key=often"]
--- response_body_filters eval
[Api::at("top_refused.n"), Api::at("refused.requests")]
--- response_body eval
["top_refused.n: 64\n", "refused.requests: 300\n"]
--- timeout: 10



=== TEST 17: an address is looked up as its source masks it
--- http_config
    ratelimit_zone   zone=api:64k;
    ratelimit_key    $client bearer addr=24/64;
    ratelimit_policy token key=$client quota=10/60s;
    ratelimit_policy pair  key=$client key=$arg_k quota=10/60s;
    set_real_ip_from 127.0.0.1;
    real_ip_header   X-From;
--- config
    location /t   { ratelimit token pair; empty_gif; }
    location /api { ratelimit_api; allow all; real_ip_header X-None; }
--- request eval
["GET /t?k=1", "GET /t?k=1", (map { "GET /api/keys?policy=token&key=$_" } 'addr:2001:db8::1', 'addr:2001:DB8:0:0:ffff::', 'addr:2001:db8:0:1::', 'addr:192.0.2.200', 'addr:nonsense'),
 "GET /api/keys?policy=pair&key=addr:192.0.2.200&key=1"]
--- more_headers eval
["X-From: 2001:db8::77", "X-From: 192.0.2.7", ("X-None: 1") x 6]
--- error_code eval
[(200) x 6, 400, 200]
--- response_body_filters eval
[Api::any(), Api::any(), (Api::at("remaining")) x 4, Api::at("detail"), Api::at("remaining")]
--- response_body eval
["", "", "remaining: 9\n", "remaining: 9\n", "remaining: 10\n", "remaining: 9\n", 'detail: no source of "$client" yields such a value' . "\n", "remaining: 9\n"]



=== TEST 18: without a tag it is the key that a source could make of it, or all of these
--- http_config
    ratelimit_zone   zone=api:64k;
    ratelimit_key    $client bearer|header=X-API-Key basic addr;
    ratelimit_key    $bare   bearer addr untagged;
    ratelimit_policy token key=$client quota=10/60s;
    ratelimit_policy one   key=$bare quota=10/60s;
    ratelimit_policy pair  key=$client key=$client quota=10/60s;
--- config
    location /t   { ratelimit token one pair; empty_gif; }
    location /api { ratelimit_api write=on; allow all; }
--- request eval
["GET /t", "GET /t", "GET /api/keys?policy=token&key=a:b", "GET /api/keys?policy=token&key=127.0.0.1", "GET /api/keys?policy=one&key=127.0.0.1",
 "DELETE /api/keys?policy=token&key=127.0.0.1", "PUT /api/overrides?policy=token&key=127.0.0.1&quota=1", "GET /api/keys?policy=pair&key=127.0.0.1&key=addr:127.0.0.1",
 "DELETE /api/keys?policy=token&key=addr:127.0.0.1"]
--- more_headers eval
["Authorization: Bearer a:b", ("X-None: 1") x 8]
--- error_code eval
[(200) x 5, 400, 400, 200, 200]
--- response_body_filters eval
[Api::any(), Api::any(), Api::at("remaining"), Api::at("keys.n", map { ("keys.$_.tags", "keys.$_.remaining") } 0 .. 2), Api::at("remaining"),
 Api::at("detail"), Api::at("detail"), Api::at("keys.n", "keys.0.tags", "keys.2.tags", "keys.2.remaining"), Api::at("remaining")]
--- response_body eval
["", "", "remaining: 9\n", "keys.n: 3\nkeys.0.tags: [\"bearer\"]\nkeys.0.remaining: 10\nkeys.1.tags: [\"basic\"]\nkeys.1.remaining: 10\nkeys.2.tags: [\"addr\"]\nkeys.2.remaining: 9\n",
 "remaining: 9\n", ("detail: 3 keys could be meant, write the tag, as in \"bearer:\"\n") x 2,
 "keys.n: 3\nkeys.0.tags: [\"bearer\",\"addr\"]\nkeys.2.tags: [\"addr\",\"addr\"]\nkeys.2.remaining: 9\n", "remaining: 10\n"]



=== TEST 19: an id is one of its policy, under another it changes nothing
--- http_config
    ratelimit_zone   zone=api:64k;
    ratelimit_policy p key=$arg_k quota=10/60s;
    ratelimit_policy q key=$arg_k quota=10/60s;
--- config
    location /q   { ratelimit q; return 200 "$ratelimit_key_id_q"; }
    location /c   { ratelimit p q; empty_gif; }
    location /api { ratelimit_api write=on; allow all; }
--- request eval
["GET /c?k=a", "GET /q?k=a"]
--- response_body_filters eval
[Api::any(), [sub {
    my ($id) = @_;
    my @answers = map { Api::ask(@$_) } ['DELETE', "/api/keys?policy=p&id=$id"], ['PUT', "/api/overrides?policy=p&id=$id&quota=1"], ['GET', "/api/keys?policy=p&id=$id"],
        ['GET', '/api/keys?policy=q&key=a'], ['DELETE', "/api/keys?policy=q&id=$id"], ['GET', '/api/keys?policy=p&key=a'];
    return CORE::join '', map { /"detail": "(.*)"/ ? "$1\n" : /"exists": (\w+),.*"remaining": (\w+)/s ? "$1 $2\n" : "not: $_" } @answers;
}]]
--- response_body eval
["", 'policy \"p\" knows no key of this id' . "\n" . 'policy \"p\" knows no key of this id' . "\nfalse 10\ntrue 9\ntrue 10\ntrue 9\n"]



=== TEST 20: a month has its own length
--- http_config
    ratelimit_zone   zone=api:64k;
    ratelimit_policy month key=$arg_k quota=10/1M algorithm=calendar;
--- config
    location /t   { ratelimit month; empty_gif; }
    location /api { ratelimit_api; allow all; }
--- request eval
["GET /t?k=a", "GET /api/keys?policy=month&key=a"]
--- response_body_filters eval
[Api::any(), Api::at(qw(window window_ms))]
--- response_body eval
use Time::Local ();
my @now = gmtime;
my $of = sub { Time::Local::timegm(0, 0, 0, 1, $_[0] % 12, $now[5] + 1900 + int($_[0] / 12)) };
["", "window: 1M\nwindow_ms: " . 1000 * ($of->($now[4] + 1) - $of->($now[4])) . "\n"]



=== TEST 21: who is only refused in dry run is told apart, by the latest request
--- http_config
    ratelimit_zone   zone=api:64k;
    ratelimit_policy token key=$arg_k quota=1/60s;
--- config
    location /t   { ratelimit token; empty_gif; }
    location /dry { ratelimit token; ratelimit_dry_run on; empty_gif; }
    location /api { ratelimit_api; allow all; }
--- init
main::stay_clear_of_halving();
--- request eval
["GET /t?k=a", "GET /t?k=a", "GET /dry?k=b", "GET /dry?k=b", "GET /api/keys?policy=token&key=a", "GET /api/keys?policy=token&key=b", "GET /api",
 "GET /t?k=b", "GET /api/keys?policy=token&key=b", "GET /api"]
--- error_code eval
[200, 429, (200) x 5, 429, 200, 200]
--- response_body_filters eval
[(Api::any()) x 4, Api::at("refused.dry_run", "admitted.dry_run"), Api::at("refused.dry_run"), Api::at("policies.0.refused_keys.last_minute"),
 Api::any(), Api::at("refused.dry_run"), Api::at("policies.0.refused_keys.last_minute")]
--- response_body eval
[("") x 4, "refused.dry_run: false\nadmitted.dry_run: null\n", "refused.dry_run: true\n",
 "policies.0.refused_keys.last_minute: 1\n", "", "refused.dry_run: false\n", "policies.0.refused_keys.last_minute: 2\n"]



=== TEST 22: since when a policy refuses
--- http_config
    ratelimit_zone   zone=api:64k;
    ratelimit_policy token key=$arg_k quota=1/60s;
--- config
    location /t   { ratelimit token; empty_gif; }
    location /api { ratelimit_api; allow all; }
--- request eval
["GET /api", "GET /t?k=a", "GET /t?k=a", "GET /api"]
--- error_code eval
[200, 200, 429, 200]
--- response_body_filters eval
[Api::at("policies.0.refused_keys.since"), Api::any(), Api::any(), [sub { $_[0] =~ /"since": (\d+)/ && abs($1 - time) < 5 ? "now\n" : $_[0] }]]
--- response_body eval
["policies.0.refused_keys.since: null\n", "", "", "now\n"]
