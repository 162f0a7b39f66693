use lib 't/lib';
use ConfErrors;
use Test::Nginx::Socket 'no_plan';

# What "nginx -t" says of ratelimit_redis, and of zones that machines share.
# "--- redis" are the parameters behind the name, "--- zone" those of the zone.
BEGIN {
    my $dir = $ENV{TEST_NGINX_REDIS_DIR} = "$ENV{TEST_NGINX_SERVROOT}-redis-files";

    mkdir $dir;
    for my $file (['empty', ''], ['long', 'x' x 1025], ['lines', "one\ntwo\n"],
                  ['good', "secret\n"], ['open', "secret\n"])
    {
        open my $out, '>', "$dir/$file->[0]" or die "$dir: $!";
        print $out $file->[1];
        close $out;
        chmod $file->[0] eq 'open' ? 0644 : 0600, "$dir/$file->[0]";
    }
}

add_block_preprocessor(sub {
    my $block = shift;
    my $redis = $block->redis // 'server=127.0.0.1:1';
    my $zone = $block->zone // 'redis=main';

    return if ($block->http_config // '') =~ /ratelimit_redis/;
    $block->set_value('http_config', <<"_END_");
    ratelimit_redis  main $redis;
    ratelimit_zone   zone=api:64k $zone;
    ratelimit_policy token key=\$arg_k quota=1/1h @{[$block->policy // '']};
_END_
});

no_long_string();
run_tests();

__DATA__

=== TEST 1: no server
--- redis: timeout=1s
--- error_log
"ratelimit_redis" directive has no "server=" in



=== TEST 2: a parameter in the place of the name
--- http_config
    ratelimit_redis server=127.0.0.1:1 timeout=1s;
--- error_log
invalid name "server=127.0.0.1:1" in "ratelimit_redis", it must be of 1 to 64 letters, digits, "_" and "-" in



=== TEST 3: a name twice
--- http_config
    ratelimit_redis main server=127.0.0.1:1;
    ratelimit_redis main server=127.0.0.1:2;
--- error_log
invalid name "main" in "ratelimit_redis", it must be defined once in



=== TEST 4: an unknown parameter
--- redis: server=127.0.0.1:1 sever=127.0.0.1:2
--- error_log
invalid parameter "sever=127.0.0.1:2" in "ratelimit_redis", it must be one of server=, tls=, ca=, name=, user=, password_file=, secret_file=, db=, timeout=, prefix=, cluster= in



=== TEST 5: a parameter twice
--- redis: server=127.0.0.1:1 db=1 db=2
--- error_log
duplicate parameter "db=2" in "ratelimit_redis" in



=== TEST 6: a server that is none
--- redis: server=127.0.0.1:99999
--- error_log
invalid port in "server=127.0.0.1:99999" of "ratelimit_redis" in



=== TEST 7: a server with a path
--- redis: server=127.0.0.1:1/db
--- error_log
in "server=127.0.0.1:1/db" of "ratelimit_redis" in



=== TEST 8: a timeout that is too long
--- redis: server=127.0.0.1:1 timeout=11s
--- error_log
invalid timeout "11s" in "ratelimit_redis", it must be a time of 1ms to 10s in



=== TEST 9: a timeout that is none
--- redis: server=127.0.0.1:1 timeout=soon
--- error_log
invalid timeout "soon" in "ratelimit_redis", it must be a time of 1ms to 10s in



=== TEST 10: a database that is none
--- redis: server=127.0.0.1:1 db=-1
--- error_log
invalid db "-1" in "ratelimit_redis", it must be a number of 0 or more in



=== TEST 11: a cluster has one database
--- redis: server=127.0.0.1:1 db=1 cluster=on
--- error_log
invalid db "1" in "ratelimit_redis", it must be 0, a cluster has no others in



=== TEST 12: cluster=yes
--- redis: server=127.0.0.1:1 cluster=yes
--- error_log
invalid cluster "yes" in "ratelimit_redis", it must be one of on, off in



=== TEST 13: tls=yes
--- redis: server=127.0.0.1:1 tls=yes
--- error_log
invalid tls "yes" in "ratelimit_redis", it must be one of on, off in



=== TEST 14: ca= without TLS
--- redis: server=127.0.0.1:1 ca=ca.pem
--- error_log
invalid ca "ca.pem" in "ratelimit_redis", it needs "tls=on" in



=== TEST 15: name= without TLS
--- redis: server=127.0.0.1:1 tls=off name=redis.example
--- error_log
invalid name "redis.example" in "ratelimit_redis", it needs "tls=on" in



=== TEST 16: certificates that are not there
--- redis: server=127.0.0.1:1 tls=on ca=$TEST_NGINX_REDIS_DIR/none.pem
--- error_log
none.pem"



=== TEST 17: a user without a password
--- redis: server=127.0.0.1:1 user=nginx
--- error_log
invalid user "nginx" in "ratelimit_redis", it needs "password_file=" in



=== TEST 18: a password file that is not there
--- redis: server=127.0.0.1:1 password_file=$TEST_NGINX_REDIS_DIR/none
--- error_log
/none" of "ratelimit_redis" cannot be opened



=== TEST 19: a password file that is empty
--- redis: server=127.0.0.1:1 password_file=$TEST_NGINX_REDIS_DIR/empty
--- error_log
/empty" in "ratelimit_redis", it must be a file of 1 to 1024 bytes in



=== TEST 20: a password file that is too long
--- redis: server=127.0.0.1:1 password_file=$TEST_NGINX_REDIS_DIR/long
--- error_log
/long" in "ratelimit_redis", it must be a file of 1 to 1024 bytes in



=== TEST 21: a password file of two lines
--- redis: server=127.0.0.1:1 password_file=$TEST_NGINX_REDIS_DIR/lines
--- error_log
/lines" in "ratelimit_redis", it must hold a single line in



=== TEST 22: a password file that is a folder
--- redis: server=127.0.0.1:1 password_file=$TEST_NGINX_REDIS_DIR
--- error_log
" in "ratelimit_redis", it must be a file of 1 to 1024 bytes in



=== TEST 23: a secret file that is empty
--- redis: server=127.0.0.1:1 secret_file=$TEST_NGINX_REDIS_DIR/empty
--- error_log
/empty" in "ratelimit_redis", it must be a file of 1 to 1024 bytes in



=== TEST 24: a prefix with braces
--- redis: server=127.0.0.1:1 "prefix={x}"
--- error_log
it must be 1 to 64 visible characters without braces in



=== TEST 25: an empty prefix
--- redis: server=127.0.0.1:1 prefix=
--- error_log
invalid prefix "" in "ratelimit_redis", it must be 1 to 64 visible characters without braces in



=== TEST 26: a zone's redis is unknown
--- zone: redis=other
--- error_log
unknown redis "other" in "ratelimit_zone" "api" in



=== TEST 27: an empty redis=
--- zone: redis=
--- error_log
invalid redis "" in "ratelimit_zone", it must be the name of a "ratelimit_redis" in



=== TEST 28: a mode that is none
--- zone: redis=main mode=loose
--- error_log
invalid mode "loose" in "ratelimit_zone", it must be lease or strict in



=== TEST 29: mode= without redis=
--- zone: mode=strict
--- error_log
invalid mode "strict" in "ratelimit_zone", it needs "redis=" in



=== TEST 30: on_error= without redis=
--- zone: on_error=local
--- error_log
invalid on_error "local" in "ratelimit_zone", it needs "redis=" in



=== TEST 31: an on_error that is none
--- zone: redis=main on_error=pass
--- error_log
invalid on_error "pass" in "ratelimit_zone", it must be one of local, allow, refuse in



=== TEST 32: state= beside redis=
--- zone: redis=main state=api.state
--- error_log
invalid state "api.state" in "ratelimit_zone", it must not stand beside "redis=", whose server keeps the counts in



=== TEST 33: inside of a server
--- config
    ratelimit_redis other server=127.0.0.1:1;
--- error_log
"ratelimit_redis" directive is not allowed here in
