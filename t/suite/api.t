use lib 't/lib';
use RateLimit;
use Api;
use Test::Nginx::Socket 'no_plan';

# The module's version, and nginx's.
our ($version) = do { local (@ARGV, $/) = 'src/ngx_http_ratelimit.h'; <> } =~ /_VERSION +"(.*?)"/;
our ($nginx) = `$ENV{TEST_NGINX_BINARY} -V 2>&1` =~ m{nginx/([0-9.]+)};

run_tests();

__DATA__

=== TEST 1: the state of everything as JSON
--- http_config
    ratelimit_zone   zone=api:64k;
    ratelimit_key    $client header=X-Key addr;
    ratelimit_policy token key=$client quota=600/60s scale=50%;
    ratelimit_policy user  key=$arg_a key=x$arg_b quota=$arg_q algorithm=calendar hidden;
--- config
    location /api { ratelimit_api; allow all; }
--- request
GET /api
--- response_headers
Content-Type: application/json
Cache-Control: no-store
X-Content-Type-Options: nosniff
Referrer-Policy: no-referrer
X-Frame-Options: DENY
Cross-Origin-Resource-Policy: same-origin
Vary: Accept
--- response_body_filters eval
Api::at(map({ "zones.0.$_" } qw(name size_bytes entries active evicted_idle evicted_active lock_recoveries)), 'zones.n',
        map({ "policies.0.$_" } qw(name zone algorithm key quota scale hidden)),
        map({ "policies.1.$_" } qw(name zone algorithm key quota scale hidden)), 'policies.n', 'write', 'overrides')
--- response_body
zones.0.name: api
zones.0.size_bytes: 65536
zones.0.entries: 0
zones.0.active: 0
zones.0.evicted_idle: 0
zones.0.evicted_active: 0
zones.0.lock_recoveries: 0
zones.n: 1
policies.0.name: token
policies.0.zone: api
policies.0.algorithm: sliding
policies.0.key: ["$client"]
policies.0.quota: 600/60s
policies.0.scale: ["50%"]
policies.0.hidden: false
policies.1.name: user
policies.1.zone: api
policies.1.algorithm: calendar
policies.1.key: ["$arg_a","x$arg_b"]
policies.1.quota: $arg_q
policies.1.scale: []
policies.1.hidden: true
policies.n: 2
write: false
overrides: []



=== TEST 2: every decision is counted
--- http_config
    ratelimit_zone   zone=api:64k;
    ratelimit_policy token  key=$arg_k quota=3/1h;
    ratelimit_policy giving key=$arg_k quota=3/1h skip_status=404;
    ratelimit_policy tier   key=$arg_k quota=$arg_q;
    ratelimit_policy early  key=$arg_k quota=9/1h;
    ratelimit_policy late   key=$arg_k quota=0/1h;
--- config
    location /t      { ratelimit token; empty_gif; }
    location /dry    { ratelimit token dry_run=on; empty_gif; }
    location /giving { ratelimit giving; return 404; root html; }
    location /gone   { ratelimit giving; alias html/nothing; }
    location /tier   { ratelimit tier; empty_gif; }
    location /phases { ratelimit early; ratelimit late phase=precontent; empty_gif; }
    location /api/   { ratelimit_api; allow all; }
--- request eval
[(map { "GET /t?k=a" } 1 .. 5), "GET /t", "GET /dry?k=a", "GET /dry?k=a",
 "GET /gone?k=a", "GET /tier?k=a&q=5/1h", "GET /tier?k=a&q=unlimited", "GET /tier?k=a&q=nonsense",
 "GET /phases?k=a", map { "GET /api/" } 0 .. 4]
--- error_code eval
[200, 200, 200, 429, 429, 200, 200, 200, 404, 200, 200, 200, 429, 200, 200, 200, 200, 200]
--- response_body_filters eval
[(map { Api::any() } 1 .. 13), map { Api::counts($_) } 0 .. 4]
--- response_body eval
[("") x 13,
 "admitted=3 refused=2 refused_dry_run=2 bypassed=1 refunded=0 errors=0\n",
 "admitted=1 refused=0 refused_dry_run=0 bypassed=0 refunded=1 errors=0\n",
 "admitted=1 refused=0 refused_dry_run=0 bypassed=2 refunded=0 errors=1\n",
 "admitted=1 refused=0 refused_dry_run=0 bypassed=0 refunded=1 errors=0\n",
 "admitted=0 refused=1 refused_dry_run=0 bypassed=0 refunded=0 errors=0\n"]



=== TEST 3: a request that one of several policies refuses is counted by that one only
--- http_config
    ratelimit_zone   zone=api:64k;
    ratelimit_policy wide   key=$arg_k quota=9/1h;
    ratelimit_policy narrow key=$arg_k quota=1/1h;
