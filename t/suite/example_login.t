# conf-examples/login.conf, as it stands.

use lib 't/lib';
use Example;
use Test::Nginx::Socket 'no_plan';
use MIME::Base64;

# What stands for the token here is user and password.
$Example::Credential = sub { return (Authorization => 'Basic ' . encode_base64($_[0], '')) };

run_tests();

__DATA__

=== TEST 1: five failures, then the address is kept out, with the right password as well
--- example: login.conf
--- traffic
3 GET /login Ada:secret: 200
5 GET /login Ada:guess: 401
1 GET /login Ada:guess: 429 5 0 600
1 GET /login Ada:secret: 429 5 0 600
1 GET / Ada:secret: 200
1 GET /login Ada:secret from 127.0.0.2: 200



=== TEST 2: it lasts longer than its failures count
--- example: login.conf
--- windows: 10m=2s
--- traffic
5 GET /login Ada:guess: 401
1 GET /login Ada:guess: 429 5 0 600
wait 2.5
1 GET /login Ada:secret: 429 5 0 59\d



=== TEST 3: many addresses, one user, in any case
--- example: login.conf
--- traffic
4 GET /login ada:guess from 127.0.0.3: 401
4 GET /login Ada:guess from 127.0.0.4: 401
4 GET /login ADA:guess from 127.0.0.5: 401
4 GET /login Ada:guess from 127.0.0.6: 401
4 GET /login Ada:guess from 127.0.0.7: 401
1 GET /login Ada:secret from 127.0.0.8: 429 20 0 1[78]\d
1 GET /login Bob:guess from 127.0.0.8: 401
