use lib 't/lib';
use Dns;
use Redis;
use RateLimit;
use Test::Nginx::Socket;

# How a server is reached: TLS with the chain and the name checked, users and
# passwords, and that the reference's line of an ACL is enough.
our ($redis, $dir);

sub make {
    my ($command) = @_;
    system("cd '$dir' && $command >> openssl.log 2>&1") == 0
        or die "openssl: " . `tail -n 3 '$dir/openssl.log'`;
}

BEGIN {
    plan(skip_all => 'no redis-server') if !Redis::program();

    $dir = $ENV{TEST_NGINX_REDIS_DIR} = "$ENV{TEST_NGINX_SERVROOT}-redis-keys";
    mkdir $dir;

    my $new = 'openssl req -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -batch';
    make("$new -x509 -days 2 -subj /CN=ca -keyout ca.key -out ca.pem");
    make("$new -x509 -days 2 -subj /CN=other -keyout other.key -out other.pem");
    make("$new -subj /CN=redis -keyout redis.key -out redis.csr");
    make("printf 'subjectAltName=DNS:redis.example,DNS:localhost,IP:::1' > san && "
         . 'openssl x509 -req -in redis.csr -CA ca.pem -CAkey ca.key -CAcreateserial '
         . '-days 2 -extfile san -out redis.pem');

    for my $secret (['password', 'correct horse'], ['wrong', 'battery staple']) {
        open my $out, '>', "$dir/$secret->[0]" or die $!;
        print $out "$secret->[1]\n";
        close $out;
        chmod 0600, "$dir/$secret->[0]";
    }

    my $reference = do { local (@ARGV, $/) = 'src/REFERENCE.md'; <> };
    my ($acl) = $reference =~ /^(user nginx .*)$/m or die 'no line of an ACL in src/REFERENCE.md';
    $acl =~ s/>PASSWORD/>correct horse/;
    open my $out, '>', "$dir/acl" or die $!;
    print $out "user default off\n", $acl =~ s/correct horse/correcthorse/r, "\n",
               "user operator on nopass ~* &* +\@all\n";
    close $out;
    open $out, '>', "$dir/password" or die $!;
    print $out "correcthorse\n";
    close $out;
    chmod 0600, "$dir/password";

    my $tls = Redis::free_port();
    $redis = Redis->start(user => 'operator', password => 'any', options => [
        '--aclfile', "$dir/acl", '--tls-port', $tls, '--tls-cert-file', "$dir/redis.pem",
        '--tls-key-file', "$dir/redis.key", '--tls-ca-cert-file', "$dir/ca.pem",
        '--tls-auth-clients', 'no', '--bind', '127.0.0.1', '-::1']);
    Dns->start->set('127.0.0.1');
    $ENV{TEST_NGINX_REDIS_TLS_PORT} = $tls;
    $redis->open_shards('ratelimit:');

    # It says of an unknown command what its arguments were.
    my $without_auth = Redis->start(options => ['--rename-command', 'AUTH', '']);
    $ENV{TEST_NGINX_REDIS_WITHOUT_AUTH} = $without_auth->{port};
}

plan('no_plan');
no_shuffle();
no_long_string();

add_block_preprocessor(sub {
    my $block = shift;
    my $how = $block->redis;

    $how =~ s/PASSWORD/user=nginx password_file=$dir\/password/;
    my $resolver = $block->resolver // '';
    $block->set_value('http_config', <<"_END_");
    $resolver
    ratelimit_redis  main $how timeout=1s;
    ratelimit_zone   zone=api:1m redis=main mode=strict on_error=refuse;
    ratelimit_policy shared key=\$arg_k quota=99/1h;
_END_
    $block->set_value('config', 'location /t { ratelimit shared; empty_gif; }');
    $block->set_value('request', 'GET /t?k=a');
    $block->set_value('init', 'select undef, undef, undef, 0.5');
    $block->set_value('no_error_log', ['correcthorse', 'battery staple',
                                       $block->error_log ? () : '[error]']);
});

