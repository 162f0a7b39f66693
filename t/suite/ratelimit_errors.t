use lib 't/lib';
use ConfErrors;
use Test::Nginx::Socket 'no_plan';

run_tests();

__DATA__

=== TEST 142: ratelimit needs a policy
--- directive
    ratelimit;
--- error_log
invalid number of arguments in "ratelimit" directive in


=== TEST 143: ratelimit of an unknown policy
--- directive
    ratelimit nope;
--- error_log
unknown policy "nope" in "ratelimit" in


=== TEST 144: ratelimit of parameters alone
--- directive
    ratelimit methods=GET;
--- error_log
"ratelimit" directive names no policy in


=== TEST 145: ratelimit of Token, which no policy can be called
--- directive
    ratelimit Token;
--- error_log
invalid policy "Token" in "ratelimit", it must be the name of a "ratelimit_policy" in


=== TEST 146: ratelimit of on, which no policy can be called
--- directive
    ratelimit on;
--- error_log
invalid policy "on" in "ratelimit", it must be the name of a "ratelimit_policy" in


=== TEST 147: off behind a policy
--- directive
    ratelimit token off;
--- error_log
invalid policy "off" in "ratelimit", it must be the name of a "ratelimit_policy" in


=== TEST 148: methods that are empty
--- directive
    ratelimit token methods=;
--- error_log
invalid methods "" in "ratelimit", it must be methods in upper case, separated by ",", or "!" and the methods to leave out in


=== TEST 149: methods in lower case
--- directive
    ratelimit token methods=get;
--- error_log
invalid methods "get" in "ratelimit", it must be methods in upper case, separated by ",", or "!" and the methods to leave out in


=== TEST 150: methods with a comma at the end
--- directive
    ratelimit token methods=GET,;
--- error_log
invalid methods "GET," in "ratelimit", it must be methods in upper case, separated by ",", or "!" and the methods to leave out in


=== TEST 151: methods with a comma at the start
--- directive
    ratelimit token methods=,GET;
--- error_log
invalid methods ",GET" in "ratelimit", it must be methods in upper case, separated by ",", or "!" and the methods to leave out in


=== TEST 152: methods that leave nothing out
--- directive
    ratelimit token methods=!;
--- error_log
invalid methods "!" in "ratelimit", it must be methods in upper case, separated by ",", or "!" and the methods to leave out in


=== TEST 153: methods half of them left out
--- directive
    ratelimit token methods=GET,!POST;
--- error_log
invalid methods "GET,!POST" in "ratelimit", it must be methods in upper case, separated by ",", or "!" and the methods to leave out in


=== TEST 154: methods with a blank
--- directive
    ratelimit token "methods=GET POST";
--- error_log
invalid methods "GET POST" in "ratelimit", it must be methods in upper case, separated by ",", or "!" and the methods to leave out in


=== TEST 155: a constant cost that is empty
--- directive
    ratelimit token cost=;
--- error_log
invalid cost "" in "ratelimit", it must be an integer of 0 to 999999999999999 in


=== TEST 156: a constant cost below zero
--- directive
    ratelimit token cost=-1;
--- error_log
invalid cost "-1" in "ratelimit", it must be an integer of 0 to 999999999999999 in


=== TEST 157: a constant cost that is none
--- directive
    ratelimit token cost=x;
--- error_log
invalid cost "x" in "ratelimit", it must be an integer of 0 to 999999999999999 in


=== TEST 158: a constant cost of one and a half
--- directive
    ratelimit token cost=1.5;
--- error_log
invalid cost "1.5" in "ratelimit", it must be an integer of 0 to 999999999999999 in


=== TEST 159: a constant cost above the maximum
--- directive
    ratelimit token cost=1000000000000000;
--- error_log
invalid cost "1000000000000000" in "ratelimit", it must be an integer of 0 to 999999999999999 in


=== TEST 160: a line's dry_run of ""
--- directive
    ratelimit token dry_run=;
--- error_log
invalid dry_run "" in "ratelimit", it must be on, off or a variable in


=== TEST 161: a line's dry_run of "yes"
--- directive
    ratelimit token dry_run=yes;
--- error_log
invalid dry_run "yes" in "ratelimit", it must be on, off or a variable in


=== TEST 162: a line's dry_run of "1"
--- directive
    ratelimit token dry_run=1;
--- error_log
invalid dry_run "1" in "ratelimit", it must be on, off or a variable in


=== TEST 163: a phase of ""
--- directive
    ratelimit token phase=;
--- error_log
invalid phase "" in "ratelimit", it must be preaccess or precontent in


=== TEST 164: a phase of "access"
--- directive
    ratelimit token phase=access;
--- error_log
invalid phase "access" in "ratelimit", it must be preaccess or precontent in


=== TEST 165: methods= of a line twice
--- directive
    ratelimit token methods=GET methods=POST;
--- error_log
duplicate parameter "methods=POST" in "ratelimit" in