--- config
    location /t   { ratelimit wide narrow; empty_gif; }
    location /api { ratelimit_api; allow all; }
--- request eval
["GET /t?k=a", "GET /t?k=a", "GET /api", "GET /api"]
--- error_code eval
[200, 429, 200, 200]
--- response_body_filters eval
[Api::any(), Api::any(), Api::counts(0), Api::counts(1)]
--- response_body eval
["", "", "admitted=1 refused=0 refused_dry_run=0 bypassed=0 refunded=0 errors=0\n",
 "admitted=1 refused=1 refused_dry_run=0 bypassed=0 refunded=0 errors=0\n"]



=== TEST 4: a policy that does not apply is counted once, beside any other and under an override
--- http_config
    ratelimit_zone   zone=api:64k;
    ratelimit_policy none  key=$arg_none quota=9/1h;
    ratelimit_policy token key=$arg_k    quota=9/1h;
    ratelimit_policy tier  key=$arg_k    quota=$arg_q;
--- config
    location /quick { ratelimit none token; empty_gif; }
    location /mixed { ratelimit none tier; empty_gif; }
    location /alone { ratelimit none; empty_gif; }
    location /api/  { ratelimit_api write=on; allow all; }
--- request eval
["GET /quick?k=a", "GET /mixed?k=a&q=5/1h", "GET /alone", "GET /api/",
 "PUT /api/overrides?policy=token&scale=50%25",
 "GET /quick?k=a", "GET /alone", "GET /api/", "GET /api/"]
--- response_body_filters eval
[Api::any(), Api::any(), Api::any(), Api::counts(0), Api::any(), Api::any(), Api::any(), Api::counts(0), Api::counts(1)]
--- response_body eval
["", "", "", "admitted=0 refused=0 refused_dry_run=0 bypassed=3 refunded=0 errors=0\n",
 "", "", "", "admitted=0 refused=0 refused_dry_run=0 bypassed=5 refunded=0 errors=0\n",
 "admitted=2 refused=0 refused_dry_run=0 bypassed=0 refunded=0 errors=0\n"]



=== TEST 5: how many buckets a zone has room for
--- http_config
    ratelimit_zone zone=api:1m;
--- config
    location /api { ratelimit_api; allow all; }
--- request eval
["GET /api", "GET /api/metrics"]
--- response_body_like eval
["\"capacity\": 15[78]\\d\\d,", "capacity_buckets\\{zone=\"api\"\\} 15[78]\\d\\d\n"]



=== TEST 6: buckets in use are counted, those of other zones apart
--- http_config
    ratelimit_zone   zone=one:64k;
    ratelimit_zone   zone=two:3m;
    ratelimit_policy short key=$arg_k quota=1/10ms zone=one;
    ratelimit_policy long  key=$arg_k quota=9/1h zone=two;
--- config
    location /t   { ratelimit short long; empty_gif; }
    location /api { ratelimit_api; allow all; }
--- request eval
["GET /t?k=a", "GET /t?k=b", "GET /t?k=c", "GET /api"]
--- wait: 0.1
--- error_code eval
[200, 200, 200, 200]
--- response_body_filters eval
[(map { Api::any() } 1 .. 3), Api::at(map { ("zones.$_.name", "zones.$_.entries", "zones.$_.active") } 0, 1)]
--- response_body eval
["", "", "", "zones.0.name: one\nzones.0.entries: 3\nzones.0.active: 0\nzones.1.name: two\nzones.1.entries: 3\nzones.1.active: 3\n"]



=== TEST 7: Prometheus
--- http_config
    ratelimit_zone   zone=api:64k;
    ratelimit_policy token key=$arg_k quota=1/1h;
    ratelimit_policy other key=$arg_k quota=1/1h;
--- config
    location /t   { ratelimit token; empty_gif; }
    location /api { ratelimit_api; allow all; }