run_tests();

__DATA__

=== TEST 1: a user with the rights that the reference names
--- redis: server=127.0.0.1:$TEST_NGINX_REDIS_PORT PASSWORD
--- error_code: 200



=== TEST 2: a wrong password
--- redis: server=127.0.0.1:$TEST_NGINX_REDIS_PORT user=nginx password_file=$TEST_NGINX_REDIS_DIR/wrong
--- error_code: 503
--- error_log
WRONGPASS invalid username-password pair



=== TEST 3: no password
--- redis: server=127.0.0.1:$TEST_NGINX_REDIS_PORT
--- error_code: 503
--- error_log
NOAUTH Authentication required



=== TEST 4: TLS, and the certificate is for the server's name
--- redis: server=localhost:$TEST_NGINX_REDIS_TLS_PORT tls=on ca=$TEST_NGINX_REDIS_DIR/ca.pem PASSWORD
--- error_code: 200



=== TEST 5: TLS, and the certificate is for the name that is given
--- redis: server=127.0.0.1:$TEST_NGINX_REDIS_TLS_PORT tls=on ca=$TEST_NGINX_REDIS_DIR/ca.pem name=redis.example PASSWORD
--- error_code: 200



=== TEST 6: TLS, and the certificate is for another name
--- redis: server=127.0.0.1:$TEST_NGINX_REDIS_TLS_PORT tls=on ca=$TEST_NGINX_REDIS_DIR/ca.pem name=other.example PASSWORD
--- error_code: 503
--- error_log
hostname mismatch



=== TEST 7: TLS, and the certificate is not for the address
--- redis: server=127.0.0.1:$TEST_NGINX_REDIS_TLS_PORT tls=on ca=$TEST_NGINX_REDIS_DIR/ca.pem PASSWORD
--- error_code: 503
--- error_log
IP address mismatch



=== TEST 8: TLS, and nobody trusted has signed
--- redis: server=localhost:$TEST_NGINX_REDIS_TLS_PORT tls=on ca=$TEST_NGINX_REDIS_DIR/other.pem PASSWORD
--- error_code: 503
--- error_log
self-signed certificate in certificate chain



=== TEST 9: TLS, and what the system trusts has not signed
--- redis: server=localhost:$TEST_NGINX_REDIS_TLS_PORT tls=on PASSWORD
--- error_code: 503
--- error_log
self-signed certificate in certificate chain



=== TEST 10: TLS where the server speaks none
--- redis: server=127.0.0.1:$TEST_NGINX_REDIS_PORT tls=on name=redis.example ca=$TEST_NGINX_REDIS_DIR/ca.pem PASSWORD
--- error_code: 503
--- error_log
is away at 127.0.0.1:



=== TEST 11: no TLS where the server speaks it
--- redis: server=127.0.0.1:$TEST_NGINX_REDIS_TLS_PORT PASSWORD
--- error_code: 503
--- error_log
is away at 127.0.0.1:



=== TEST 12: a server that tells the password in its error
--- redis: server=127.0.0.1:$TEST_NGINX_REDIS_WITHOUT_AUTH PASSWORD
--- error_code: 503
--- error_log
: it refuses AUTH



=== TEST 13: TLS, and the certificate is for the address of IPv6
--- redis: server=[::1]:$TEST_NGINX_REDIS_TLS_PORT tls=on ca=$TEST_NGINX_REDIS_DIR/ca.pem PASSWORD
--- skip_eval: 5: !-e '/proc/net/if_inet6'
--- error_code: 200



=== TEST 14: TLS, and a name that ends with the root's dot
--- redis: server=redis.example.:$TEST_NGINX_REDIS_TLS_PORT tls=on ca=$TEST_NGINX_REDIS_DIR/ca.pem PASSWORD
--- resolver: resolver 127.0.0.1:$TEST_NGINX_DNS_PORT ipv6=off;
--- error_code: 200
