use lib 't/lib';
use RateLimit;
use Test::Nginx::Socket 'no_plan';

run_tests();

__DATA__

=== TEST 1: fields of one's own, of the policy that is reported
--- http_config
    ratelimit_zone   zone=api:64k;
    ratelimit_policy token key=$arg_k quota=40/6m algorithm=fixed;
    ratelimit_policy day   key=$arg_k quota=5000/1d algorithm=fixed;
--- config
    location /t {
        ratelimit token cost=32;
        ratelimit day;
        ratelimit_headers fields "X-Shop-Call-Limit: {used}/{limit}" "X-Left: {remaining}"
                                 "X-Window: {window}, {window:ms}, {window:go}"
                                 "X-Resource:   core  ";
        empty_gif;
    }
--- request
GET /t?k=a
--- response_headers
X-Shop-Call-Limit: 32/40
X-Left: 8
X-Window: 360, 360000, 6m0s
X-Resource: core
! X-RateLimit-Limit



=== TEST 2: the same as x-ratelimit, draft3, per-policy and ietf
--- http_config
    ratelimit_zone   zone=api:64k;
    ratelimit_policy token     key=$arg_k quota=10/60s algorithm=fixed;
    ratelimit_policy all_of_it key=$arg_k quota=500/1h algorithm=fixed;
--- config
    location /t {
        ratelimit token all_of_it;
        ratelimit_headers x-ratelimit ietf per-policy prefix=P-;
        ratelimit_headers fields "Y-Limit: {limit}" "Y-Remaining: {remaining}" "Y-Reset: {reset}"
                                 "Y-Policy: {policy:quota}" "Y-RateLimit: {policy:limit}"
                                 "Y-{policy}-interval-ms: {window:ms}" "Y-{policy}-max: {limit}";
        empty_gif;
    }
--- request
GET /t?k=a
--- response_headers
X-RateLimit-Limit: 10
X-RateLimit-Remaining: 9
X-RateLimit-Reset: 60
RateLimit-Policy: "token";q=10;w=60, "all_of_it";q=500;w=3600
RateLimit: "token";r=9;t=60, "all_of_it";r=499;t=3600
P-token-interval-ms: 60000
P-token-max: 10
P-all-of-it-interval-ms: 3600000
P-all-of-it-max: 500
Y-Limit: 10
Y-Remaining: 9
Y-Reset: 60
Y-Policy: "token";q=10;w=60, "all_of_it";q=500;w=3600
Y-RateLimit: "token";r=9;t=60, "all_of_it";r=499;t=3600
Y-token-interval-ms: 60000
Y-token-max: 10
Y-all-of-it-interval-ms: 3600000
Y-all-of-it-max: 500



=== TEST 3: a moment in every format is the same moment
--- timed
--- http_config
    ratelimit_zone   zone=api:64k;
    ratelimit_policy token key=$arg_k quota=5/1h algorithm=fixed;
--- config
    location /t {
        ratelimit token;
        ratelimit_headers fields "X-In: {reset}" "X-Ms: {reset:ms}" "X-Decimal: {reset:decimal}"
                                 "X-Go: {reset:go}" "X-Unix: {reset:unix}"
                                 "X-Unix-Ms: {reset:unix_ms}" "X-Unix-Decimal: {reset:unix_decimal}"
                                 "X-Rfc3339: {reset:rfc3339}" "X-Http: {reset:http}";
        empty_gif;
    }
--- init
use POSIX ();
my $answer = RateLimit::curl('-i', '/t?k=a');
my ($at) = $answer =~ /^X-Unix-Ms: (\d+)\r/m;
my $second = POSIX::ceil($at / 1000);
my $now = time();
my %told = $answer =~ /^X-([\w-]+): (.*)\r/mg;
my %right = (In => 3600, Ms => 3600000, Decimal => '3600.000', Go => '1h0m0s', Unix => $second,
             'Unix-Ms' => $at, 'Unix-Decimal' => sprintf('%.3f', $at / 1000),
             Rfc3339 => POSIX::strftime('%Y-%m-%dT%H:%M:%SZ', gmtime $second),
             Http => POSIX::strftime('%a, %d %b %Y %H:%M:%S GMT', gmtime $second));
my @wrong = grep { $told{$_} ne $right{$_} } keys %right;
push @wrong, 'now' if $second < $now + 3599 || $second > $now + 3601;
RateLimit::publish('seen', @wrong ? "@wrong: $answer\n" : "right\n");
--- request
GET /seen
--- response_body
right



=== TEST 4: {retry_after} is there on a refusal only, and says what Retry-After says
--- timed
--- http_config
    ratelimit_zone   zone=api:64k;
    ratelimit_policy token key=$arg_k quota=1/90s algorithm=fixed;
--- config
    location /t {
        ratelimit token;
        ratelimit_headers fields "X-Wait: {retry_after}" "X-Wait-Go: about {retry_after:go}"
                                 "X-Left: {remaining}" "X-{policy}-Wait: {retry_after}"
                                 "X-Waits: {policy};w={retry_after}";
        empty_gif;
    }