--- request eval
["GET /t?k=a", "GET /t?k=a", "GET /t?k=a", "GET /api/metrics"]
--- error_code eval
[200, 429, 429, 200]
--- response_body_filters eval
[(map { Api::any() } 1 .. 3), Api::metric('nginx(?!.*(?:capacity|build_info))')]
--- response_body eval
["", "", "", <<'_END_']
nginx_ratelimit_requests_total{zone="api",policy="token",result="admitted"} 1
nginx_ratelimit_requests_total{zone="api",policy="token",result="refused"} 2
nginx_ratelimit_requests_total{zone="api",policy="token",result="refused_dry_run"} 0
nginx_ratelimit_requests_total{zone="api",policy="token",result="bypassed"} 0
nginx_ratelimit_requests_total{zone="api",policy="other",result="admitted"} 0
nginx_ratelimit_requests_total{zone="api",policy="other",result="refused"} 0
nginx_ratelimit_requests_total{zone="api",policy="other",result="refused_dry_run"} 0
nginx_ratelimit_requests_total{zone="api",policy="other",result="bypassed"} 0
nginx_ratelimit_refunds_total{zone="api",policy="token"} 0
nginx_ratelimit_refunds_total{zone="api",policy="other"} 0
nginx_ratelimit_units_total{zone="api",policy="token",kind="reserved"} 1
nginx_ratelimit_units_total{zone="api",policy="token",kind="settled"} 0
nginx_ratelimit_units_total{zone="api",policy="token",kind="returned"} 0
nginx_ratelimit_units_total{zone="api",policy="other",kind="reserved"} 0
nginx_ratelimit_units_total{zone="api",policy="other",kind="settled"} 0
nginx_ratelimit_units_total{zone="api",policy="other",kind="returned"} 0
nginx_ratelimit_errors_total{zone="api",policy="token"} 0
nginx_ratelimit_errors_total{zone="api",policy="other"} 0
nginx_ratelimit_bans_total{zone="api",policy="token"} 0
nginx_ratelimit_bans_total{zone="api",policy="other"} 0
nginx_ratelimit_banned_keys{zone="api",policy="token"} 0
nginx_ratelimit_banned_keys{zone="api",policy="other"} 0
nginx_ratelimit_delayed_total{zone="api",policy="token"} 0
nginx_ratelimit_delayed_total{zone="api",policy="other"} 0
nginx_ratelimit_waited_seconds_total{zone="api",policy="token"} 0
nginx_ratelimit_waited_seconds_total{zone="api",policy="other"} 0
nginx_ratelimit_waiting{zone="api",policy="token"} 0
nginx_ratelimit_waiting{zone="api",policy="other"} 0
nginx_ratelimit_used_ratio_bucket{zone="api",policy="token",le="0.25"} 0
nginx_ratelimit_used_ratio_bucket{zone="api",policy="token",le="0.5"} 0
nginx_ratelimit_used_ratio_bucket{zone="api",policy="token",le="0.75"} 0
nginx_ratelimit_used_ratio_bucket{zone="api",policy="token",le="0.9"} 0
nginx_ratelimit_used_ratio_bucket{zone="api",policy="token",le="1.0"} 1
nginx_ratelimit_used_ratio_bucket{zone="api",policy="token",le="+Inf"} 1
nginx_ratelimit_used_ratio_sum{zone="api",policy="token"} 1.000
nginx_ratelimit_used_ratio_count{zone="api",policy="token"} 1
nginx_ratelimit_used_ratio_bucket{zone="api",policy="other",le="0.25"} 0
nginx_ratelimit_used_ratio_bucket{zone="api",policy="other",le="0.5"} 0
nginx_ratelimit_used_ratio_bucket{zone="api",policy="other",le="0.75"} 0
nginx_ratelimit_used_ratio_bucket{zone="api",policy="other",le="0.9"} 0
nginx_ratelimit_used_ratio_bucket{zone="api",policy="other",le="1.0"} 0
nginx_ratelimit_used_ratio_bucket{zone="api",policy="other",le="+Inf"} 0
nginx_ratelimit_used_ratio_sum{zone="api",policy="other"} 0.000
nginx_ratelimit_used_ratio_count{zone="api",policy="other"} 0
nginx_ratelimit_zone_buckets{zone="api",state="idle"} 0
nginx_ratelimit_zone_buckets{zone="api",state="active"} 1
nginx_ratelimit_zone_evictions_total{zone="api",state="idle"} 0
nginx_ratelimit_zone_evictions_total{zone="api",state="active"} 0
nginx_ratelimit_zone_lock_recoveries_total{zone="api"} 0
_END_
--- response_headers eval
["", "", "", "Content-Type: text/plain; version=0.0.4; charset=utf-8\r\nCache-Control: no-store"]



=== TEST 8: a zone's name may be anything
--- http_config eval
"    ratelimit_zone   \"zone=a\\\"\\\\b\nc\xc3\xa9\xff:64k\";
    ratelimit_policy token key=\$arg_k quota=1/1h;"
--- config
    location /t   { ratelimit token; empty_gif; }
    location /api { ratelimit_api; allow all; }
--- request eval
["GET /api/metrics", "GET /api"]
--- response_body_filters eval
[Api::metric('nginx_ratelimit_zone_buckets'), Api::at("zones.0.name")]
--- response_body eval
["nginx_ratelimit_zone_buckets{zone=\"a\\\"\\\\b\\nc\xc3\xa9?\",state=\"idle\"} 0\nnginx_ratelimit_zone_buckets{zone=\"a\\\"\\\\b\\nc\xc3\xa9?\",state=\"active\"} 0\n", "zones.0.name: a\"\\b\nc???\n"]



=== TEST 9: a page for people, JSON for programs
--- http_config
    ratelimit_zone zone=api:64k;
