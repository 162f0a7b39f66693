# What is valid and cannot do what was meant by it is said at start.

use lib 't/lib';
use RateLimit;
use Test::Nginx::Socket 'no_plan';

run_tests();

__DATA__

=== TEST 1: a zone without a policy, a policy without a line
--- http_config
    ratelimit_zone   zone=api:64k;
    ratelimit_zone   zone=spare:64k;
    ratelimit_policy used key=$arg_k quota=5/1h zone=api;
    ratelimit_policy forgotten key=$arg_k quota=5/1h zone=api;
--- config
    location /t { ratelimit used; empty_gif; }
--- request
GET /t?k=a
--- error_log
"ratelimit_zone" "spare" holds nothing, no "ratelimit_policy" is in it in
"ratelimit_policy" "forgotten" limits nothing, no "ratelimit" line names it in
--- no_error_log
"api" holds nothing
"used" limits nothing



=== TEST 2: a variable's name in place of the variable
--- http_config
    ratelimit_zone   zone=api:64k;
    ratelimit_policy bare key=remote_addr quota=5/1h;
    ratelimit_policy all key=everybody quota=5/1h;
    ratelimit_policy source key=header=X-Key quota=5/1h;
--- config
    location /t { ratelimit bare all source; empty_gif; }
--- request
GET /t
--- error_log
"key=remote_addr" of the "ratelimit_policy" "bare" is one key for all requests, the variable is "$remote_addr" in
"key=header=X-Key" of the "ratelimit_policy" "source" is one key for all requests, "header=X-Key" is for a "ratelimit_key" in
--- no_error_log
key=everybody



=== TEST 3: costs that the quota never has
--- http_config
    ratelimit_zone   zone=api:64k;
    ratelimit_policy quota key=$arg_k quota=5/1h;
    ratelimit_policy capacity key=$arg_k quota=5/1h algorithm=gcra capacity=9;
--- config
    location /t { ratelimit quota cost=6; empty_gif; }
    location /u { ratelimit quota cost=5; ratelimit capacity cost=9; empty_gif; }
    location /v { ratelimit capacity cost=10; empty_gif; }
--- request
GET /t?k=a
--- error_code: 429
--- error_log
"cost=6" is above the 5 units that the "ratelimit_policy" "quota" ever has, so that each request is refused in
"cost=10" is above the 9 units that the "ratelimit_policy" "capacity" ever has, so that each request is refused in
--- no_error_log
"cost=5"
"cost=9"



=== TEST 4: what is not known yet when it is read
--- http_config
    ratelimit_zone   zone=api:64k;
    ratelimit_policy bytes key=$arg_k quota=5000/1h;
--- config
    location /t { ratelimit bytes settle=$bytes_sent; empty_gif; }
    location /u { ratelimit bytes settle=$sent_http_x_cost; empty_gif; }
--- request
GET /u?k=a
--- error_log
"settle=$bytes_sent" is 0 for every response, since it is read before the header is sent; "settle_at=end" reads it behind the response in
--- no_error_log
$sent_http_x_cost



=== TEST 5: a field that nginx drops
--- http_config
    ratelimit_zone   zone=api:64k;
    ratelimit_key    $one header=X_Api_Key;
    ratelimit_key    $two header=X_Other_Key names=cgi;
    ratelimit_policy one key=$one quota=5/1h;
    ratelimit_policy two key=$two quota=5/1h;
--- config
    location /t { ratelimit one two; empty_gif; }
--- request
GET /t
--- error_log
"header=X_Api_Key" of the "ratelimit_key" "$one" matches no request without "underscores_in_headers on" in
--- no_error_log
X_Other_Key



=== TEST 6: nor does it where a server takes them
--- http_config
    ratelimit_zone   zone=api:64k;
    ratelimit_key    $one header=X_Api_Key;
    ratelimit_policy one key=$one quota=5/1h;
--- config
    underscores_in_headers on;
    location /t { ratelimit one; empty_gif; }
--- request
GET /t
--- no_error_log
X_Api_Key



=== TEST 7: a ban that is over before the quota's own refusal is
--- http_config
    ratelimit_zone   zone=api:64k;
    ratelimit_policy short   key=$arg_k quota=5/1m ban=59s,1h;
    ratelimit_policy paced   key=$arg_k quota=6/1m ban=9999ms algorithm=gcra;
    ratelimit_policy long    key=$arg_k quota=5/1m ban=1m;
    ratelimit_policy paced_x key=$arg_k quota=6/1m ban=10s algorithm=gcra;
    ratelimit_policy unknown key=$arg_k quota=$arg_q ban=1s;
    ratelimit_policy scaled  key=$arg_k quota=6/1m scale=$arg_s ban=1s algorithm=gcra;
    ratelimit_policy nobody  key=$arg_k quota=0/1m ban=1s;
--- config
    location /t { ratelimit short paced long paced_x unknown scaled nobody; return 204; }
    location /i { ratelimit long; empty_gif; }
--- request
GET /i
--- grep_error_log eval
qr/"ban=.*anyway/
--- grep_error_log_out
"ban=" of the "ratelimit_policy" "short" begins with 59.000s, its quota of 5/1m keeps out for 60.000s anyway
"ban=" of the "ratelimit_policy" "paced" begins with 9.999s, its quota of 6/1m keeps out for 10.000s anyway
