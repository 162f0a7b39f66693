use lib 't/lib';
use RateLimit;
use Jwt;
use Test::Nginx::Socket 'no_plan';

# Each block's "line" is the only one that is wrong.
add_block_preprocessor(sub {
    my $block = shift;
    my $line = $block->line;

    chomp $line;
    $block->set_value('http_config', "    $line\n");
    $block->set_value('must_die', '');

    if (!defined $block->user_files) {
        $block->set_value('user_files', [
            ['secret.txt' => secret() . "\n"], ['short.txt' => "123456789012345\n"],
            ['empty' => ''], ['huge' => 'x' x 262145],
            ['private.pem' => private_pem('rsa')],
            (map { ["$_.pem" => pem($_)] } qw(rsa weak p256 p384 ed25519)),
            ['five.pem' => pem('p256') x 5],
            ['same.json' => jwks(map { jwk('p256', kid => 'a') } 1 .. 5)],
            ['rsa.json' => jwks(jwk('rsa'))],
            ['private.json' => jwks(jwk('rsa', d => 'AQAB'))],
            ['kty.json' => jwks(jwk('p256', alg => 'RS256'))],
            ['kid.json' => jwks(jwk('rsa', kid => 7))],
            ['broken.json' => '{"keys": ['],
        ]);
    }
});

run_tests();

__DATA__

=== TEST 1: none is no algorithm
--- line: ratelimit_jwt none secret.txt;
--- error_log
invalid algorithm "none" in "ratelimit_jwt", it must be "HS256", "HS384", "HS512", "RS256", "RS384", "RS512", "PS256", "ES256", "ES384" or "EdDSA" in



=== TEST 2: algorithms are written as RFC 7518 has them
--- line: ratelimit_jwt hs256 secret.txt;
--- error_log
invalid algorithm "hs256" in "ratelimit_jwt", it must be "HS256",



=== TEST 3: a key file is needed
--- line: ratelimit_jwt HS256;
--- error_log
invalid number of arguments in "ratelimit_jwt" directive



=== TEST 4: an unknown parameter
--- line: ratelimit_jwt HS256 $TEST_NGINX_HTML_DIR/secret.txt claim=sub;
--- error_log
invalid parameter "claim=sub" in "ratelimit_jwt", it must be one of token=, leeway= in



=== TEST 5: token= twice
--- line: ratelimit_jwt HS256 $TEST_NGINX_HTML_DIR/secret.txt token=$arg_a token=$arg_b;
--- error_log
duplicate parameter "token=$arg_b" in "ratelimit_jwt" in



=== TEST 6: leeway= twice
--- line: ratelimit_jwt HS256 $TEST_NGINX_HTML_DIR/secret.txt leeway=1s leeway=0;
--- error_log
duplicate parameter "leeway=0" in "ratelimit_jwt" in



=== TEST 7: an empty token=
--- line: ratelimit_jwt HS256 $TEST_NGINX_HTML_DIR/secret.txt token=;
--- error_log
invalid token "" in "ratelimit_jwt", it must not be empty in



=== TEST 8: an unknown variable
--- line: ratelimit_jwt HS256 $TEST_NGINX_HTML_DIR/secret.txt token=$nope;
--- error_log
unknown "nope" variable



=== TEST 9: a leeway that is no time
--- line: ratelimit_jwt HS256 $TEST_NGINX_HTML_DIR/secret.txt leeway=soon;
--- error_log
invalid leeway "soon" in "ratelimit_jwt", it must be a time such as 30s in



=== TEST 10: an empty leeway
--- line: ratelimit_jwt HS256 $TEST_NGINX_HTML_DIR/secret.txt leeway=;
--- error_log
invalid leeway "" in "ratelimit_jwt", it must be a time such as 30s in



=== TEST 11: a negative leeway
--- line: ratelimit_jwt HS256 $TEST_NGINX_HTML_DIR/secret.txt leeway=-1s;
--- error_log
invalid leeway "-1s" in "ratelimit_jwt", it must be a time such as 30s in



=== TEST 12: no such file; its path is relative to the configuration's
--- line: ratelimit_jwt HS256 nowhere.txt;
--- error_log eval
qr|cannot open key file "\S+/conf/nowhere.txt" in "ratelimit_jwt" \(2: No such file or directory\) in|



=== TEST 13: a folder
--- line: ratelimit_jwt HS256 /etc;
--- error_log
invalid key file "/etc" in "ratelimit_jwt", it must be a file of 1 byte to 256 kilobytes in



=== TEST 14: an empty file
--- line: ratelimit_jwt HS256 $TEST_NGINX_HTML_DIR/empty;
--- error_log
/empty" in "ratelimit_jwt", it must be a file of 1 byte to 256 kilobytes in



=== TEST 15: a huge file
--- line: ratelimit_jwt HS256 $TEST_NGINX_HTML_DIR/huge;
--- error_log
/huge" in "ratelimit_jwt", it must be a file of 1 byte to 256 kilobytes in



=== TEST 16: a short secret
--- line: ratelimit_jwt HS256 $TEST_NGINX_HTML_DIR/short.txt;
--- error_log
/short.txt" in "ratelimit_jwt", it must hold a secret of at least 16 bytes, as it is or in a JWKS in



