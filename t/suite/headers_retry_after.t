use lib 't/lib';
use RateLimit;
use Test::Nginx::Socket 'no_plan';

# What a refused client is told of the time that it has to wait.

add_block_preprocessor(sub {
    my $block = shift;

    $block->set_value('http_config', <<'_END_') if !defined $block->http_config;
    ratelimit_zone   zone=api:64k;
    ratelimit_policy never key=$arg_k quota=0/60s;
    ratelimit_policy month key=$arg_k quota=0/30d algorithm=fixed;
    ratelimit_policy token key=$arg_k quota=1/90s algorithm=fixed;
_END_
});

run_tests();

__DATA__

=== TEST 1: at most 20 days, since timers of 31 bits end at 24.8; the reset is true, and "t" left out
--- config
    location /t {
        ratelimit month;
        ratelimit_headers x-ratelimit ietf;
        ratelimit_headers fields "X-Wait: {retry_after}" "X-{policy}-Wait: {retry_after:ms}";
        ratelimit_body text/plain "$ratelimit_retry_after $ratelimit_retry_after_ms $ratelimit_retry_after_month $ratelimit_reset";
        empty_gif;
    }
--- request
GET /t?k=a
--- error_code: 429
--- response_headers
Retry-After: 1728000
X-RateLimit-Reset: 2592000
RateLimit: "month";r=0
X-Wait: 1728000
X-month-Wait: 1728000000
! Retry-After-Ms
--- response_body chomp
1728000 1728000000 1728000 2592000



=== TEST 2: retry_after_max= tells less, of clients that take no more
--- config
    location /t {
        ratelimit never;
        ratelimit_headers x-ratelimit ietf retry_after_max=59s;
        ratelimit_headers fields "X-Wait: {retry_after}";
        ratelimit_body text/plain "$ratelimit_retry_after";
        empty_gif;
    }
    location /alone { ratelimit never; ratelimit_headers retry_after_max=1m retry_after_ms; empty_gif; }
    location /higher { ratelimit never; ratelimit_headers retry_after_max=2m; empty_gif; }
--- request eval
["GET /t?k=a", "GET /alone?k=a", "GET /higher?k=a"]
--- error_code eval
[429, 429, 429]
--- response_headers eval
["Retry-After: 59\nX-RateLimit-Reset: 60\nX-Wait: 59\nRateLimit: \"never\";r=0",
 "Retry-After: 60\nRetry-After-Ms: 60000\n! X-RateLimit-Reset",
 "Retry-After: 60\n! Retry-After-Ms"]



=== TEST 3: retry_after_ms says the same in milliseconds, on refusals only
--- timed
--- config
    location /t {
        ratelimit token;
        ratelimit_headers x-ratelimit retry_after_ms;
        empty_gif;
    }
--- init
my $first = RateLimit::curl('-i', '/t?k=a');
my $second = RateLimit::curl('-i', '/t?k=a');
my ($s) = $second =~ /^Retry-After: (\d+)\r/m;
my ($ms) = $second =~ /^Retry-After-Ms: (\d+)\r/m;
RateLimit::publish('seen', $first !~ /Retry-After/ && $s == 90 && $ms > 89000 && $ms <= 90000
                           ? "right\n" : "$first$second");
--- request
GET /seen
--- response_body
right



=== TEST 4: variables in milliseconds, and the units used
--- timed
--- config
    location /t {
        ratelimit token;
        ratelimit_body text/plain "$ratelimit_used/$ratelimit_limit $ratelimit_retry_after $ratelimit_retry_after_ms $ratelimit_reset_ms $ratelimit_used_token";
        add_header X-Used "$ratelimit_used" always;
        add_header X-Reset-Ms "$ratelimit_reset_ms" always;
        add_header X-Wait-Ms "$ratelimit_retry_after_ms" always;
        empty_gif;
    }
    location /look { return 200 "$ratelimit_used_token $ratelimit_retry_after_ms_token."; }
--- request eval
["GET /look?k=a", "GET /t?k=a", "GET /t?k=a", "GET /look?k=b"]
--- error_code eval
[200, 200, 429, 200]
--- response_headers_like eval
["", "X-Used: 1\nX-Reset-Ms: (?:89\\d\\d\\d|90000)", "X-Used: 1\nX-Reset-Ms: 89\\d\\d\\d\nX-Wait-Ms: 89\\d\\d\\d", ""]
--- response_body_like eval
[qr/^0 \.$/, qr/GIF/, qr/^1\/1 90 89\d\d\d 89\d\d\d 1$/, qr/^0 \.$/]



=== TEST 5: a refusal is not kept by caches
--- config
    ratelimit_headers x-ratelimit;
    location /page { ratelimit never; empty_gif; }
    location /body { ratelimit never; ratelimit_body problem; empty_gif; }
    location /off  { ratelimit never; ratelimit_headers off; error_page 429 /429.txt; empty_gif; }
    location /429.txt { root $TEST_NGINX_HTML_DIR; }
--- user_files
>>> 429.txt
slow down
--- request eval
["GET /page?k=a", "GET /body?k=a", "GET /off?k=a", "GET /page"]
--- error_code eval
[429, 429, 429, 200]
--- response_headers eval
["Cache-Control: no-store", "Cache-Control: no-store", "Cache-Control: no-store", "! Cache-Control"]



=== TEST 6: unless the configuration says otherwise
--- config
    add_header Cache-Control "max-age=30" always;
    location /t { ratelimit never; ratelimit_headers x-ratelimit; empty_gif; }
--- request
GET /t?k=a
--- error_code: 429
--- response_headers
Cache-Control: max-age=30
X-RateLimit-Limit: 0



=== TEST 7: a dry run refuses nothing and says nothing of it
--- config
    location /t { ratelimit token dry_run=on; ratelimit_headers x-ratelimit retry_after_ms; empty_gif; }
--- request eval
["GET /t?k=a", "GET /t?k=a"]
--- response_headers eval
["! Retry-After\n! Cache-Control", "! Retry-After\n! Retry-After-Ms\n! Cache-Control\nX-RateLimit-Remaining: 0"]
