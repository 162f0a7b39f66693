use lib 't/lib';
use RateLimit;
use Test::Nginx::Socket 'no_plan';

run_tests();

__DATA__

=== TEST 1: addr is the address behind the trusted proxy, set at the level of http
--- http_config
    ratelimit_zone   zone=api:64k;
    ratelimit_key    $client addr;
    ratelimit_policy token key=$client quota=1/1h;
    set_real_ip_from 127.0.0.1;
    real_ip_header   X-Forwarded-For;
--- config
    location /t { ratelimit token; add_header X-Client $client always; empty_gif; }
--- request eval
[("GET /t") x 4]
--- more_headers eval
["X-Forwarded-For: 192.0.2.1", "X-Forwarded-For: 192.0.2.2", "X-Forwarded-For: 192.0.2.1", ""]
--- error_code eval
[200, 200, 429, 200]
--- response_headers eval
["X-Client: addr:192.0.2.1", "X-Client: addr:192.0.2.2", "X-Client: addr:192.0.2.1", "X-Client: addr:127.0.0.1"]



=== TEST 2: at the level of the server
--- http_config
    ratelimit_zone   zone=api:64k;
    ratelimit_key    $client addr;
    ratelimit_policy token key=$client quota=1/1h;
--- config
    set_real_ip_from 127.0.0.1;
    location /t { ratelimit token; empty_gif; }
--- request eval
[("GET /t") x 3]
--- more_headers eval
["X-Real-IP: 192.0.2.1", "X-Real-IP: 192.0.2.2", "X-Real-IP: 192.0.2.1"]
--- error_code eval
[200, 200, 429]



=== TEST 3: at the level of the location, where realip itself runs in preaccess
--- http_config
    ratelimit_zone   zone=api:64k;
    ratelimit_key    $client addr;
    ratelimit_policy token key=$client quota=1/1h;
--- config
    location /t {
        set_real_ip_from 127.0.0.1;
        ratelimit token;
        add_header X-Client $client always;
        empty_gif;
    }
--- request eval
[("GET /t") x 3]
--- more_headers eval
["X-Real-IP: 192.0.2.1", "X-Real-IP: 192.0.2.2", "X-Real-IP: 192.0.2.1"]
--- error_code eval
[200, 200, 429]
--- response_headers eval
["X-Client: addr:192.0.2.1", "X-Client: addr:192.0.2.2", "X-Client: addr:192.0.2.1"]



=== TEST 4: a key that was read too early is read again
--- http_config
    ratelimit_zone   zone=api:64k;
    ratelimit_key    $client addr;
    ratelimit_policy token key=$client quota=1/1h;
--- config
    location /t {
        set_real_ip_from 127.0.0.1;
        set $early $client;
        ratelimit token;
        add_header X-Early $early always;
        add_header X-Late  $client always;
        empty_gif;
    }
--- request eval
[("GET /t") x 3]
--- more_headers eval
["X-Real-IP: 192.0.2.1", "X-Real-IP: 192.0.2.2", "X-Real-IP: 192.0.2.1"]
--- error_code eval
[200, 200, 429]
--- response_headers eval
["X-Early: addr:127.0.0.1\nX-Late: addr:192.0.2.1", "X-Early: addr:127.0.0.1\nX-Late: addr:192.0.2.2", "X-Early: addr:127.0.0.1\nX-Late: addr:192.0.2.1"]



=== TEST 5: nginx's own address variables as key, at the level of the location
--- http_config
    ratelimit_zone   zone=api:64k;
    ratelimit_policy bin  key=$binary_remote_addr quota=1/1h;
    ratelimit_policy text key=$remote_addr        quota=1/1h;
--- config
    set_real_ip_from 127.0.0.1;
    location /bin  { ratelimit bin;  empty_gif; }
    location /text { ratelimit text; empty_gif; }
--- request eval
[("GET /bin") x 3, ("GET /text") x 3]
--- more_headers eval
[("X-Real-IP: 192.0.2.1", "X-Real-IP: 192.0.2.2", "X-Real-IP: 192.0.2.1") x 2]
--- error_code eval
[(200, 200, 429) x 2]



=== TEST 6: an untrusted client cannot choose its address
--- http_config
    ratelimit_zone   zone=api:64k;
    ratelimit_key    $client addr;
    ratelimit_policy token key=$client quota=1/1h;
--- config
    location /t {
        set_real_ip_from 192.0.2.0/24;
        ratelimit token;
        empty_gif;
    }
--- request eval
[("GET /t") x 2]
--- more_headers eval
["X-Real-IP: 192.0.2.1", "X-Real-IP: 192.0.2.2"]
--- error_code eval
[200, 429]



=== TEST 7: IPv6 clients behind the proxy share a bucket by /64
--- http_config
    ratelimit_zone   zone=api:64k;
    ratelimit_key    $client addr;
    ratelimit_policy token key=$client quota=1/1h;
--- config
    set_real_ip_from 127.0.0.1;
    location /t { ratelimit token; empty_gif; }
--- request eval
[("GET /t") x 3]
--- more_headers eval
["X-Real-IP: 2001:db8:0:1::1", "X-Real-IP: 2001:db8:0:1::2", "X-Real-IP: 2001:db8:0:2::1"]
--- error_code eval
[200, 429, 200]



=== TEST 8: the address survives an internal redirect
--- http_config
    ratelimit_zone   zone=api:64k;
    ratelimit_key    $client addr;
    ratelimit_policy token key=$client quota=1/1h;
--- config
    location /t {
        set_real_ip_from 127.0.0.1;
        try_files /nothing /inner;
    }
    location /inner { ratelimit token; add_header X-Client $client always; empty_gif; }
--- request eval
[("GET /t") x 3]
--- more_headers eval
["X-Real-IP: 192.0.2.1", "X-Real-IP: 192.0.2.2", "X-Real-IP: 192.0.2.1"]
--- error_code eval
[200, 200, 429]



=== TEST 9: behind a unix socket, realip gives an address
--- http_config
    ratelimit_zone   zone=api:64k;
    ratelimit_key    $client addr;
    ratelimit_policy token key=$client quota=1/1h;
--- config
    location /t { proxy_set_header X-Real-IP $arg_ip; proxy_pass http://backend; }
--- backend
    set_real_ip_from unix:;
    location / { ratelimit token; empty_gif; }
--- request eval
["GET /t?ip=192.0.2.1", "GET /t?ip=192.0.2.2", "GET /t?ip=192.0.2.1"]
--- error_code eval
[200, 200, 429]



=== TEST 10: recursive lookup through several proxies
--- http_config
    ratelimit_zone   zone=api:64k;
    ratelimit_key    $client addr=24/64;
    ratelimit_policy token key=$client quota=1/1h;
    set_real_ip_from 127.0.0.1;
    set_real_ip_from 198.51.100.0/24;
    real_ip_header   X-Forwarded-For;
    real_ip_recursive on;
--- config
    location /t { ratelimit token; add_header X-Client $client always; empty_gif; }
--- more_headers
X-Forwarded-For: 10.9.9.9, 192.0.2.7, 198.51.100.1
--- response_headers
X-Client: addr:192.0.2.0
