use lib 't/lib';
use RateLimit;
use Jwt;
use Test::Nginx::Socket 'no_plan';

our $now = time;
our $far = $now + 86400;

add_block_preprocessor(sub {
    my $block = shift;

    # Most blocks only look at what $client is.
    if (!defined $block->config) {
        $block->set_value('config', 'location /t { return 200 "[$client]\n"; }');
    }

    # Key files of one name in every block.
    if (!defined $block->user_files) {
        $block->set_value('user_files', [
            ['secret.txt' => secret() . "\n"],
            ['other.txt' => "another secret, which is older\n"],
            map { ["$_.pem" => pem($_)] } qw(rsa p256 p384 ed25519),
        ]);
    }
});

# A token of the secret in secret.txt.
sub hs256 {
    my ($claims, %header) = @_;

    return token('HS256', secret(), $claims, %header);
}

run_tests();

__DATA__

=== TEST 1: jwt= is a claim of the bearer token
--- http_config
    ratelimit_key $client jwt=sub;
    ratelimit_jwt HS256 $TEST_NGINX_HTML_DIR/secret.txt;
--- request eval
[("GET /t") x 5]
--- more_headers eval
my $token = main::hs256({sub => 'alice', exp => $::far});
[main::bearer($token), main::bearer($token),
 main::bearer(main::hs256({sub => 'bob'})),
 main::bearer(main::hs256({name => 'bob'})),
 ""]
--- response_body eval
["[jwt:alice]\n", "[jwt:alice]\n", "[jwt:bob]\n", "[]\n", "[]\n"]



=== TEST 2: every algorithm
--- http_config
    ratelimit_key $client jwt=sub untagged;
--- config
    location = /HS256 { ratelimit_jwt HS256 $TEST_NGINX_HTML_DIR/secret.txt;  return 200 $client; }
    location = /HS384 { ratelimit_jwt HS384 $TEST_NGINX_HTML_DIR/secret.txt;  return 200 $client; }
    location = /HS512 { ratelimit_jwt HS512 $TEST_NGINX_HTML_DIR/secret.txt;  return 200 $client; }
    location = /RS256 { ratelimit_jwt RS256 $TEST_NGINX_HTML_DIR/rsa.pem;     return 200 $client; }
    location = /RS384 { ratelimit_jwt RS384 $TEST_NGINX_HTML_DIR/rsa.pem;     return 200 $client; }
    location = /RS512 { ratelimit_jwt RS512 $TEST_NGINX_HTML_DIR/rsa.pem;     return 200 $client; }
    location = /PS256 { ratelimit_jwt PS256 $TEST_NGINX_HTML_DIR/rsa.pem;     return 200 $client; }
    location = /ES256 { ratelimit_jwt ES256 $TEST_NGINX_HTML_DIR/p256.pem;    return 200 $client; }
    location = /ES384 { ratelimit_jwt ES384 $TEST_NGINX_HTML_DIR/p384.pem;    return 200 $client; }
    location = /EdDSA { ratelimit_jwt EdDSA $TEST_NGINX_HTML_DIR/ed25519.pem; return 200 $client; }
--- request eval
[map { "GET /$_" } qw(HS256 HS384 HS512 RS256 RS384 RS512 PS256 ES256 ES384 EdDSA)]
--- more_headers eval
[(map { main::bearer(main::token($_, main::secret(), {sub => $_})) } qw(HS256 HS384 HS512)),
 (map { main::bearer(main::token($_, 'rsa', {sub => $_})) } qw(RS256 RS384 RS512 PS256)),
 main::bearer(main::token('ES256', 'p256', {sub => 'ES256'})),
 main::bearer(main::token('ES384', 'p384', {sub => 'ES384'})),
 main::bearer(main::token('EdDSA', 'ed25519', {sub => 'EdDSA'}))]
--- response_body eval
[qw(HS256 HS384 HS512 RS256 RS384 RS512 PS256 ES256 ES384 EdDSA)]



=== TEST 3: the algorithm is the configuration's, never the token's
--- http_config
    ratelimit_key $client jwt=sub;
    ratelimit_jwt RS256 $TEST_NGINX_HTML_DIR/rsa.pem;
