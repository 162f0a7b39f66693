use lib 't/lib';
use ConfErrors;
use Test::Nginx::Socket 'no_plan';

run_tests();

__DATA__

=== TEST 16: ratelimit_key needs a variable and a source
--- http_config
    ratelimit_key $client;
--- error_log
invalid number of arguments in "ratelimit_key" directive in


=== TEST 17: ratelimit_key without a dollar
--- http_config
    ratelimit_key client addr;
--- error_log
invalid variable "client" in "ratelimit_key", it must be "$" and a name in


=== TEST 18: ratelimit_key of a dollar alone
--- http_config
    ratelimit_key $ addr;
--- error_log
invalid variable "$" in "ratelimit_key", it must be "$" and a name in


=== TEST 19: ratelimit_key with untagged alone
--- http_config
    ratelimit_key $client untagged;
--- error_log
"ratelimit_key" directive needs a source in


=== TEST 20: ratelimit_key with untagged twice
--- http_config
    ratelimit_key $client addr untagged untagged;
--- error_log
duplicate parameter "untagged" in "ratelimit_key" in


=== TEST 21: ratelimit_key, an unknown source
--- http_config
    ratelimit_key $client nonsense;
--- error_log
invalid source "nonsense" in "ratelimit_key", it must be "bearer", "basic", "header=NAME", "arg=NAME", "cookie=NAME", "jwt=CLAIM", "addr[=V4/V6]" or "$variable" in


=== TEST 22: ratelimit_key, bearer with a value
--- http_config
    ratelimit_key $client bearer=x;
--- error_log
invalid source "bearer=x" in "ratelimit_key", it must be "bearer", "basic", "header=NAME", "arg=NAME", "cookie=NAME", "jwt=CLAIM", "addr[=V4/V6]" or "$variable" in


=== TEST 23: ratelimit_key, basic with a value
--- http_config
    ratelimit_key $client basic=x;
--- error_log
invalid source "basic=x" in "ratelimit_key", it must be "bearer", "basic", "header=NAME", "arg=NAME", "cookie=NAME", "jwt=CLAIM", "addr[=V4/V6]" or "$variable" in


=== TEST 24: ratelimit_key, header without a name
--- http_config
    ratelimit_key $client header;
--- error_log
invalid source "header" in "ratelimit_key", it must be "bearer", "basic", "header=NAME", "arg=NAME", "cookie=NAME", "jwt=CLAIM", "addr[=V4/V6]" or "$variable" in


=== TEST 25: ratelimit_key, arg without a name
--- http_config
    ratelimit_key $client arg;
--- error_log
invalid source "arg" in "ratelimit_key", it must be "bearer", "basic", "header=NAME", "arg=NAME", "cookie=NAME", "jwt=CLAIM", "addr[=V4/V6]" or "$variable" in


=== TEST 26: ratelimit_key, cookie without a name
--- http_config
    ratelimit_key $client cookie;
--- error_log
invalid source "cookie" in "ratelimit_key", it must be "bearer", "basic", "header=NAME", "arg=NAME", "cookie=NAME", "jwt=CLAIM", "addr[=V4/V6]" or "$variable" in


=== TEST 27: ratelimit_key, jwt without a claim
--- http_config
    ratelimit_key $client jwt;
--- error_log
invalid source "jwt" in "ratelimit_key", it must be "bearer", "basic", "header=NAME", "arg=NAME", "cookie=NAME", "jwt=CLAIM", "addr[=V4/V6]" or "$variable" in


=== TEST 28: ratelimit_key, a source in upper case
--- http_config
    ratelimit_key $client Bearer;
--- error_log
invalid source "Bearer" in "ratelimit_key", it must be "bearer", "basic", "header=NAME", "arg=NAME", "cookie=NAME", "jwt=CLAIM", "addr[=V4/V6]" or "$variable" in


=== TEST 29: ratelimit_key, header with an empty name
--- http_config
    ratelimit_key $client header=;
--- error_log
invalid source "header=" in "ratelimit_key", it must have a name of letters, digits and !#$%&'*+-.^_`|~ behind the = in


=== TEST 30: ratelimit_key, header with a colon in its name
--- http_config
    ratelimit_key $client header=a:b;
--- error_log
invalid source "header=a:b" in "ratelimit_key", it must have a name of letters, digits and !#$%&'*+-.^_`|~ behind the = in


=== TEST 31: ratelimit_key, cookie with an empty name
--- http_config
    ratelimit_key $client cookie=;
--- error_log
invalid source "cookie=" in "ratelimit_key", it must have a name of letters, digits and !#$%&'*+-.^_`|~ behind the = in


=== TEST 32: ratelimit_key, cookie with a comma in its name
--- http_config
    ratelimit_key $client cookie=a,b;
--- error_log
invalid source "cookie=a,b" in "ratelimit_key", it must have a name of letters, digits and !#$%&'*+-.^_`|~ behind the = in


=== TEST 33: ratelimit_key, arg= with nothing behind it
--- http_config
    ratelimit_key $client arg=;
--- error_log
invalid source "arg=" in "ratelimit_key", it must have a name behind the = in


=== TEST 34: ratelimit_key, jwt= with nothing behind it
--- http_config
    ratelimit_key $client jwt=;
--- error_log
invalid source "jwt=" in "ratelimit_key", it must have a name behind the = in


=== TEST 35: ratelimit_key, addr=
--- http_config
    ratelimit_key $client addr=;
--- error_log
invalid source "addr=" in "ratelimit_key", it must be "addr=V4/V6" with prefix lengths of 0 to 32 and 0 to 128 in


=== TEST 36: ratelimit_key, addr=24
--- http_config
    ratelimit_key $client addr=24;