=== TEST 166: if= of a line twice
--- directive
    ratelimit token if=1 if=0;
--- error_log
duplicate parameter "if=0" in "ratelimit" in


=== TEST 167: cost= of a line twice
--- directive
    ratelimit token cost=1 cost=2;
--- error_log
duplicate parameter "cost=2" in "ratelimit" in


=== TEST 168: dry_run= of a line twice
--- directive
    ratelimit token dry_run=on dry_run=off;
--- error_log
duplicate parameter "dry_run=off" in "ratelimit" in


=== TEST 169: phase= of a line twice
--- directive
    ratelimit token phase=preaccess phase=precontent;
--- error_log
duplicate parameter "phase=precontent" in "ratelimit" in


=== TEST 170: an unknown parameter of a line
--- directive
    ratelimit token foo=1;
--- error_log
invalid parameter "foo=1" in "ratelimit", it must be one of methods=, if=, cost=, 


=== TEST 171: ratelimit off with token
--- directive
    ratelimit off token;
--- error_log
invalid parameter "token" in "ratelimit", it must not stand beside off in


=== TEST 172: ratelimit off with methods=GET
--- directive
    ratelimit off methods=GET;
--- error_log
invalid parameter "methods=GET" in "ratelimit", it must not stand beside off in


=== TEST 173: ratelimit off with off
--- directive
    ratelimit off off;
--- error_log
invalid parameter "off" in "ratelimit", it must not stand beside off in


=== TEST 174: ratelimit off behind another line
--- directive
    ratelimit token;
    ratelimit off;
--- error_log
"ratelimit" directive off cannot stand beside other "ratelimit" lines in


=== TEST 175: ratelimit off before another line
--- directive
    ratelimit off;
    ratelimit token;
--- error_log
"ratelimit" directive off cannot stand beside other "ratelimit" lines in


=== TEST 176: a variable in a line's if= that does not exist
--- directive
    ratelimit token if=$nosuch;
--- error_log
unknown "nosuch" variable


=== TEST 177: a variable in a line's cost= that does not exist
--- directive
    ratelimit token cost=$nosuch;
--- error_log
unknown "nosuch" variable


=== TEST 178: a variable in a line's dry_run= that does not exist
--- directive
    ratelimit token dry_run=$nosuch;
--- error_log
unknown "nosuch" variable


=== TEST 179: ratelimit inside if
--- directive
    location /t { if ($arg_x) { ratelimit token; } }
--- error_log
"ratelimit" directive is not allowed here in


=== TEST 180: ratelimit inside limit_except
--- directive
    location /t { limit_except GET { ratelimit token; } }
--- error_log
"ratelimit" directive is not allowed here in


=== TEST 263: more than 128 policies decide one request
--- http_config eval
"ratelimit_zone zone=api:64k;\n"
. CORE::join('', map { "ratelimit_policy p$_ key=\$arg_k quota=1/1h;\n" } 1 .. 129)
--- config eval
CORE::join('', map { "ratelimit p$_;\n" } 1 .. 129)
--- error_log
more than 128 policies decide one request in


=== TEST 264: more than 128, of two levels together
--- http_config eval
"ratelimit_zone zone=api:64k;\nratelimit_inherit merge;\n"
. CORE::join('', map { "ratelimit_policy p$_ key=\$arg_k quota=1/1h;\n" } 1 .. 129)
--- config eval
CORE::join('', map { "ratelimit p$_;\n" } 1 .. 100)
. "location /t {" . CORE::join('', map { "ratelimit p$_;\n" } 101 .. 129) . "}"
--- error_log
more than 128 policies decide one request in


=== TEST 351: a policy twice on one line
--- directive
    location /t { ratelimit token token; }
--- error_log
duplicate parameter "token" in "ratelimit" in


=== TEST 352: settle_at= of anything but the end
--- directive
    ratelimit token settle=$bytes_sent settle_at=start;
--- error_log
invalid settle_at "start" in "ratelimit", it must be end in


=== TEST 353: settle_at= without settle=
--- directive
    ratelimit token settle_at=end;
--- error_log
"ratelimit" directive has "settle_at=", "settle_every=" or "unit=" without "settle=" in


=== TEST 354: settle_every= without settle_at=end
--- directive
    ratelimit token settle=$bytes_sent settle_every=1s;
--- error_log
"ratelimit" directive has "settle_every=" without "settle_at=end" in


=== TEST 355: settle_every= of no time
--- directive
    ratelimit token settle=$bytes_sent settle_at=end settle_every=1ms;
--- error_log
invalid settle_every "1ms" in "ratelimit", it must be a time of 1s to 1d in


=== TEST 356: unit= of anything but ms
--- directive
    ratelimit token settle=$request_time unit=s;
--- error_log
invalid unit "s" in "ratelimit", it must be ms in


=== TEST 357: settle= of a constant that is none
--- directive
    ratelimit token settle=2.5;
--- error_log
invalid settle "2.5" in "ratelimit", it must be an integer of 0 to 999999999999999 in