--- request eval
["GET /t?k=a", "GET /t?k=a"]
--- error_code eval
[200, 429]
--- response_headers eval
["X-Left: 0\n! X-Wait\n! X-Wait-Go\n! X-token-Wait\n! X-Waits\n! Retry-After",
 "X-Left: 0\nX-Wait: 90\nX-token-Wait: 90\nX-Waits: token;w=90\nRetry-After: 90"]



=== TEST 5: policies= and hidden
--- http_config
    ratelimit_zone   zone=api:64k;
    ratelimit_policy minute key=$arg_k quota=10/60s;
    ratelimit_policy hour   key=$arg_k quota=20/1h;
    ratelimit_policy secret key=$arg_k quota=5/1h hidden;
--- config
    location /t {
        ratelimit minute hour secret;
        ratelimit_headers fields "X-Limit: {limit}" "X-List: {policy}={limit}" "X-{policy}: {limit}" policies=hour,secret;
        ratelimit_headers fields "X-All: {policy}={limit}";
        empty_gif;
    }
--- request
GET /t?k=a
--- response_headers
X-Limit: 20
X-List: hour=20
X-hour: 20
! X-minute
! X-secret
X-All: minute=10, hour=20



=== TEST 6: several lines, and other dialects on the same line
--- http_config
    ratelimit_zone   zone=api:64k;
    ratelimit_policy token key=$arg_k quota=10/60s;
--- config
    location /t {
        ratelimit token;
        ratelimit_headers fields "A: {limit}" "Time: a=b:{limit}" draft3 fields "B: {limit}" policies=token;
        ratelimit_headers fields "C: {limit}";
        empty_gif;
    }
--- request
GET /t?k=a
--- response_headers
A: 10
Time: a=b:10
RateLimit-Limit: 10
B: 10
C: 10



=== TEST 7: more fields than are rendered together
--- http_config
    ratelimit_zone   zone=api:64k;
    ratelimit_policy token key=$arg_k quota=10/60s;
--- config eval
"location /t { ratelimit token; empty_gif; ratelimit_headers fields "
. CORE::join(' ', map { "\"X-$_: {limit}/$_\"" } 1 .. 20) . '; }'
--- request
GET /t?k=a
--- response_headers eval
CORE::join "\n", map { "X-$_: 10/$_" } 1 .. 20



=== TEST 8: an override, a scale and a variable's quota are told as they are
--- http_config
    ratelimit_zone   zone=api:64k;
    ratelimit_policy scaled   key=$arg_k quota=10/60s scale=$arg_s;
    ratelimit_policy variable key=$arg_k quota=$arg_q;
--- config
    ratelimit_headers fields "X-A: {used}/{limit}" "X-B: {policy:quota}";
    location /scaled   { ratelimit scaled;   empty_gif; }
    location /variable { ratelimit variable; empty_gif; }
--- request eval
["GET /scaled?k=a&s=50%", "GET /scaled?k=a", "GET /variable?k=a&q=7/30s"]
--- response_headers eval
["X-A: 1/5\nX-B: \"scaled\";q=5;w=60", "X-A: 2/10\nX-B: \"scaled\";q=10;w=60",
 "X-A: 1/7\nX-B: \"variable\";q=7;w=30"]



=== TEST 9: months have their own length
--- http_config
    ratelimit_zone   zone=api:64k;
    ratelimit_policy month key=$arg_k quota=10/1M algorithm=calendar;
--- config
    location /t { ratelimit month; ratelimit_headers per-policy prefix=X-; empty_gif; }
--- request
GET /t?k=a
--- response_headers eval
use Time::Local ();
my @now = gmtime;
my $of = sub { Time::Local::timegm(0, 0, 0, 1, $_[0] % 12, $now[5] + 1900 + int($_[0] / 12)) };
"X-month-interval-ms: " . 1000 * ($of->($now[4] + 1) - $of->($now[4]))



=== TEST 10: off and inherited as every dialect
--- http_config
    ratelimit_zone   zone=api:64k;
    ratelimit_policy token key=$arg_k quota=10/60s;
    ratelimit_headers fields "A: {limit}";
--- config
    location /same { ratelimit token; empty_gif; }
    location /off { ratelimit token; ratelimit_headers off; empty_gif; }
    location /other { ratelimit token; ratelimit_headers fields "B: {limit}"; empty_gif; }
--- request eval
["GET /same?k=a", "GET /off?k=a", "GET /other?k=a"]
--- response_headers eval
["A: 10", "! A", "! A\nB: 10"]



=== TEST 11: policies= of hidden ones only: nginx -t warns
--- http_config
    ratelimit_zone   zone=api:64k;
    ratelimit_policy token  key=$arg_k quota=10/60s;
    ratelimit_policy secret key=$arg_k quota=10/60s hidden;
--- config
    location /t {
        ratelimit token secret;
        ratelimit_headers x-ratelimit policies=secret;
        ratelimit_headers draft3 policies=secret,token;
        empty_gif;
    }
--- request
GET /t?k=a
--- response_headers
! X-RateLimit-Limit
RateLimit-Limit: 10
--- error_log eval
qr/\[warn\].*"ratelimit_headers" tells of no policy, those of "policies=" are hidden, in .*nginx.conf:\d+/
