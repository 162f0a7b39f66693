use lib 't/lib';
use RateLimit;
use Jwt;
use Test::Nginx::Socket 'no_plan';

# Every block is a reload of the one before, with key files of its own.
master_on();
workers(2);
use_hup();
no_shuffle();

add_block_preprocessor(sub {
    my $block = shift;

    $block->set_value('http_config', <<'_END_');
    ratelimit_zone   zone=api:64k;
    ratelimit_key    $client jwt=sub;
    ratelimit_jwt    RS256 $TEST_NGINX_HTML_DIR/keys.json;
    ratelimit_policy six key=$client quota=6/1h;
_END_
    $block->set_value('config', <<'_END_');
    location /t { ratelimit six; ratelimit_headers x-ratelimit; empty_gif; }
_END_
});

# Requests of one user, the token signed by each of these keys; every token is
# another one.
our $n = 0;

sub signed_by {
    return [map { bearer(token('RS256', $_, {sub => 'alice', n => $n++}, kid => $_)) } @_];
}

run_tests();

__DATA__

=== TEST 1: two workers count the tokens of one key
--- user_files eval
[['keys.json' => main::jwks(main::jwk('rsa_1', kid => 'rsa_1'))]]
--- request eval
["GET /t", "GET /t", "GET /t"]
--- more_headers eval
main::signed_by('rsa_1', 'rsa_1', 'rsa_2')
--- response_headers eval
["X-RateLimit-Remaining: 5", "X-RateLimit-Remaining: 4", "!X-RateLimit-Remaining"]



=== TEST 2: the new key is announced, the old one holds
--- user_files eval
[['keys.json' => main::jwks(map { main::jwk($_, kid => $_) } 'rsa_1', 'rsa_2')]]
--- request eval
["GET /t", "GET /t"]
--- more_headers eval
main::signed_by('rsa_1', 'rsa_2')
--- response_headers eval
["X-RateLimit-Remaining: 3", "X-RateLimit-Remaining: 2"]



=== TEST 3: the old key is withdrawn, the user's count goes on
--- user_files eval
[['keys.json' => main::jwks(main::jwk('rsa_2', kid => 'rsa_2'))]]
--- request eval
["GET /t", "GET /t", "GET /t", "GET /t"]
--- more_headers eval
main::signed_by('rsa_1', 'rsa_2', 'rsa_2', 'rsa_2')
--- error_code eval
[200, 200, 200, 429]
--- response_headers eval
["!X-RateLimit-Remaining", "X-RateLimit-Remaining: 1", "X-RateLimit-Remaining: 0",
 "X-RateLimit-Remaining: 0"]
