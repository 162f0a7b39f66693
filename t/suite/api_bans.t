# "bans" of "ratelimit_api": who is banned, how many, and lifting.

use lib 't/lib';
use RateLimit;
use Api;
use Test::Nginx::Socket 'no_plan';

master_on();
workers(2);

add_block_preprocessor(sub {
    my $block = shift;

    $block->set_value('http_config', <<'_END_' . ($block->http_config // ''));
    ratelimit_zone   zone=api:64k;
    ratelimit_zone   zone=other:64k;
    ratelimit_policy login key=$arg_k quota=1/1m ban=10m,1h after=1 zone=api label=$arg_name;
    ratelimit_policy form  key=$arg_k quota=1/1m ban=5m after=1 zone=other;
    ratelimit_policy plain key=$arg_k quota=1/1m zone=api;
_END_
    $block->set_value('config', <<'_END_') if !defined $block->config;
    location /login { ratelimit login; empty_gif; }
    location /form  { ratelimit form; empty_gif; }
    location /plain { ratelimit plain; empty_gif; }
    location /api   { ratelimit_api write=on; allow all; }
_END_
});

# Each answer of several connections, and so of both workers, once.
sub answers {
    my ($path, $pattern) = @_;
    my %seen;

    for (1 .. 12) {
        my $answer = Api::ask('GET', $path);
        $seen{$answer =~ $pattern ? $1 : $answer} = 1;
    }
    return CORE::join ' or ', sort keys %seen;
}

no_long_string();
run_tests();

__DATA__

=== TEST 1: nobody is banned
--- request eval
["GET /login?k=a", "GET /api/bans", "GET /api/bans?policy=plain"]
--- response_body eval
[qr/GIF/, "{\n  \"banned\": 0,\n  \"bans\": []\n}\n", "{\n  \"banned\": 0,\n  \"bans\": []\n}\n"]



=== TEST 2: a banned key: whose, since and until when, the how manieth time
--- request eval
["GET /login?k=b&name=Bob", "GET /login?k=b&name=Bob", "GET /login?k=b&name=Bob", "GET /api/bans"]
--- error_code eval
[200, 429, 429, 200]
--- response_body_filters eval
[Api::any(), Api::any(), Api::any(), [sub {
    my $json = JSON::PP->new->decode($_[0]);
    my $ban = $json->{bans}[0];
    my ($shown) = Api::ask('GET', '/api/keys?policy=login&key=b') =~ /"key_id": "(\w+)"/;

    return CORE::join ' ', $json->{banned}, scalar @{ $json->{bans} }, (map { $ban->{$_} } qw(policy zone label level duration_ms)),
        $ban->{key_id} eq $shown, $ban->{until} - $ban->{since}, abs(time - $ban->{since}) < 60, scalar keys %$ban;
}]]
--- response_body eval
["", "", "", "1 1 login api Bob 1 600000 1 600 1 8"]



=== TEST 3: the newest first, of all policies or one, as many as are asked for
--- request eval
[(map { my $i = $_; ("GET /login?k=$i", "GET /login?k=$i") } 1 .. 30), "GET /form?k=1", "GET /form?k=1",
 "GET /plain?k=1", "GET /plain?k=1",
 "GET /api/bans", "GET /api/bans?policy=form", "GET /api/bans?policy=login&top=3", "GET /api/bans?top=0", "GET /api/bans?policy=nope"]
--- error_code eval
[(200, 429) x 32, 200, 200, 200, 400, 404]
--- response_body_filters eval
[((Api::any()) x 64), [sub {
    my $json = JSON::PP->new->decode($_[0]);
    my @since = map { $_->{since} } @{ $json->{bans} };
    return CORE::join ' ', $json->{banned}, scalar @since, "@since" eq "@{[sort { $b <=> $a } @since]}";
}], Api::at("banned", "bans.n", "bans.0.policy", "bans.0.zone", "bans.0.duration_ms", "bans.0.label"), Api::at("banned", "bans.n"), Api::at("detail"), Api::at("detail")]
--- response_body eval
[("") x 64, "31 31 1", "banned: 1\nbans.n: 1\nbans.0.policy: form\nbans.0.zone: other\nbans.0.duration_ms: 300000\nbans.0.label: null\n",
 "banned: 30\nbans.n: 3\n", "detail: \"top=\" must be 1 to 100\n", "detail: unknown policy \"nope\"\n"]



=== TEST 4: more than are listed are counted, by both workers
--- request eval
[(map { my $i = $_; ("GET /login?k=$i", "GET /login?k=$i") } 1 .. 130), "GET /api/bans"]
--- error_code eval
[(200, 429) x 130, 200]
--- response_body_filters eval
[((Api::any()) x 260), [sub {
    return CORE::join "\n", Api::value_at(JSON::PP->new->decode($_[0]), 'bans.n'), main::answers('/api/bans?top=1', qr/"banned": (\d+)/),
        main::answers('/api', qr/"bans": 130,\s+"banned": (\d+)/), main::answers('/api', qr/"bans": 0,\s+"banned": (\d+)/),
        main::answers('/api/metrics', qr/(banned_keys\{zone="api",policy="login"\} \d+)/);
}]]
--- response_body eval
[("") x 260, "100\n130\n130\n0\nbanned_keys{zone=\"api\",policy=\"login\"} 130"]



=== TEST 5: a ban is lifted with the units in use, and no ban is no ban; all of it is logged
--- config
    location /login { ratelimit login; empty_gif; }
    location /api   { ratelimit_api write=on; allow all; }
    location /log   { alias $TEST_NGINX_SERVER_ROOT/logs/error.log; }
--- request eval
["GET /login?k=e", "GET /login?k=e", "DELETE /api/bans?policy=login&key=e", "GET /login?k=e", "GET /login?k=e", "DELETE /api/keys?policy=login&key=e",
 "DELETE /api/bans?policy=login&key=e", "DELETE /api/bans?policy=plain&key=e", "DELETE /api/bans?policy=login&key=nobody", "DELETE /api/bans?key=e", "GET /log"]
--- error_code eval
[200, 429, 200, 200, 429, 200, 404, 404, 404, 400, 200]
--- response_body_filters eval
[Api::any(), Api::any(), Api::at("remaining", "banned_until"), Api::any(), Api::any(), Api::at("remaining", "banned_until"), ((Api::at("detail")) x 4),
 [RateLimit::lines_like(qr/\[warn\] .*ratelimit: (.*ratelimit_api.*)/), sub { $_[0] =~ s/[0-9a-f]{16}/ID/gr }]]
--- response_body eval
["", "", "remaining: 1\nbanned_until: null\n", "", "", "remaining: 1\nbanned_until: null\n", ("detail: the key is not banned\n") x 3, "detail: no \"policy=\"\n", <<'_END_']
ban of key ID of policy "login" lifted by "ratelimit_api", client: 127.0.0.1
key ID of policy "login" reset by "ratelimit_api", client: 127.0.0.1
DELETE of "bans" refused with 404 (the key is not banned) by "ratelimit_api", client: 127.0.0.1
DELETE of "bans" refused with 404 (the key is not banned) by "ratelimit_api", client: 127.0.0.1
DELETE of "bans" refused with 404 (the key is not banned) by "ratelimit_api", client: 127.0.0.1
DELETE of "bans" refused with 400 (no "policy=") by "ratelimit_api", client: 127.0.0.1
_END_



=== TEST 6: reading only
--- config
    location /login { ratelimit login; empty_gif; }
    location /api   { ratelimit_api; allow all; }
--- request eval
["GET /login?k=f", "GET /login?k=f", "DELETE /api/bans?policy=login&key=f", "PUT /api/bans?policy=login&key=f", "GET /api/bans?top=1", "HEAD /api/bans"]
--- error_code eval
[200, 429, 405, 405, 200, 200]
--- response_body_like eval
["", "", "write=on", "write=on", "\"banned\": 1", ""]



=== TEST 7: a policy that is reset bans nobody
--- request eval
["GET /login?k=h", "GET /login?k=h", "GET /form?k=h", "GET /form?k=h", "DELETE /api/keys?policy=login&all=yes", "GET /api/bans", "GET /api", "GET /login?k=h"]
--- error_code eval
[200, 429, 200, 429, 200, 200, 200, 200]
--- response_body_filters eval
[((Api::any()) x 5), Api::at("banned", "bans.n", "bans.0.policy"), Api::at("policies.0.name", "policies.0.banned", "policies.1.banned"), Api::any()]
--- response_body eval
[("") x 5, "banned: 1\nbans.n: 1\nbans.0.policy: form\n", "policies.0.name: login\npolicies.0.banned: 0\npolicies.1.banned: 1\n", ""]