--- request eval
[("GET /t") x 8]
--- more_headers eval
my $claims = {sub => 'mallory'};
my $none = main::b64('{"alg":"none"}') . '.' . main::b64('{"sub":"mallory"}') . '.';
[main::bearer(main::token('RS256', 'rsa', {sub => 'alice'})),
 main::bearer($none), main::bearer($none . 'AAAA'),
 main::bearer(main::token('HS256', main::pem('rsa'), $claims)),
 main::bearer(main::token('HS256', main::pem('rsa'), $claims, alg => 'RS256')),
 main::bearer(main::token('RS512', 'rsa', $claims)),
 main::bearer(main::token('PS256', 'rsa', $claims)),
 main::bearer(main::token('RS256', 'rsa_other', $claims))]
--- response_body eval
["[jwt:alice]\n", ("[]\n") x 7]



=== TEST 4: a token holds between nbf and exp, give or take the leeway
--- http_config
    ratelimit_key $client jwt=sub untagged;
--- config
    location /strict { ratelimit_jwt HS256 $TEST_NGINX_HTML_DIR/secret.txt;            return 200 "[$client]"; }
    location /minute { ratelimit_jwt HS256 $TEST_NGINX_HTML_DIR/secret.txt leeway=1m;  return 200 "[$client]"; }
    location /day    { ratelimit_jwt HS256 $TEST_NGINX_HTML_DIR/secret.txt leeway=1d;  return 200 "[$client]"; }
--- request eval
[map { ("GET /strict", "GET /minute", "GET /day") } 1 .. 7]
--- more_headers eval
[map { (main::bearer(main::hs256({sub => 'x', %$_}))) x 3 }
     {exp => $::now - 1800}, {nbf => $::now + 1800}, {exp => $::far, nbf => $::now - 60},
     {exp => "$::far"}, {nbf => undef}, {exp => $::now - 90000},
     {exp => $::far + .5, nbf => 0.25}]
--- response_body eval
['[]', '[]', '[x]',  '[]', '[]', '[x]',  '[x]', '[x]', '[x]',
 ('[]') x 3, ('[]') x 3, ('[]') x 3, ('[x]') x 3]



=== TEST 5: strings and integers, top-level or by a JSON pointer
--- http_config
    ratelimit_key $name   jwt=name   untagged;
    ratelimit_key $id     jwt=id     untagged;
    ratelimit_key $org    jwt=/org/id untagged;
    ratelimit_key $role   jwt=/roles/0 untagged;
    ratelimit_key $url    jwt=https://example.com/plan untagged;
    ratelimit_key $slash  jwt=/a~1b~0 untagged;
    ratelimit_key $none   jwt=admin jwt=rate jwt=null jwt=org jwt=roles jwt=empty jwt=/name/x;
    ratelimit_jwt ES256 $TEST_NGINX_HTML_DIR/p256.pem;
--- config
    location /t { return 200 "$name $id $org $role $url $slash [$none]"; }
--- more_headers eval
main::bearer(main::token('ES256', 'p256', '{"name":"Alice \u00dc","id":-9007199254740993,'
    . '"org":{"id":42},"roles":["owner"],"https://example.com/plan":"pro","a/b~":7,'
    . '"admin":true,"rate":1.5,"null":null,"empty":""}'))
--- response_body eval
"Alice \x{c3}\x{9c} -9007199254740993 42 owner pro 7 []"



=== TEST 6: what yields nothing leaves the key to the next source
--- http_config
    ratelimit_key $client jwt=sub jwt=/org/id arg=k addr;
    ratelimit_jwt HS256 $TEST_NGINX_HTML_DIR/secret.txt;
--- request eval
["GET /t", "GET /t", "GET /t?k=1", "GET /t", "GET /t"]
--- more_headers eval
[main::bearer(main::hs256({sub => 'alice', org => {id => 1}})),
 main::bearer(main::hs256({org => {id => 1}})),
 main::bearer(main::hs256({}) . 'A'),
 main::bearer('garbage'), ""]
--- response_body eval
["[jwt:alice]\n", "[jwt:1]\n", "[arg:1]\n", "[addr:127.0.0.1]\n", "[addr:127.0.0.1]\n"]



=== TEST 7: sources of one chain share their tag
--- http_config
    ratelimit_key $client jwt=sub|header=X-User;
    ratelimit_jwt HS256 $TEST_NGINX_HTML_DIR/secret.txt;
--- request eval
["GET /t", "GET /t"]
--- more_headers eval
[main::bearer(main::hs256({sub => 'alice'})), "X-User: alice"]
--- response_body eval
["[jwt:alice]\n", "[jwt:alice]\n"]



=== TEST 8: token= says where the token is
--- http_config
    ratelimit_key $client jwt=sub untagged;