=== TEST 17: a public key as a secret
--- line: ratelimit_jwt HS256 $TEST_NGINX_HTML_DIR/rsa.pem;
--- error_log
/rsa.pem" in "ratelimit_jwt", it must hold a secret, not a PEM key: nobody may sign with a public key in



=== TEST 18: a JWKS of public keys as a secret
--- line: ratelimit_jwt HS256 $TEST_NGINX_HTML_DIR/rsa.json;
--- error_log
/rsa.json" in "ratelimit_jwt", it must hold a secret of at least 16 bytes, as it is or in a JWKS in



=== TEST 19: a secret as a public key
--- line: ratelimit_jwt RS256 $TEST_NGINX_HTML_DIR/secret.txt;
--- error_log
/secret.txt" in "ratelimit_jwt", it must hold a key for RS256: an RSA public key of 2048 to 8192 bits, as PEM or in a JWKS in



=== TEST 20: a short RSA key
--- line: ratelimit_jwt PS256 $TEST_NGINX_HTML_DIR/weak.pem;
--- error_log
/weak.pem" in "ratelimit_jwt", it must hold a key for PS256: an RSA public key of 2048 to 8192 bits, as PEM or in a JWKS in



=== TEST 21: a private key
--- line: ratelimit_jwt RS256 $TEST_NGINX_HTML_DIR/private.pem;
--- error_log
/private.pem" in "ratelimit_jwt", it must hold a key for RS256: an RSA public key of 2048 to 8192 bits, as PEM or in a JWKS in



=== TEST 22: another curve
--- line: ratelimit_jwt ES256 $TEST_NGINX_HTML_DIR/p384.pem;
--- error_log
/p384.pem" in "ratelimit_jwt", it must hold a key for ES256: a public key of P-256, as PEM or in a JWKS in



=== TEST 23: another kind of key
--- line: ratelimit_jwt EdDSA $TEST_NGINX_HTML_DIR/p256.pem;
--- error_log
/p256.pem" in "ratelimit_jwt", it must hold a key for EdDSA: a public key of Ed25519, as PEM or in a JWKS in



=== TEST 24: a JWKS without a key for the algorithm
--- line: ratelimit_jwt ES384 $TEST_NGINX_HTML_DIR/rsa.json;
--- error_log
/rsa.json" in "ratelimit_jwt", it must hold a key for ES384: a public key of P-384, as PEM or in a JWKS in



=== TEST 25: a JWKS with a private key
--- line: ratelimit_jwt RS256 $TEST_NGINX_HTML_DIR/private.json;
--- error_log
/private.json" in "ratelimit_jwt", it must hold public keys only: nginx has no use for a private one in



=== TEST 26: a JWK that contradicts itself
--- line: ratelimit_jwt RS256 $TEST_NGINX_HTML_DIR/kty.json;
--- error_log
/kty.json" in "ratelimit_jwt", it must not hold a key whose "alg" contradicts its "kty", "crv" or "use" in



=== TEST 27: a kid that is no string
--- line: ratelimit_jwt RS256 $TEST_NGINX_HTML_DIR/kid.json;
--- error_log
/kid.json" in "ratelimit_jwt", it must have strings as "kty", "crv", "alg", "use" and "kid" of a key in



=== TEST 28: JSON that ends early
--- line: ratelimit_jwt RS256 $TEST_NGINX_HTML_DIR/broken.json;
--- error_log
/broken.json" in "ratelimit_jwt", it must be valid JSON without duplicate members in



=== TEST 29: a claim that is no JSON pointer
--- line: ratelimit_key $client jwt=/org~id;
--- error_log
invalid source "jwt=/org~id" in "ratelimit_key", it must name a claim, or be a JSON pointer in which "~0" stands for "~" and "~1" for "/" in



=== TEST 30: not inside if
--- line: server { if ($arg_a) { ratelimit_jwt HS256 secret.txt; } }
--- error_log
"ratelimit_jwt" directive is not allowed here in



=== TEST 31: five keys without a kid
--- line: ratelimit_jwt ES256 $TEST_NGINX_HTML_DIR/five.pem;
--- error_log
in "ratelimit_jwt", it must not make more than 4 keys of an algorithm that one token is tried with: give each a "kid" of its own, in a JWKS in



=== TEST 32: five keys of one kid
--- line: ratelimit_jwt ES256 $TEST_NGINX_HTML_DIR/same.json;
--- error_log
in "ratelimit_jwt", it must not make more than 4 keys of an algorithm that one token is tried with: give each a "kid" of its own, in a JWKS in



=== TEST 33: five lines of a key each
--- line: ratelimit_jwt ES256 $TEST_NGINX_HTML_DIR/p256.pem; ratelimit_jwt ES256 $TEST_NGINX_HTML_DIR/p256.pem; ratelimit_jwt ES256 $TEST_NGINX_HTML_DIR/p256.pem; ratelimit_jwt ES256 $TEST_NGINX_HTML_DIR/p256.pem; ratelimit_jwt ES256 $TEST_NGINX_HTML_DIR/p256.pem;
--- error_log
in "ratelimit_jwt", it must not make more than 4 keys of an algorithm that one token is tried with: give each a "kid" of its own, in a JWKS in