--- error_log
invalid source "addr=24" in "ratelimit_key", it must be "addr=V4/V6" with prefix lengths of 0 to 32 and 0 to 128 in


=== TEST 37: ratelimit_key, addr=33/64
--- http_config
    ratelimit_key $client addr=33/64;
--- error_log
invalid source "addr=33/64" in "ratelimit_key", it must be "addr=V4/V6" with prefix lengths of 0 to 32 and 0 to 128 in


=== TEST 38: ratelimit_key, addr=24/129
--- http_config
    ratelimit_key $client addr=24/129;
--- error_log
invalid source "addr=24/129" in "ratelimit_key", it must be "addr=V4/V6" with prefix lengths of 0 to 32 and 0 to 128 in


=== TEST 39: ratelimit_key, addr=24/
--- http_config
    ratelimit_key $client addr=24/;
--- error_log
invalid source "addr=24/" in "ratelimit_key", it must be "addr=V4/V6" with prefix lengths of 0 to 32 and 0 to 128 in


=== TEST 40: ratelimit_key, addr=/64
--- http_config
    ratelimit_key $client addr=/64;
--- error_log
invalid source "addr=/64" in "ratelimit_key", it must be "addr=V4/V6" with prefix lengths of 0 to 32 and 0 to 128 in


=== TEST 41: ratelimit_key, addr=a/b
--- http_config
    ratelimit_key $client addr=a/b;
--- error_log
invalid source "addr=a/b" in "ratelimit_key", it must be "addr=V4/V6" with prefix lengths of 0 to 32 and 0 to 128 in


=== TEST 42: ratelimit_key, addr=-1/64
--- http_config
    ratelimit_key $client addr=-1/64;
--- error_log
invalid source "addr=-1/64" in "ratelimit_key", it must be "addr=V4/V6" with prefix lengths of 0 to 32 and 0 to 128 in


=== TEST 43: ratelimit_key, a dollar without a name
--- http_config
    ratelimit_key $client $;
--- error_log
invalid source "$" in "ratelimit_key", it must be "$variable" with a name of letters, digits and "_" in


=== TEST 44: ratelimit_key, nothing between two bars
--- http_config
    ratelimit_key $client bearer||addr;
--- error_log
invalid source "" in "ratelimit_key", it must be "bearer", "basic", "header=NAME", "arg=NAME", "cookie=NAME", "jwt=CLAIM", "addr[=V4/V6]" or "$variable" in


=== TEST 45: ratelimit_key, nothing before a bar
--- http_config
    ratelimit_key $client |bearer;
--- error_log
invalid source "" in "ratelimit_key", it must be "bearer", "basic", "header=NAME", "arg=NAME", "cookie=NAME", "jwt=CLAIM", "addr[=V4/V6]" or "$variable" in


=== TEST 46: ratelimit_key, nothing behind a bar
--- http_config
    ratelimit_key $client bearer|;
--- error_log
invalid source "" in "ratelimit_key", it must be "bearer", "basic", "header=NAME", "arg=NAME", "cookie=NAME", "jwt=CLAIM", "addr[=V4/V6]" or "$variable" in


=== TEST 47: ratelimit_key, a variable that does not exist
--- http_config
    ratelimit_key $client $nosuch;
--- error_log
unknown "nosuch" variable


=== TEST 48: ratelimit_key of a variable that nginx has
--- http_config
    ratelimit_key $remote_addr addr;
--- error_log
the duplicate "remote_addr" variable in


=== TEST 49: ratelimit_key twice for one variable
--- http_config
    ratelimit_key $client addr;
    ratelimit_key $client bearer;
--- error_log
the duplicate "client" variable in


=== TEST 50: ratelimit_key is for http
--- directive
    ratelimit_key $c addr;
--- error_log
"ratelimit_key" directive is not allowed here in


=== TEST 273: ratelimit_key, names= of another name
--- http_config
    ratelimit_key $client addr names=php;
--- error_log
invalid names "php" in "ratelimit_key", it must be "cgi" in


=== TEST 274: ratelimit_key, names= with nothing behind it
--- http_config
    ratelimit_key $client addr names=;
--- error_log
invalid names "" in "ratelimit_key", it must be "cgi" in


=== TEST 275: ratelimit_key, names= twice
--- http_config
    ratelimit_key $client addr names=cgi names=cgi;
--- error_log
duplicate parameter "names=cgi" in "ratelimit_key" in


=== TEST 276: ratelimit_key, lower twice
--- http_config
    ratelimit_key $client addr lower lower;
--- error_log
duplicate parameter "lower" in "ratelimit_key" in


=== TEST 277: ratelimit_key, lower alone
--- http_config
    ratelimit_key $client lower names=cgi;
--- error_log
"ratelimit_key" directive needs a source in


=== TEST 278: ratelimit_key, a name that names=cgi leaves nothing of
--- http_config
    ratelimit_key $client names=cgi arg=[key];
--- error_log
invalid name "[key]" in "ratelimit_key", it must not be empty as "names=cgi" reads it in


=== TEST 285: a ratelimit_key that is its own source
--- http_config
    ratelimit_zone   zone=api:64k;
    ratelimit_key    $client addr $client;
--- error_log eval
qr/\[emerg\].*"ratelimit_key" "\$client" must not depend on itself, as it does by "\$client" in .*nginx.conf:\d+/


=== TEST 286: two that are each other's
--- http_config
    ratelimit_zone   zone=api:64k;
    ratelimit_key    $one addr $two;
    ratelimit_key    $two $ONE;
    ratelimit_policy token key=$two quota=1/1h;
--- error_log eval
qr/\[emerg\].*"ratelimit_key" "\$two" must not depend on itself, as it does by "\$two" in .*nginx.conf:\d+/