--- config
    ratelimit_jwt HS256 $TEST_NGINX_HTML_DIR/secret.txt token=$cookie_session;

    location /cookie { return 200 "[$client]"; }
    location /arg    { ratelimit_jwt HS256 $TEST_NGINX_HTML_DIR/secret.txt token=$arg_token; return 200 "[$client]"; }
    location /parts  { ratelimit_jwt HS256 $TEST_NGINX_HTML_DIR/secret.txt token=$http_x_head.$http_x_rest; return 200 "[$client]"; }
    location /both   {
        ratelimit_jwt HS256 $TEST_NGINX_HTML_DIR/secret.txt;
        ratelimit_jwt HS256 $TEST_NGINX_HTML_DIR/secret.txt token=$cookie_session;
        return 200 "[$client]";
    }
--- request eval
$::t = main::hs256({sub => 'alice'});
["GET /cookie", "GET /cookie", "GET /arg?token=$::t", "GET /arg", "GET /parts",
 "GET /both", "GET /both", "GET /both", "GET /both"]
--- more_headers eval
my ($t, $bob) = ($::t, main::hs256({sub => 'bob'}));
my ($head, $rest) = split /\./, $t, 2;
["Cookie: a=b; session=$t", main::bearer($t), "", main::bearer($t),
 "X-Head: $head\nX-Rest: $rest", "Cookie: session=$t", main::bearer($t),
 main::bearer($bob) . "\nCookie: session=$t",
 main::bearer(main::hs256({})) . "\nCookie: session=$t"]
--- response_body eval
["[alice]", "[]", "[alice]", "[]", "[alice]", "[alice]", "[alice]", "[bob]", "[alice]"]



=== TEST 9: several lines add up, as while a key is replaced
--- http_config
    ratelimit_key $client jwt=sub untagged;
    ratelimit_jwt HS256 $TEST_NGINX_HTML_DIR/secret.txt;
    ratelimit_jwt HS256 $TEST_NGINX_HTML_DIR/other.txt;
    ratelimit_jwt ES256 $TEST_NGINX_HTML_DIR/p256.pem;
--- config
    location /t { return 200 "[$client]"; }
--- request eval
[("GET /t") x 5]
--- more_headers eval
[main::bearer(main::hs256({sub => 'new'})),
 main::bearer(main::token('HS256', 'another secret, which is older', {sub => 'old'})),
 main::bearer(main::token('ES256', 'p256', {sub => 'other algorithm'})),
 main::bearer(main::token('HS256', 'yet another secret, quite wrong', {sub => 'x'})),
 main::bearer(main::token('RS256', 'rsa', {sub => 'x'}))]
--- response_body eval
["[new]", "[old]", "[other algorithm]", "[]", "[]"]



=== TEST 10: a JWKS, its keys chosen by kid
--- http_config
    ratelimit_key $client jwt=sub untagged;
    ratelimit_jwt RS256 $TEST_NGINX_HTML_DIR/keys.json;
    ratelimit_jwt ES256 $TEST_NGINX_HTML_DIR/keys.json;
--- config
    location /t { return 200 "[$client]"; }
--- user_files eval
[['keys.json' => main::jwks(
    main::jwk('rsa', kid => '2023', use => 'sig', alg => 'RS256'),
    main::jwk('rsa_2', kid => '2024', key_ops => ['verify']),
    main::jwk('rsa_3', kid => 'enc', use => 'enc', alg => 'RSA-OAEP'),
    main::jwk('p256'), main::jwk('p384', kid => '2024'),
    {kty => 'oct', k => main::b64(main::secret())})]]
--- request eval
[("GET /t") x 10]
--- more_headers eval
[map { main::bearer($_) }
 main::token('RS256', 'rsa', {sub => 'a'}, kid => '2023'),
 main::token('RS256', 'rsa_2', {sub => 'b'}, kid => '2024'),
 main::token('RS256', 'rsa_2', {sub => 'c'}),
 main::token('ES256', 'p256', {sub => 'd'}, kid => 'any'),
 main::token('RS256', 'rsa', {sub => 'e'}, kid => '2024'),
 main::token('RS256', 'rsa', {sub => 'f'}, kid => '../../../etc/passwd'),
 main::token('RS256', 'rsa', {sub => 'g'}, kid => 2023),
 main::token('RS256', 'rsa_3', {sub => 'h'}, kid => 'enc'),
 main::token('RS256', 'rsa_3', {sub => 'i'}),
 main::hs256({sub => 'j'})]