--- config
    location /api { ratelimit_api; allow all; }
--- request eval
[("GET /api") x 6]
--- more_headers eval
["Accept: text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8", "Accept: application/json",
 "Accept: */*", "X-None: 1", "Accept: application/json, text/html", "Accept: TEXT/HTML"]
--- response_headers eval
["Content-Type: text/html; charset=utf-8", "Content-Type: application/json", "Content-Type: application/json",
 "Content-Type: application/json", "Content-Type: application/json", "Content-Type: text/html; charset=utf-8"]
--- response_body_like eval
["<!DOCTYPE html>", "^{", "^{", "^{", "^{", "<!DOCTYPE html>"]



=== TEST 10: the page allows nothing but itself, under a nonce of its own
--- http_config
    ratelimit_zone zone=api:64k;
--- config
    location /api { ratelimit_api; allow all; }
--- request
GET /api
--- more_headers
Accept: text/html
--- raw_response_headers_like eval
qr{Content-Security-Policy: default-src 'none'; script-src 'nonce-([A-Za-z0-9+/]{24})'; style-src 'nonce-\1'; connect-src 'self'; img-src data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'\r\n}
--- response_body_unlike
@NONCE@|https?://(?!www\.w3\.org)|src=|onclick=|style="



=== TEST 11: paths below the location, and no others
--- http_config
    ratelimit_zone zone=api:64k;
--- config
    location /api          { ratelimit_api; allow all; }
    location /slash/       { ratelimit_api; allow all; }
    location = /exact      { ratelimit_api; allow all; }
    location ~ ^/re(/|$)   { ratelimit_api; allow all; }
--- request eval
["GET /api", "GET /api/", "GET /api/metrics", "GET /api/nothing", "GET /api/metrics/", "GET /apis", "GET /slash/",
 "GET /slash/keys?top=1", "GET /exact", "GET /re/metrics", "GET /re/", "GET /re/keys?top=1", "GET /re/overrides"]
--- error_code eval
[200, 200, 200, 404, 404, 404, 200, 200, 200, 200, 200, 200, 200]
--- response_body_like eval
["zones", "zones", "# HELP", "there is nothing here", "there is nothing here", "there is nothing here", "zones", "top_admitted", "zones",
 "# HELP", "zones", "top_admitted", "overrides"]



=== TEST 12: HEAD has headers only
--- http_config
    ratelimit_zone zone=api:64k;
--- config
    location /api { ratelimit_api; allow all; }
--- request eval
["HEAD /api", "HEAD /api/metrics", "HEAD /api/keys?top=1"]
--- error_code eval
[200, 200, 200]
--- response_headers eval
["Content-Type: application/json", "Content-Type: text/plain; version=0.0.4; charset=utf-8", "Content-Type: application/json"]
--- response_body eval
["", "", ""]



=== TEST 13: without write=on a write is 405
--- http_config
    ratelimit_zone   zone=api:64k;
    ratelimit_policy token key=$arg_k quota=1/1h;
--- config
    location /api { ratelimit_api; allow all; }
    location /off { ratelimit_api write=off; allow all; }
--- request eval
["DELETE /api/keys?policy=token&key=a", "PUT /api/overrides?zone=api&scale=1%", "POST /api", "OPTIONS /api/keys", "DELETE /off/keys?policy=token&key=a"]
--- error_code eval
[405, 405, 405, 405, 405]
--- response_headers eval
[("Allow: GET, HEAD\r\nContent-Type: application/problem+json\r\nCache-Control: no-store") x 5]
--- response_body eval
[(<<'_END_') x 5]
{
  "type": "about:blank",
  "title": "Method Not Allowed",
  "status": 405,
  "detail": "this cannot be done here, or needs \"ratelimit_api write=on\""
}
_END_



=== TEST 14: with write=on methods that are unknown stay so
--- http_config
    ratelimit_zone zone=api:64k;
--- config
    location /api { ratelimit_api write=on; allow all; }
--- request eval
["DELETE /api/", "POST /api/keys", "POST /api/overrides", "PUT /api/metrics"]
--- error_code eval
[405, 405, 405, 405]
--- response_headers eval
["Allow: GET, HEAD", "Allow: GET, HEAD, DELETE", "Allow: GET, HEAD, PUT, PATCH, DELETE", "Allow: GET, HEAD"]



=== TEST 15: no page of another origin can write
--- http_config
    ratelimit_zone   zone=api:64k;
    ratelimit_policy token key=$arg_k quota=1/1h;
--- config
    location /api { ratelimit_api write=on; allow all; }
--- request eval
[("DELETE /api/keys?policy=token&key=a") x 10]
--- more_headers eval
["Origin: http://evil.example", "Sec-Fetch-Site: cross-site", "Sec-Fetch-Site: same-site", "Origin: null",
 "Origin: http://localhost\r\nSec-Fetch-Site: same-origin", "Origin: https://LOCALHOST", "Sec-Fetch-Site: none", "Origin: http://localhost:81",
 "Origin: http://localhost\r\nSec-Fetch-Site: cross-site", "X-None: 1"]
--- error_code eval
[403, 403, 403, 403, 200, 200, 200, 403, 403, 200]



=== TEST 16: in a location that anybody may use it is warned of at start
--- http_config
    ratelimit_zone zone=api:64k;
    ratelimit_policy token key=$arg_k quota=1/1h;
--- config
    location /api { ratelimit_api; }
    location /t   { alias $TEST_NGINX_SERVER_ROOT/logs/error.log; default_type text/plain; }
--- response_body_like
\[warn\] .*"ratelimit_api" is open to everybody, no "allow", "deny", "auth_basic" or "auth_request" stands beside it in .*nginx\.conf:\d+
--- no_check_leak



=== TEST 17: of a guarded one nothing is said, wherever the guard stands
--- http_config
    ratelimit_zone zone=api:64k;
    server {
        listen unix:$TEST_NGINX_HTML_DIR/other.sock;
        deny all;
        location / { ratelimit_api; }
    }
--- config
    location /a { ratelimit_api; allow 127.0.0.1; deny all; }
    location /b { ratelimit_api; auth_basic "operators"; auth_basic_user_file html/users; }
    location /c { ratelimit_api; auth_request /auth; }
    location /d { ratelimit_api; internal; }
    location /e { ratelimit_api; allow ::1; }
    location /auth { return 204; }
    location /t { return 200 "ok\n"; }
--- no_error_log
is open to everybody
--- response_body
ok



=== TEST 18: auth_basic off guards nothing
--- http_config
    ratelimit_zone zone=api:64k;
    auth_basic "operators";
    auth_basic_user_file html/users;
--- config
    location /api { ratelimit_api; auth_basic off; }
    location /t   { auth_basic off; alias $TEST_NGINX_SERVER_ROOT/logs/error.log; default_type text/plain; }
--- response_body_like chop
is open to everybody



=== TEST 19: a guard works
--- http_config
    ratelimit_zone zone=api:64k;
--- config
    location /api { ratelimit_api write=on; deny all; }
--- request eval
["GET /api", "GET /api/metrics", "DELETE /api/keys?policy=token&key=a"]
--- error_code eval
[403, 403, 403]



=== TEST 20: it is a location's
--- http_config
    ratelimit_zone zone=api:64k;
--- config
    ratelimit_api;
--- must_die
--- error_log
"ratelimit_api" directive is not allowed here



=== TEST 21: an invalid parameter
--- http_config
    ratelimit_zone zone=api:64k;
--- config
    location /api { ratelimit_api write=yes; }
--- must_die
--- error_log
invalid parameter "write=yes" in "ratelimit_api", it must be write=on, write=off or host=NAME



=== TEST 22: twice
--- http_config
    ratelimit_zone zone=api:64k;
--- config
    location /api { ratelimit_api; ratelimit_api; }
--- must_die
--- error_log
"ratelimit_api" directive is duplicate



=== TEST 23: without any zone there is nothing to show
--- config
    location /api { ratelimit_api; allow all; }
--- request eval
["GET /api", "GET /api/metrics", "GET /api/keys?top=5"]
--- error_code eval
[200, 200, 200]
--- response_body_filters eval
[Api::at("zones.n", "policies.n", "version"), Api::metric("nginx"), Api::at("top_refused.n", "top_admitted.n")]
--- response_body eval
["zones.n: 0\npolicies.n: 0\nversion: $main::version\n", qq{nginx_ratelimit_build_info{version="$main::version",nginx="$main::nginx"} 1\n}, "top_refused.n: 0\ntop_admitted.n: 0\n"]



=== TEST 24: answers to several at once, over HTTP/1.1 pipelining
--- http_config
    ratelimit_zone zone=api:20m;
--- config
    location /api { ratelimit_api; allow all; }
--- pipelined_requests eval
["GET /api/metrics", "GET /api/metrics", "GET /api/metrics", "GET /api/metrics"]
--- error_code eval
[200, 200, 200, 200]
--- response_body_like eval
[("zone_buckets\\{zone=\"api\",state=\"idle\"\\} 0\n") x 4]



=== TEST 25: HTTP/2
--- http_config
    ratelimit_zone   zone=api:64k;
    ratelimit_policy token key=$arg_k quota=1/1h;
--- config
    location /api { ratelimit_api write=on; allow all; }
--- http2
--- request
GET /api/metrics
--- response_body_like
nginx_ratelimit_zone_buckets\{zone="api",state="idle"\} 0



=== TEST 26: a body is read and thrown away
--- http_config
    ratelimit_zone   zone=api:64k;
    ratelimit_policy token key=$arg_k quota=1/1h;
--- config
    location /api { ratelimit_api write=on; allow all; }
--- pipelined_requests eval
["DELETE /api/keys?policy=token&key=a\npolicy=nonsense", "GET /api/keys?policy=token&key=a"]
--- error_code eval
[200, 200]



=== TEST 27: the api can be limited like any other location
--- http_config
    ratelimit_zone   zone=api:64k;
    ratelimit_policy token key=$arg_k quota=1/1h;
--- config
    location /api { ratelimit token if=$arg_k; ratelimit_api; allow all; }
--- request eval
["GET /api", "GET /api", "GET /api/metrics?k=1", "GET /api/metrics?k=1"]
--- error_code eval
[200, 200, 400, 429]



=== TEST 28: it holds in an if block as in its location, whatever kind that is of
--- http_config
    ratelimit_zone   zone=api:64k;
    ratelimit_policy token key=$arg_k quota=1/1h;
--- config
    location /api        { if ($http_x_in) { set $a 1; } ratelimit_api write=on; allow all; }
    location = /exact    { if ($http_x_in) { set $a 1; } ratelimit_api; allow all; }
    location ~ ^/re(/|$) { if ($http_x_in) { set $a 1; } ratelimit_api; allow all; }
    location /named      { return 418; error_page 418 = @api; }
    location @api        { if ($http_x_in) { set $a 1; } ratelimit_api; allow all; }
    location /other      { if ($http_x_in) { return 204; } ratelimit_api; allow all; }
--- more_headers eval
[("X-In: 1") x 7]
--- request eval
["GET /api", "GET /api/metrics", "DELETE /api/keys?policy=token&key=a", "GET /exact", "GET /re/metrics", "GET /named", "GET /other"]
--- error_code eval
[200, 200, 200, 200, 200, 200, 204]
--- response_body_like eval
["zones", "# HELP", "exists", "zones", "# HELP", "zones", '^$']



=== TEST 29: who is allowed by limit_except writes, who is not does not
--- http_config
    ratelimit_zone   zone=api:64k;
    ratelimit_policy token key=$arg_k quota=1/1h;
--- config
    location /api { ratelimit_api write=on; allow all; limit_except GET { allow 127.0.0.1; deny all; } }
    location /no  { ratelimit_api write=on; allow all; limit_except GET { deny all; } }
    location /re  { location ~ { ratelimit_api write=on; allow all; limit_except GET { allow all; } } }
    location /off { ratelimit_api; allow all; limit_except GET { allow all; } }
--- request eval
["GET /api", "PUT /api/overrides?zone=api&scale=50%", "DELETE /api/keys?policy=token&key=a", "POST /api/keys",
 "GET /no/overrides", "DELETE /no/overrides?zone=api", "DELETE /re/overrides?zone=api", "DELETE /off/overrides?zone=api"]
--- error_code eval
[200, 200, 200, 405, 200, 403, 200, 405]



=== TEST 30: the page behind a proxy that renames the host can write
--- http_config
    ratelimit_zone   zone=api:64k;
    ratelimit_policy token key=$arg_k quota=1/1h;
    upstream behind { server $TEST_NGINX_SERVER_PORT; }
--- config
    location /api/ { ratelimit_api write=on; allow all; }
    location /ops/ { proxy_pass http://behind/api/; }
    location /kept/ { proxy_pass http://behind/api/; proxy_set_header Host $http_host; }
--- request eval
[("DELETE /ops/keys?policy=token&key=a") x 3, "DELETE /kept/keys?policy=token&key=a"]
--- more_headers eval
["Origin: http://localhost\r\nSec-Fetch-Site: same-origin", "Origin: http://localhost\r\nSec-Fetch-Site: cross-site", "Origin: http://localhost",
 "Origin: http://localhost"]
--- error_code eval
[200, 403, 403, 200]



=== TEST 31: under a name that an attacker may have pointed here nothing is read or written
--- http_config
    ratelimit_zone   zone=api:64k;
    ratelimit_policy token key=$arg_k quota=1/1h;
--- config
    server_name ops.example *.inside.example .both.example www.end.* ~^re;
    location /api  { ratelimit_api write=on; allow all; }
    location /own  { ratelimit_api write=on host=Dash.example host=*.more.example; allow all; }
    location /any  { ratelimit_api host=*; allow all; }
--- request eval
['GET /api', 'GET /api/metrics', 'GET /api/keys?top=5', 'GET /api', 'GET /api', 'GET /api', 'GET /api', 'GET /api', 'GET /api', 'GET /api', 'GET /api', 'GET /api', 'GET /api', 'GET /api', 'GET /api', 'GET /api', 'GET /api', 'GET /own', 'GET /own', 'GET /own', 'GET /own', 'GET /own', 'GET /any']
--- more_headers eval
['Host: evil.example', 'Host: evil.example:1984', 'Host: evil.example', 'Host: xops.example', 'Host: www.end.evil', 'Host: re.evil.example', 'Host: OPS.example:81', 'Host: a.inside.example', 'Host: inside.example', 'Host: both.example', 'Host: a.both.example', 'Host: 127.0.0.1:8080', 'Host: 192.0.2.1', 'Host: [::1]:80', 'Host: localhost:80', 'Host: app.localhost', 'Host: nginx', 'Host: dash.example', 'Host: x.more.example', 'Host: more.example', 'Host: ops.example', 'Host: evil.example', 'Host: evil.example']
--- error_code eval
[(421) x 6, 200, 200, 421, 200, 200, (200) x 6, 200, 200, 421, 200, 421, 200]
--- response_body_like eval
['is no name that .* answers to, .*host=.* adds one', ('Misdirected Request') x 5, ('.') x 2, 'Misdirected Request', ('.') x 10, 'Misdirected Request', '.', 'Misdirected Request', '.']



=== TEST 32: HTTP/1.0 need not name a host
--- http_config
    ratelimit_zone   zone=api:64k;
--- config
    location /api  { ratelimit_api; allow all; }
--- raw_request eval
"GET /api HTTP/1.0\r\n\r\n"
--- response_body_like chop
zones



=== TEST 33: names that are none
--- http_config
    ratelimit_zone zone=api:64k;
--- config
    location /api { ratelimit_api host=ops.example:80; }
--- must_die
--- error_log
invalid parameter "host=ops.example:80" in "ratelimit_api", it must be a name without a port, "*.NAME", or "*" for any



=== TEST 34: said twice
--- http_config
    ratelimit_zone zone=api:64k;
--- config
    location /api { ratelimit_api write=on write=off; }
--- must_die
--- error_log
duplicate parameter "write=off" in "ratelimit_api"



=== TEST 35: writes are logged, done or refused, with who asked for them
--- http_config
    ratelimit_zone   zone=api:64k;
    ratelimit_policy token key=$arg_k quota=1/1h;
--- config
    location /api { ratelimit_api write=on; allow all; auth_basic ops; auth_basic_user_file $TEST_NGINX_HTML_DIR/users; }
    location /off { ratelimit_api; allow all; }
    location /log { alias $TEST_NGINX_SERVER_ROOT/logs/error.log; default_type text/plain; }
--- user_files
>>> users
alice:{PLAIN}secret
a"b:{PLAIN}secret
--- request eval
["DELETE /api/keys?policy=token&key=topsecret", "PUT /api/overrides?zone=api&scale=50%", "DELETE /api/keys?policy=token&key=topsecret",
 "DELETE /api/keys?policy=no%0apo&key=topsecret", "PUT /api/overrides?zone=api&scale=x", "DELETE /off/keys?policy=token&key=topsecret", "GET /api/keys?policy=none&key=a", "GET /log"]
--- more_headers eval
["Authorization: Basic YWxpY2U6c2VjcmV0", "Authorization: Basic YSJiOnNlY3JldA==", "Authorization: Basic YWxpY2U6c2VjcmV0\r\nSec-Fetch-Site: cross-site",
 ("Authorization: Basic YWxpY2U6c2VjcmV0") x 2, "X-None: 1", "Authorization: Basic YWxpY2U6c2VjcmV0", "X-None: 1"]
--- error_code eval
[200, 200, 403, 404, 400, 405, 404, 200]
--- response_body_filters eval
[(map { Api::any() } 1 .. 7), [RateLimit::lines_like(qr/\[warn\] .*ratelimit: (.*ratelimit_api.*)/), sub { $_[0] =~ s/[0-9a-f]{16}/ID/gr }]]
--- response_body eval
[("") x 7, <<'_END_']
key ID of policy "token" reset (it had no bucket) by "ratelimit_api", user: "alice", client: 127.0.0.1
override of zone "api" set to 50% by "ratelimit_api", user: "a?b", client: 127.0.0.1
DELETE of "keys" refused with 403 (the request comes from a page of another origin) by "ratelimit_api", user: "alice", client: 127.0.0.1
DELETE of "keys" refused with 404 (unknown policy "no?po") by "ratelimit_api", user: "alice", client: 127.0.0.1
PUT of "overrides" refused with 400 (invalid "scale=", it must be a percentage such as "50%" or "12.5%", of 0% to 10000% with at most three decimals) by "ratelimit_api", user: "alice", client: 127.0.0.1
DELETE of "keys" refused with 405 (this cannot be done here, or needs "ratelimit_api write=on") by "ratelimit_api", client: 127.0.0.1
_END_
--- no_error_log
topsecret



=== TEST 36: an answer that takes several turns of the event loop is whole
--- http_config eval
"ratelimit_zone zone=api:64k;" . CORE::join '', map { "ratelimit_policy p$_ key=\$arg_k quota=0/1h;" } 1 .. 300
--- config
    location /t/1 { ratelimit p1; empty_gif; }
    location /t/300 { ratelimit p300; empty_gif; }
    location /api { ratelimit_api write=on; allow all; }
--- init
RateLimit::pipeline(60, sub { ($_[0] % 2 ? "/t/1" : "/t/300") . "?k=$_[0]" });
--- request eval
["GET /api", "GET /api/metrics", "GET /api/keys?top=50", "GET /api/history"]
--- response_body_filters eval
[Api::at("policies.n", "policies.0.name", "policies.32.name", "policies.299.name", "policies.299.requests.refused", "overrides"),
 [sub { my %n; $n{$_}++ for $_[0] =~ /^(nginx_ratelimit_\w+)\{.*policy="p\d+"/mg; return CORE::join '', map { "$_ $n{$_}\n" } sort keys %n }],
 Api::at("top_refused.n", "top_admitted.n"),
 # Ten seconds in which nothing was asked may have ended.
 [@{Api::at("policies.n", "policies.4.name", "policies.4.samples", "policies.299.zone")}, sub { $_[0] =~ s/\[(\[\d+,\d+,0,0,0,0\],?)+\]/[]/r }]]
--- response_body eval
["policies.n: 300\npolicies.0.name: p1\npolicies.32.name: p33\npolicies.299.name: p300\npolicies.299.requests.refused: 30\noverrides: []\n",
 "nginx_ratelimit_banned_keys 300\nnginx_ratelimit_bans_total 300\nnginx_ratelimit_delayed_total 300\nnginx_ratelimit_errors_total 300\nnginx_ratelimit_refunds_total 300\nnginx_ratelimit_requests_total 1200\nnginx_ratelimit_units_total 900\nnginx_ratelimit_used_ratio_bucket 1800\nnginx_ratelimit_used_ratio_count 300\nnginx_ratelimit_used_ratio_sum 300\nnginx_ratelimit_waited_seconds_total 300\nnginx_ratelimit_waiting 300\n",
 "top_refused.n: 50\ntop_admitted.n: 0\n",
 "policies.n: 300\npolicies.4.name: p5\npolicies.4.samples: []\npolicies.299.zone: api\n"]
--- timeout: 10



=== TEST 37: metrics of policies with long names are whole
--- http_config eval
"ratelimit_zone zone=api:64k;" . CORE::join '', map { my $name = 'p' x 200 . $_; "ratelimit_policy $name key=\$arg_k quota=1/1h;" } 1 .. 60
--- config
    location /api { ratelimit_api; allow all; }
--- request
GET /api/metrics
--- response_body_filters eval
[sub { my $lines = () = $_[0] =~ /policy="p{200}\d+"/g; "$lines\n" }]
--- response_body
1320



=== TEST 38: metrics as OpenMetrics for who would rather have that
--- http_config
    ratelimit_zone zone=api:64k;
--- config
    location /api { ratelimit_api; allow all; }
--- request eval
[("GET /api/metrics") x 12]
--- more_headers eval
["Accept: application/openmetrics-text;version=1.0.0;q=0.5,application/openmetrics-text;version=0.0.1;q=0.4,text/plain;version=0.0.4;q=0.3,*/*;q=0.2",
 "Accept: application/openmetrics-text; version=1.0.0; charset=utf-8", "Accept: Application/OpenMetrics-Text", "Accept: text/plain , application/openmetrics-text\t; Version=1.0.0 ;q=1.000,",
 "Accept: application/openmetrics-text;version=1.0.0;q=0.5,text/plain", "Accept: application/openmetrics-text;version=0.0.1", "Accept: application/openmetrics-text;q=0",
 "Accept: application/openmetrics-text;q=much", "Accept: application/openmetrics-texts,xapplication/openmetrics-text", "Accept: */*", "Accept: ;;,,=;q", "X-None: 1"]
--- response_body_filters eval
[([sub { CORE::join '', map { "$_\n" } $_[0] =~ /^(# TYPE nginx_ratelimit_zone_(?:evictions|buckets).*|# EOF)$/mg }]) x 12]
--- response_body eval
[("# TYPE nginx_ratelimit_zone_buckets gauge\n# TYPE nginx_ratelimit_zone_evictions counter\n# EOF\n") x 4,
 ("# TYPE nginx_ratelimit_zone_buckets gauge\n# TYPE nginx_ratelimit_zone_evictions_total counter\n") x 8]
--- response_headers eval
[("Content-Type: application/openmetrics-text; version=1.0.0; charset=utf-8\r\nVary: Accept") x 4,
 ("Content-Type: text/plain; version=0.0.4; charset=utf-8\r\nVary: Accept") x 8]
