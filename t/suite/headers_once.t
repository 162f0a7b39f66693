use lib 't/lib';
use RateLimit;
use Test::Nginx::Socket 'no_plan';

# A field of ours stands once, whatever else set one of its name.

our $quota = <<'_END_';
    ratelimit_zone   zone=api:64k;
    ratelimit_policy token key=$arg_k quota=1/60s algorithm=fixed;
_END_

# How often each of these names stands in an answer, and with what value.
our $told = sub {
    my ($uri) = @_;
    my $answer = RateLimit::curl('-i', $uri);
    return join '', map { lc "$_\n" }
           sort { lc $a cmp lc $b } $answer =~ /^((?:x-ratelimit-|ratelimit-|retry-after|x-a)[\w-]*: .*)\r/mgi;
};

add_block_preprocessor(sub {
    my $block = shift;

    $block->set_value('http_config', $quota) if !defined $block->http_config;
});

run_tests();

__DATA__

=== TEST 1: add_header's
--- config
    location /t {
        ratelimit token;
        ratelimit_headers x-ratelimit;
        ratelimit_headers fields "X-A: {limit}/{limit}";
        add_header X-RateLimit-Limit 5000 always;
        add_header x-ratelimit-reset 7 always;
        add_header X-A 7 always;
        add_header X-A 8 always;
        add_header Retry-After 120 always;
        add_header X-Other kept always;
        empty_gif;
    }
--- init
RateLimit::publish('seen', $::told->('/t?k=a') . $::told->('/t?k=a'));
--- request
GET /seen
--- response_body
retry-after: 120
x-a: 1/1
x-ratelimit-limit: 1
x-ratelimit-remaining: 0
x-ratelimit-reset: 60
retry-after: 60
x-a: 1/1
x-ratelimit-limit: 1
x-ratelimit-remaining: 0
x-ratelimit-reset: 60



=== TEST 2: add_header's, behind an upstream that has the same fields
--- config
    location /t {
        ratelimit token;
        ratelimit_headers draft3;
        add_header RateLimit-Limit 5000 always;
        add_header Retry-After 120 always;
        proxy_pass http://backend;
    }
--- backend
    location / {
        add_header RateLimit-Limit 77;
        add_header RateLimit-Reset 77;
        return 200 "app\n";
    }
--- init
RateLimit::publish('seen', $::told->('/t?k=a') . $::told->('/t?k=a'));
--- request
GET /seen
--- response_body
ratelimit-limit: 1
ratelimit-remaining: 0
ratelimit-reset: 60
retry-after: 120
ratelimit-limit: 1
ratelimit-remaining: 0
ratelimit-reset: 60
retry-after: 60



=== TEST 3: an error page's, of ours and of an upstream
--- config
    ratelimit_headers x-ratelimit;
    location /t { ratelimit token; error_page 429 = @page; empty_gif; }
    location /u { ratelimit token; error_page 429 /page; empty_gif; }
    location @page { add_header Retry-After 120 always; proxy_pass http://backend; }
    location /page {
        internal;
        add_header Retry-After 120 always;
        add_header X-RateLimit-Limit 9 always;
        return 429 "slow down\n";
    }
--- backend
    location / {
        add_header X-RateLimit-Limit 77 always;
        add_header Retry-After 5 always;
        return 429 "app\n";
    }
--- init
$::told->('/t?k=a');
RateLimit::publish('seen', $::told->('/t?k=a') . $::told->('/u?k=a'));
--- request
GET /seen
--- response_body
retry-after: 60
x-ratelimit-limit: 1
x-ratelimit-remaining: 0
x-ratelimit-reset: 60
retry-after: 60
x-ratelimit-limit: 1
x-ratelimit-remaining: 0
x-ratelimit-reset: 60



=== TEST 4: one that ours leaves out stands
--- config
    location /t {
        ratelimit token;
        ratelimit_headers fields "X-A: {retry_after}";
        add_header X-A theirs always;
        empty_gif;
    }
--- init
RateLimit::publish('seen', $::told->('/t?k=a') . $::told->('/t?k=a'));
--- request
GET /seen
--- response_body
x-a: theirs
retry-after: 60
x-a: 60



=== TEST 5: nothing of ours on a response that nothing decided
--- config
    location /t {
        ratelimit token;
        ratelimit_headers x-ratelimit;
        add_header X-RateLimit-Limit 5000;
        empty_gif;
    }
--- request
GET /t
--- response_headers
X-RateLimit-Limit: 5000
! X-RateLimit-Remaining



=== TEST 6: an upstream that sends more fields than nginx's list has room for at once
--- config
    location /t { ratelimit token; ratelimit_headers x-ratelimit; proxy_pass http://backend; }
--- backend eval
"location / { return 200 'app'; "
. CORE::join(' ', map { "add_header X-$_ $_; add_header X-RateLimit-Limit $_;" } 1 .. 40) . " }"
--- init
RateLimit::publish('seen', $::told->('/t?k=a'));
--- request
GET /seen
--- response_body
x-ratelimit-limit: 1
x-ratelimit-remaining: 0
x-ratelimit-reset: 60