--- response_body eval
["[a]", "[b]", "[c]", "[d]", ("[]") x 6]



=== TEST 11: a level's own lines replace the outer ones
--- http_config
    ratelimit_key $client jwt=sub untagged;
    ratelimit_jwt HS256 $TEST_NGINX_HTML_DIR/secret.txt;
--- config
    location /http  {
        location /http/inner { return 200 "[$client]"; }
        if ($arg_if) { return 200 "[$client]"; }
        return 200 "[$client]";
    }
    location /other {
        ratelimit_jwt HS256 $TEST_NGINX_HTML_DIR/other.txt;
        location /other/inner { return 200 "[$client]"; }
        location /other/both {
            ratelimit_jwt HS256 $TEST_NGINX_HTML_DIR/other.txt;
            ratelimit_jwt HS256 $TEST_NGINX_HTML_DIR/secret.txt;
            return 200 "[$client]";
        }
        return 200 "[$client]";
    }
--- request eval
[map { ($_, $_) } "GET /http", "GET /http?if=1", "GET /http/inner", "GET /other", "GET /other/inner", "GET /other/both"]
--- more_headers eval
[(main::bearer(main::hs256({sub => 'a'})),
  main::bearer(main::token('HS256', 'another secret, which is older', {sub => 'b'}))) x 6]
--- response_body eval
["[a]", "[]", "[a]", "[]", "[a]", "[]", "[]", "[b]", "[]", "[b]", "[a]", "[b]"]



=== TEST 12: tokens of one tenant share its quota
--- http_config
    ratelimit_zone   zone=api:64k;
    ratelimit_key    $tenant jwt=/org/id;
    ratelimit_jwt    HS256 $TEST_NGINX_HTML_DIR/secret.txt;
    ratelimit_policy tenant key=$tenant quota=3/1h;
--- config
    location /t { ratelimit tenant; ratelimit_headers x-ratelimit; empty_gif; }
--- request eval
[("GET /t") x 7]
--- more_headers eval
my ($alice, $bob, $carol) = map { main::bearer($_) }
    main::hs256({sub => 'alice', org => {id => 'acme'}}),
    main::hs256({sub => 'bob', jti => 'x', org => {id => 'acme'}}),
    main::hs256({sub => 'carol', org => {id => 'umbrella'}});
[$alice, $bob, $alice, $bob, $alice, $carol, ""]
--- error_code eval
[200, 200, 200, 429, 429, 200, 200]
--- response_headers eval
["X-RateLimit-Remaining: 2", "X-RateLimit-Remaining: 1", "X-RateLimit-Remaining: 0",
 "X-RateLimit-Remaining: 0", "X-RateLimit-Remaining: 0", "X-RateLimit-Remaining: 2",
 "!X-RateLimit-Remaining"]



=== TEST 13: every byte of a claim counts
--- http_config
    ratelimit_zone   zone=api:64k;
    ratelimit_key    $client jwt=sub;
    ratelimit_jwt    HS256 $TEST_NGINX_HTML_DIR/secret.txt;
    ratelimit_policy one key=$client quota=1/1h;
--- config
    location /t { ratelimit one; empty_gif; }
--- request eval
[("GET /t") x 10]
--- more_headers eval
[map { main::bearer(main::hs256("{\"sub\":$_}")) }
 '"a\u0000b"', '"a\u0000c"', '"a"', '"a\u0000b"', '"\u0000"', '"A"', '"a "', '12', '"12"', '"a\u0000"']
--- error_code eval
[200, 200, 200, 429, 200, 200, 200, 200, 429, 200]



=== TEST 14: large tokens verify, larger ones than 16 kilobytes do not
--- http_config
    ratelimit_key $client jwt=sub untagged;
    ratelimit_jwt HS256 $TEST_NGINX_HTML_DIR/secret.txt;
    large_client_header_buffers 4 64k;
--- config
    location /t { return 200 "[$client]"; }
--- request eval
[("GET /t") x 4]
--- more_headers eval
my $padded = sub { main::bearer(main::hs256({sub => 'a', pad => 'x' x $_[0]})) };
[$padded->(5000), $padded->(12000), $padded->(12300), $padded->(40000)]
--- response_body eval
["[a]", "[a]", "[]", "[]"]



=== TEST 15: hostile spellings of a good token
--- http_config
    ratelimit_key $client jwt=sub untagged;
    ratelimit_jwt HS256 $TEST_NGINX_HTML_DIR/secret.txt token=$arg_t;
--- config
    location /t { return 200 "[$client]"; }
--- request eval
my $t = main::hs256({sub => 'alice'});
my ($h, $p, $s) = split /\./, $t;
[map { "GET /t?t=$_" }
 $t, "$t=", "$t.", ".$t", "$h.$p", "$h.$p.", "$h..$s", "$h.$p=.$s", "$h.$p.$s.$s",
 "$h.$p.$s%20", "%20$t", "$t%00", "$h%2E$p%2E$s", '..', '.', $h]
--- response_body eval
["[alice]", ("[]") x 15]



=== TEST 16: what is no JSON object verifies nothing
--- http_config
    ratelimit_key $client jwt=sub untagged;
    ratelimit_jwt HS256 $TEST_NGINX_HTML_DIR/secret.txt;
--- config
    location /t { return 200 "[$client]"; }
--- request eval
[("GET /t") x 6]
--- more_headers eval
[map { main::bearer($_) }
 main::hs256('{"sub":"alice"}{"sub":"bob"}'),
 main::hs256('{"sub":"' . "\xff" . '"}'),
 main::hs256('["alice"]'),
 main::hs256('{"x":' . ('[' x 2500) . (']' x 2500) . ',"sub":"alice"}'),
 main::hs256('{"x":012345678901234567890,"sub":"alice"}'),
 main::hs256({sub => 'alice'}, crit => ['exp'])]
--- response_body eval
[("[]") x 6]



=== TEST 17: after a redirect the location's own lines verify
--- http_config
    ratelimit_key $client jwt=sub untagged;
--- config
    location /t     { ratelimit_jwt HS256 $TEST_NGINX_HTML_DIR/other.txt; try_files /none /inner; }
    location /inner { ratelimit_jwt HS256 $TEST_NGINX_HTML_DIR/secret.txt; return 200 "[$client]"; }
--- more_headers eval
main::bearer(main::hs256({sub => 'alice'}))
--- response_body: [alice]



=== TEST 18: jwt= where no line says how to verify
--- http_config
    ratelimit_key $client jwt=sub addr;
--- more_headers eval
main::bearer(main::hs256({sub => 'alice'}))
--- response_body
[addr:127.0.0.1]
--- suppress_stderr
--- error_log
"jwt=sub" in "ratelimit_key" yields nothing, there is no "ratelimit_jwt"



=== TEST 19: a wrong token costs a check and no request
--- http_config
    ratelimit_zone   zone=api:64k;
    ratelimit_key    $client jwt=sub;
    ratelimit_jwt    ES256 $TEST_NGINX_HTML_DIR/p256.pem;
    ratelimit_policy one key=$client quota=1/1h;
--- config
    location /t { ratelimit one; ratelimit_headers x-ratelimit; empty_gif; }
--- request eval
[("GET /t") x 12]
--- more_headers eval
my ($start) = main::token('ES256', 'p256', {sub => 'alice'}) =~ /(.*\.)/;
[main::bearer(main::token('ES256', 'p256', {sub => 'alice'})),
 (map { main::bearer($start . main::b64($_ x 64)) } "\0", "\1", "\xff", "x", "x"),
 (map { main::bearer($start . main::b64($_)) } "", "x", "x" x 63, "x" x 65, "x" x 4000),
 main::bearer(main::token('ES256', 'p256', {sub => 'alice'}))]
--- error_code eval
[(200) x 11, 429]



=== TEST 20: a client is counted by its claim, whatever the other claims hold
--- http_config
    ratelimit_zone   zone=api:64k;
    ratelimit_key    $client jwt=sub;
    ratelimit_jwt    HS256 $TEST_NGINX_HTML_DIR/secret.txt;
    ratelimit_policy one key=$client quota=1/1h;
--- config
    location /t { ratelimit one; empty_gif; }
--- request eval
[("GET /t") x 10]
--- more_headers eval
[map { main::bearer(main::hs256("{$_,\"sub\":\"alice\"}")) }
 '"name":"Alice"', '"name":"Alice \ud83d"', '"name":"\ude00\ud83d"', '"id":12345678901234567890',
 '"rate":1e999', '"name":"a\u0000b"', '"a\u0000b":1', '"x":{"y":1,"y":2}', '"sub":"bob"',
 '"exp":99999999999999999999']
--- error_code eval
[200, (429) x 9]



=== TEST 21: an integer of more than 64 bits is its digits
--- http_config
    ratelimit_key $client jwt=sub untagged;
    ratelimit_jwt HS256 $TEST_NGINX_HTML_DIR/secret.txt;
--- config
    location /t { return 200 "[$client]"; }
--- request eval
[("GET /t") x 3]
--- more_headers eval
[map { main::bearer(main::hs256("{\"sub\":$_}")) }
 '9223372036854775808', '-12345678901234567890', '1e20']
--- response_body eval
['[9223372036854775808]', '[-12345678901234567890]', '[]']



=== TEST 22: among many keys a token has to name its own
--- http_config
    ratelimit_key $client jwt=sub untagged;
--- config
    location /four { ratelimit_jwt ES256 $TEST_NGINX_HTML_DIR/four.json; return 200 "[$client]"; }
    location /five { ratelimit_jwt ES256 $TEST_NGINX_HTML_DIR/five.json; return 200 "[$client]"; }
--- user_files eval
[['four.json' => main::jwks(map { main::jwk('p256', kid => $_) } 'a' .. 'd')],
 ['five.json' => main::jwks(map { main::jwk('p256', kid => $_) } 'a' .. 'e')]]
--- request eval
["GET /four", "GET /four", "GET /five", "GET /five"]
--- more_headers eval
[map { (main::bearer(main::token('ES256', 'p256', {sub => 'a'})),
        main::bearer(main::token('ES256', 'p256', {sub => 'b'}, kid => 'd'))) } 1 .. 2]
--- response_body eval
["[a]", "[b]", "[]", "[b]"]
--- suppress_stderr



=== TEST 23: which is told at start
--- http_config
    ratelimit_key $client jwt=sub untagged;
    ratelimit_jwt ES256 $TEST_NGINX_HTML_DIR/five.json;
--- user_files eval
[['five.json' => main::jwks(map { main::jwk('p256', kid => $_) } 'a' .. 'e')]]
--- more_headers eval
main::bearer(main::token('ES256', 'p256', {sub => 'a'}))
--- response_body
[]
--- suppress_stderr
--- error_log
"ratelimit_jwt" has more than 4 keys for ES256: those with a "kid" do not verify tokens without one



=== TEST 24: several claims of a request's tokens, each of the first that has it
--- http_config
    ratelimit_zone   zone=api:64k;
    ratelimit_key    $user jwt=sub;
    ratelimit_key    $org jwt=org;
    ratelimit_policy user key=$user quota=2/1h;
    ratelimit_policy org  key=$org  quota=3/1h;
--- config
    location /t {
        ratelimit_jwt HS256 $TEST_NGINX_HTML_DIR/secret.txt;
        ratelimit_jwt HS256 $TEST_NGINX_HTML_DIR/other.txt token=$http_x_token;
        ratelimit user org;
        ratelimit_headers x-ratelimit policies=org;
        add_header X-Key "$user $org";
        empty_gif;
    }
--- request eval
[("GET /t") x 8]
--- more_headers eval
my $bearer = sub { main::bearer(main::hs256({@_})) };
my $other = sub {
    "X-Token: " . main::token('HS256', 'another secret, which is older', {@_});
};
[$bearer->(sub => 'a', org => 'x'),
 $bearer->(sub => 'b', org => 'x'),
 $bearer->(sub => 'b') . "\n" . $other->(sub => 'z', org => 'x'),
 $bearer->(sub => 'c', org => 'x'),
 $bearer->(sub => 'b') . "\n" . $other->(org => 'y'),
 $bearer->(sub => 'c') . "\n" . $other->(org => 'y'),
 $other->(sub => 'c', org => 'y'),
 $bearer->(sub => 'a') . "A\n" . $other->(sub => 'c')]
--- error_code eval
[200, 200, 200, 429, 429, 200, 200, 429]
--- response_headers eval
["X-RateLimit-Remaining: 2\nX-Key: jwt:a jwt:x", "X-RateLimit-Remaining: 1\nX-Key: jwt:b jwt:x",
 "X-RateLimit-Remaining: 0\nX-Key: jwt:b jwt:x", "X-RateLimit-Remaining: 0",
 "X-RateLimit-Remaining: 3", "X-RateLimit-Remaining: 2\nX-Key: jwt:c jwt:y",
 "X-RateLimit-Remaining: 1\nX-Key: jwt:c jwt:y", "!X-RateLimit-Remaining"]
