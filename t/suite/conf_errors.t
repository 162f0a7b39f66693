use lib 't/lib';
use RateLimit;
use Test::Nginx::Socket 'no_plan';

# Every block is a configuration that nginx must refuse.  "--- directive" is a
# line of the server beside one zone and one policy, where a block says nothing
# else.
add_block_preprocessor(sub {
    my $block = shift;

    $block->set_value('must_die', '');
    $block->set_value('config', $block->directive) if defined $block->directive;
    $block->set_value('http_config', <<'_END_') if !defined $block->http_config;
    ratelimit_zone   zone=api:64k;
    ratelimit_policy token key=$arg_k quota=1/1h;
_END_
});

run_tests();

__DATA__

=== TEST 1: ratelimit_zone needs a parameter
--- http_config
    ratelimit_zone;
--- error_log
invalid number of arguments in "ratelimit_zone" directive in



=== TEST 2: ratelimit_zone without a size
--- http_config
    ratelimit_zone zone=api;
--- error_log
invalid zone "api" in "ratelimit_zone", it must be NAME:SIZE with a SIZE such as 64m, at least 64k in



=== TEST 3: ratelimit_zone without anything
--- http_config
    ratelimit_zone zone=;
--- error_log
invalid zone "" in "ratelimit_zone", it must be NAME:SIZE with a SIZE such as 64m, at least 64k in



=== TEST 4: ratelimit_zone without a name
--- http_config
    ratelimit_zone zone=:64k;
--- error_log
invalid zone ":64k" in "ratelimit_zone", it must be NAME:SIZE with a SIZE such as 64m, at least 64k in



=== TEST 5: ratelimit_zone with an empty size
--- http_config
    ratelimit_zone zone=api:;
--- error_log
invalid zone "api:" in "ratelimit_zone", it must be NAME:SIZE with a SIZE such as 64m, at least 64k in



=== TEST 6: ratelimit_zone of less than 64k
--- http_config
    ratelimit_zone zone=api:63k;
--- error_log
invalid zone "api:63k" in "ratelimit_zone", it must be NAME:SIZE with a SIZE such as 64m, at least 64k in



=== TEST 7: ratelimit_zone of size 0
--- http_config
    ratelimit_zone zone=api:0;
--- error_log
invalid zone "api:0" in "ratelimit_zone", it must be NAME:SIZE with a SIZE such as 64m, at least 64k in



=== TEST 8: ratelimit_zone of negative size
--- http_config
    ratelimit_zone zone=api:-1;
--- error_log
invalid zone "api:-1" in "ratelimit_zone", it must be NAME:SIZE with a SIZE such as 64m, at least 64k in



=== TEST 9: ratelimit_zone of a size that is none
--- http_config
    ratelimit_zone zone=api:lots;
--- error_log
invalid zone "api:lots" in "ratelimit_zone", it must be NAME:SIZE with a SIZE such as 64m, at least 64k in



=== TEST 10: ratelimit_zone of a size that overflows
--- http_config
    ratelimit_zone zone=api:99999999999999g;
--- error_log
invalid zone "api:99999999999999g" in "ratelimit_zone", it must be NAME:SIZE with a SIZE such as 64m, at least 64k in



=== TEST 11: ratelimit_zone with zone= twice
--- http_config
    ratelimit_zone zone=api:64k zone=b:64k;
--- error_log
duplicate parameter "zone=b:64k" in "ratelimit_zone" in



=== TEST 12: ratelimit_zone with an unknown parameter
--- http_config
    ratelimit_zone zone=api:64k size=1m;
--- error_log
invalid parameter "size=1m" in "ratelimit_zone", it must be 



=== TEST 13: ratelimit_zone with a bare name
--- http_config
    ratelimit_zone api:64k;
--- error_log
invalid parameter "api:64k" in "ratelimit_zone", it must be 



=== TEST 14: two zones of one name
--- http_config
    ratelimit_zone zone=api:64k;
    ratelimit_zone zone=api:1m;
--- error_log
duplicate zone "api" in "ratelimit_zone" in



=== TEST 15: ratelimit_zone is for http
--- directive
    ratelimit_zone zone=b:64k;
--- error_log
"ratelimit_zone" directive is not allowed here in



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



=== TEST 51: ratelimit_policy needs a name
--- http_config
    ratelimit_zone   zone=api:64k;
    ratelimit_policy;
--- error_log
invalid number of arguments in "ratelimit_policy" directive in



=== TEST 52: a policy needs a key
--- http_config
    ratelimit_zone   zone=api:64k;
    ratelimit_policy token quota=1/1h;
--- error_log
"ratelimit_policy" "token" has no "key=" in



=== TEST 53: a policy needs a quota
--- http_config
    ratelimit_zone   zone=api:64k;
    ratelimit_policy token key=$arg_k;
--- error_log
"ratelimit_policy" "token" has no "quota=" in



=== TEST 54: a policy may not be called on
--- http_config
    ratelimit_zone   zone=api:64k;
    ratelimit_policy on key=$arg_k quota=1/1h;
--- error_log
invalid name "on" in "ratelimit_policy", it must be lower-case letters, digits and "_", begin with a letter, and be neither "on" nor "off" nor begin with "at" in



=== TEST 55: a policy may not be called off
--- http_config
    ratelimit_zone   zone=api:64k;
    ratelimit_policy off key=$arg_k quota=1/1h;
--- error_log
invalid name "off" in "ratelimit_policy", it must be lower-case letters, digits and "_", begin with a letter, and be neither "on" nor "off" nor begin with "at" in



=== TEST 56: a policy may not be called at
--- http_config
    ratelimit_zone   zone=api:64k;
    ratelimit_policy at key=$arg_k quota=1/1h;
--- error_log
invalid name "at" in "ratelimit_policy", it must be lower-case letters, digits and "_", begin with a letter, and be neither "on" nor "off" nor begin with "at" in



=== TEST 57: a policy may not be called at_all
--- http_config
    ratelimit_zone   zone=api:64k;
    ratelimit_policy at_all key=$arg_k quota=1/1h;
--- error_log
invalid name "at_all" in "ratelimit_policy", it must be lower-case letters, digits and "_", begin with a letter, and be neither "on" nor "off" nor begin with "at" in



=== TEST 58: a policy may not be called attic
--- http_config
    ratelimit_zone   zone=api:64k;
    ratelimit_policy attic key=$arg_k quota=1/1h;
--- error_log
invalid name "attic" in "ratelimit_policy", it must be lower-case letters, digits and "_", begin with a letter, and be neither "on" nor "off" nor begin with "at" in



=== TEST 59: a policy may not be called Token
--- http_config
    ratelimit_zone   zone=api:64k;
    ratelimit_policy Token key=$arg_k quota=1/1h;
--- error_log
invalid name "Token" in "ratelimit_policy", it must be lower-case letters, digits and "_", begin with a letter, and be neither "on" nor "off" nor begin with "at" in



=== TEST 60: a policy may not be called 1st
--- http_config
    ratelimit_zone   zone=api:64k;
    ratelimit_policy 1st key=$arg_k quota=1/1h;
--- error_log
invalid name "1st" in "ratelimit_policy", it must be lower-case letters, digits and "_", begin with a letter, and be neither "on" nor "off" nor begin with "at" in



=== TEST 61: a policy may not be called _a
--- http_config
    ratelimit_zone   zone=api:64k;
    ratelimit_policy _a key=$arg_k quota=1/1h;
--- error_log
invalid name "_a" in "ratelimit_policy", it must be lower-case letters, digits and "_", begin with a letter, and be neither "on" nor "off" nor begin with "at" in



=== TEST 62: a policy may not be called a-b
--- http_config
    ratelimit_zone   zone=api:64k;
    ratelimit_policy a-b key=$arg_k quota=1/1h;
--- error_log
invalid name "a-b" in "ratelimit_policy", it must be lower-case letters, digits and "_", begin with a letter, and be neither "on" nor "off" nor begin with "at" in



=== TEST 63: a policy may not be called a.b
--- http_config
    ratelimit_zone   zone=api:64k;
    ratelimit_policy a.b key=$arg_k quota=1/1h;
--- error_log
invalid name "a.b" in "ratelimit_policy", it must be lower-case letters, digits and "_", begin with a letter, and be neither "on" nor "off" nor begin with "at" in



=== TEST 64: a policy may not have an empty name
--- http_config
    ratelimit_zone   zone=api:64k;
    ratelimit_policy "" key=$arg_k quota=1/1h;
--- error_log
invalid name "" in "ratelimit_policy", it must be lower-case letters, digits and "_", begin with a letter, and be neither "on" nor "off" nor begin with "at" in



=== TEST 65: a quota without a window
--- http_config
    ratelimit_zone   zone=api:64k;
    ratelimit_policy token key=$arg_k quota=600;
--- error_log
invalid quota "600" in "ratelimit_policy", it must be UNITS/WINDOW such as "600/60s", of 0 to 999999999 units and a window of 1ms to 366d in ms, s, m, h or d, or "unlimited" in



=== TEST 66: a quota with an empty window
--- http_config
    ratelimit_zone   zone=api:64k;
    ratelimit_policy token key=$arg_k quota=600/;
--- error_log
invalid quota "600/" in "ratelimit_policy", it must be UNITS/WINDOW such as "600/60s", of 0 to 999999999 units and a window of 1ms to 366d in ms, s, m, h or d, or "unlimited" in



=== TEST 67: a quota without units
--- http_config
    ratelimit_zone   zone=api:64k;
    ratelimit_policy token key=$arg_k quota=/60s;
--- error_log
invalid quota "/60s" in "ratelimit_policy", it must be UNITS/WINDOW such as "600/60s", of 0 to 999999999 units and a window of 1ms to 366d in ms, s, m, h or d, or "unlimited" in



=== TEST 68: a quota of a window without a unit
--- http_config
    ratelimit_zone   zone=api:64k;
    ratelimit_policy token key=$arg_k quota=600/60;
--- error_log
invalid quota "600/60" in "ratelimit_policy", it must be UNITS/WINDOW such as "600/60s", of 0 to 999999999 units and a window of 1ms to 366d in ms, s, m, h or d, or "unlimited" in



=== TEST 69: a quota of a window with an unknown unit
--- http_config
    ratelimit_zone   zone=api:64k;
    ratelimit_policy token key=$arg_k quota=600/60x;
--- error_log
invalid quota "600/60x" in "ratelimit_policy", it must be UNITS/WINDOW such as "600/60s", of 0 to 999999999 units and a window of 1ms to 366d in ms, s, m, h or d, or "unlimited" in



=== TEST 70: a quota with a blank
--- http_config
    ratelimit_zone   zone=api:64k;
    ratelimit_policy token key=$arg_k "quota=600/60 s";
--- error_log
invalid quota "600/60 s" in "ratelimit_policy", it must be UNITS/WINDOW such as "600/60s", of 0 to 999999999 units and a window of 1ms to 366d in ms, s, m, h or d, or "unlimited" in



=== TEST 71: a quota of an empty window
--- http_config
    ratelimit_zone   zone=api:64k;
    ratelimit_policy token key=$arg_k quota=600/0s;
--- error_log
invalid quota "600/0s" in "ratelimit_policy", it must be UNITS/WINDOW such as "600/60s", of 0 to 999999999 units and a window of 1ms to 366d in ms, s, m, h or d, or "unlimited" in



=== TEST 72: a quota of a negative window
--- http_config
    ratelimit_zone   zone=api:64k;
    ratelimit_policy token key=$arg_k quota=600/-1s;
--- error_log
invalid quota "600/-1s" in "ratelimit_policy", it must be UNITS/WINDOW such as "600/60s", of 0 to 999999999 units and a window of 1ms to 366d in ms, s, m, h or d, or "unlimited" in



=== TEST 73: a quota of negative units
--- http_config
    ratelimit_zone   zone=api:64k;
    ratelimit_policy token key=$arg_k quota=-1/60s;
--- error_log
invalid quota "-1/60s" in "ratelimit_policy", it must be UNITS/WINDOW such as "600/60s", of 0 to 999999999 units and a window of 1ms to 366d in ms, s, m, h or d, or "unlimited" in



=== TEST 74: a quota of half a unit
--- http_config
    ratelimit_zone   zone=api:64k;
    ratelimit_policy token key=$arg_k quota=1.5/60s;
--- error_log
invalid quota "1.5/60s" in "ratelimit_policy", it must be UNITS/WINDOW such as "600/60s", of 0 to 999999999 units and a window of 1ms to 366d in ms, s, m, h or d, or "unlimited" in



=== TEST 75: a quota of too many units
--- http_config
    ratelimit_zone   zone=api:64k;
    ratelimit_policy token key=$arg_k quota=1000000000/60s;
--- error_log
invalid quota "1000000000/60s" in "ratelimit_policy", it must be UNITS/WINDOW such as "600/60s", of 0 to 999999999 units and a window of 1ms to 366d in ms, s, m, h or d, or "unlimited" in



=== TEST 76: a quota of too long a window
--- http_config
    ratelimit_zone   zone=api:64k;
    ratelimit_policy token key=$arg_k quota=600/367d;
--- error_log
invalid quota "600/367d" in "ratelimit_policy", it must be UNITS/WINDOW such as "600/60s", of 0 to 999999999 units and a window of 1ms to 366d in ms, s, m, h or d, or "unlimited" in



=== TEST 77: a quota of a window too long by a millisecond
--- http_config
    ratelimit_zone   zone=api:64k;
    ratelimit_policy token key=$arg_k quota=600/31622400001ms;
--- error_log
invalid quota "600/31622400001ms" in "ratelimit_policy", it must be UNITS/WINDOW such as "600/60s", of 0 to 999999999 units and a window of 1ms to 366d in ms, s, m, h or d, or "unlimited" in



=== TEST 78: a quota in weeks
--- http_config
    ratelimit_zone   zone=api:64k;
    ratelimit_policy token key=$arg_k quota=600/1w;
--- error_log
invalid quota "600/1w" in "ratelimit_policy", it must be UNITS/WINDOW such as "600/60s", of 0 to 999999999 units and a window of 1ms to 366d in ms, s, m, h or d, or "unlimited" in



=== TEST 79: a quota in seconds in upper case
--- http_config
    ratelimit_zone   zone=api:64k;
    ratelimit_policy token key=$arg_k quota=600/1S;
--- error_log
invalid quota "600/1S" in "ratelimit_policy", it must be UNITS/WINDOW such as "600/60s", of 0 to 999999999 units and a window of 1ms to 366d in ms, s, m, h or d, or "unlimited" in



=== TEST 80: a quota with more behind the window
--- http_config
    ratelimit_zone   zone=api:64k;
    ratelimit_policy token key=$arg_k quota=600/60s/x;
--- error_log
invalid quota "600/60s/x" in "ratelimit_policy", it must be UNITS/WINDOW such as "600/60s", of 0 to 999999999 units and a window of 1ms to 366d in ms, s, m, h or d, or "unlimited" in



=== TEST 81: a quota that is none
--- http_config
    ratelimit_zone   zone=api:64k;
    ratelimit_policy token key=$arg_k quota=x;
--- error_log
invalid quota "x" in "ratelimit_policy", it must be UNITS/WINDOW such as "600/60s", of 0 to 999999999 units and a window of 1ms to 366d in ms, s, m, h or d, or "unlimited" in



=== TEST 82: a quota unlimited in upper case
--- http_config
    ratelimit_zone   zone=api:64k;
    ratelimit_policy token key=$arg_k quota=Unlimited;
--- error_log
invalid quota "Unlimited" in "ratelimit_policy", it must be UNITS/WINDOW such as "600/60s", of 0 to 999999999 units and a window of 1ms to 366d in ms, s, m, h or d, or "unlimited" in



=== TEST 83: a quota whose units overflow
--- http_config
    ratelimit_zone   zone=api:64k;
    ratelimit_policy token key=$arg_k quota=99999999999999999999/1s;
--- error_log
invalid quota "99999999999999999999/1s" in "ratelimit_policy", it must be UNITS/WINDOW such as "600/60s", of 0 to 999999999 units and a window of 1ms to 366d in ms, s, m, h or d, or "unlimited" in



=== TEST 84: a quota whose window overflows
--- http_config
    ratelimit_zone   zone=api:64k;
    ratelimit_policy token key=$arg_k quota=1/99999999999999999999s;
--- error_log
invalid quota "1/99999999999999999999s" in "ratelimit_policy", it must be UNITS/WINDOW such as "600/60s", of 0 to 999999999 units and a window of 1ms to 366d in ms, s, m, h or d, or "unlimited" in



=== TEST 85: a quota in hexadecimal
--- http_config
    ratelimit_zone   zone=api:64k;
    ratelimit_policy token key=$arg_k quota=0x10/1s;
--- error_log
invalid quota "0x10/1s" in "ratelimit_policy", it must be UNITS/WINDOW such as "600/60s", of 0 to 999999999 units and a window of 1ms to 366d in ms, s, m, h or d, or "unlimited" in



=== TEST 86: a quota with a sign
--- http_config
    ratelimit_zone   zone=api:64k;
    ratelimit_policy token key=$arg_k quota=+1/1s;
--- error_log
invalid quota "+1/1s" in "ratelimit_policy", it must be UNITS/WINDOW such as "600/60s", of 0 to 999999999 units and a window of 1ms to 366d in ms, s, m, h or d, or "unlimited" in



=== TEST 87: a quota in months is for calendar
--- http_config
    ratelimit_zone   zone=api:64k;
    ratelimit_policy token key=$arg_k quota=600/1M;
--- error_log
invalid quota "600/1M" in "ratelimit_policy", it must not be in months ("M") but with algorithm=calendar in



=== TEST 88: a quota of more than a year of months
--- http_config
    ratelimit_zone   zone=api:64k;
    ratelimit_policy token key=$arg_k quota=1/13M algorithm=calendar;
--- error_log
invalid quota "1/13M" in "ratelimit_policy", it must be UNITS/WINDOW such as "600/60s", of 0 to 999999999 units and a window of 1ms to 366d in ms, s, m, h or d or of 1M to 12M, or "unlimited" in



=== TEST 89: a scale without a percent sign
--- http_config
    ratelimit_zone   zone=api:64k;
    ratelimit_policy token key=$arg_k quota=1/1h scale=50;
--- error_log
invalid scale "50" in "ratelimit_policy", it must be a percentage such as "50%" or "12.5%", of 0% to 10000% with at most three decimals in



=== TEST 90: a scale without a number
--- http_config
    ratelimit_zone   zone=api:64k;
    ratelimit_policy token key=$arg_k quota=1/1h scale=%;
--- error_log
invalid scale "%" in "ratelimit_policy", it must be a percentage such as "50%" or "12.5%", of 0% to 10000% with at most three decimals in



=== TEST 91: a scale below zero
--- http_config
    ratelimit_zone   zone=api:64k;
    ratelimit_policy token key=$arg_k quota=1/1h scale=-1%;
--- error_log
invalid scale "-1%" in "ratelimit_policy", it must be a percentage such as "50%" or "12.5%", of 0% to 10000% with at most three decimals in



=== TEST 92: a scale above the maximum
--- http_config
    ratelimit_zone   zone=api:64k;
    ratelimit_policy token key=$arg_k quota=1/1h scale=10001%;
--- error_log
invalid scale "10001%" in "ratelimit_policy", it must be a percentage such as "50%" or "12.5%", of 0% to 10000% with at most three decimals in



=== TEST 93: a scale with too many decimals
--- http_config
    ratelimit_zone   zone=api:64k;
    ratelimit_policy token key=$arg_k quota=1/1h scale=12.3456%;
--- error_log
invalid scale "12.3456%" in "ratelimit_policy", it must be a percentage such as "50%" or "12.5%", of 0% to 10000% with at most three decimals in



=== TEST 94: a scale that is none
--- http_config
    ratelimit_zone   zone=api:64k;
    ratelimit_policy token key=$arg_k quota=1/1h scale=a%;
--- error_log
invalid scale "a%" in "ratelimit_policy", it must be a percentage such as "50%" or "12.5%", of 0% to 10000% with at most three decimals in



=== TEST 95: a scale with two percent signs
--- http_config
    ratelimit_zone   zone=api:64k;
    ratelimit_policy token key=$arg_k quota=1/1h scale=50%%;
--- error_log
invalid scale "50%%" in "ratelimit_policy", it must be a percentage such as "50%" or "12.5%", of 0% to 10000% with at most three decimals in



=== TEST 96: a scale with a blank
--- http_config
    ratelimit_zone   zone=api:64k;
    ratelimit_policy token key=$arg_k quota=1/1h "scale=50 %";
--- error_log
invalid scale "50 %" in "ratelimit_policy", it must be a percentage such as "50%" or "12.5%", of 0% to 10000% with at most three decimals in



=== TEST 97: a scale without a digit before the point
--- http_config
    ratelimit_zone   zone=api:64k;
    ratelimit_policy token key=$arg_k quota=1/1h scale=.5%;
--- error_log
invalid scale ".5%" in "ratelimit_policy", it must be a percentage such as "50%" or "12.5%", of 0% to 10000% with at most three decimals in



=== TEST 98: nine scales
--- http_config
    ratelimit_zone   zone=api:64k;
    ratelimit_policy token key=$arg_k quota=1/1h scale=50% scale=50% scale=50% scale=50% scale=50% scale=50% scale=50% scale=50% scale=50%;
--- error_log
invalid scale "50%" in "ratelimit_policy", it must not stand more than 8 times in



=== TEST 99: an algorithm that is empty
--- http_config
    ratelimit_zone   zone=api:64k;
    ratelimit_policy token key=$arg_k quota=1/1h algorithm=;
--- error_log
invalid algorithm "" in "ratelimit_policy", it must be "sliding", "fixed", "calendar" or "gcra" in



=== TEST 100: an algorithm that is unknown
--- http_config
    ratelimit_zone   zone=api:64k;
    ratelimit_policy token key=$arg_k quota=1/1h algorithm=leaky;
--- error_log
invalid algorithm "leaky" in "ratelimit_policy", it must be "sliding", "fixed", "calendar" or "gcra" in



=== TEST 101: an algorithm in upper case
--- http_config
    ratelimit_zone   zone=api:64k;
    ratelimit_policy token key=$arg_k quota=1/1h algorithm=Sliding;
--- error_log
invalid algorithm "Sliding" in "ratelimit_policy", it must be "sliding", "fixed", "calendar" or "gcra" in



=== TEST 102: an algorithm with more behind it
--- http_config
    ratelimit_zone   zone=api:64k;
    ratelimit_policy token key=$arg_k quota=1/1h algorithm=gcra2;
--- error_log
invalid algorithm "gcra2" in "ratelimit_policy", it must be "sliding", "fixed", "calendar" or "gcra" in



=== TEST 103: a capacity that is empty
--- http_config
    ratelimit_zone   zone=api:64k;
    ratelimit_policy token key=$arg_k quota=1/1h algorithm=gcra capacity=;
--- error_log
invalid capacity "" in "ratelimit_policy", it must be an integer of 1 to 999999999 in



=== TEST 104: a capacity of 0
--- http_config
    ratelimit_zone   zone=api:64k;
    ratelimit_policy token key=$arg_k quota=1/1h algorithm=gcra capacity=0;
--- error_log
invalid capacity "0" in "ratelimit_policy", it must be an integer of 1 to 999999999 in



=== TEST 105: a capacity below zero
--- http_config
    ratelimit_zone   zone=api:64k;
    ratelimit_policy token key=$arg_k quota=1/1h algorithm=gcra capacity=-1;
--- error_log
invalid capacity "-1" in "ratelimit_policy", it must be an integer of 1 to 999999999 in



=== TEST 106: a capacity above the maximum
--- http_config
    ratelimit_zone   zone=api:64k;
    ratelimit_policy token key=$arg_k quota=1/1h algorithm=gcra capacity=1000000000;
--- error_log
invalid capacity "1000000000" in "ratelimit_policy", it must be an integer of 1 to 999999999 in



=== TEST 107: a capacity that is none
--- http_config
    ratelimit_zone   zone=api:64k;
    ratelimit_policy token key=$arg_k quota=1/1h algorithm=gcra capacity=x;
--- error_log
invalid capacity "x" in "ratelimit_policy", it must be an integer of 1 to 999999999 in



=== TEST 108: a capacity of one and a half
--- http_config
    ratelimit_zone   zone=api:64k;
    ratelimit_policy token key=$arg_k quota=1/1h algorithm=gcra capacity=1.5;
--- error_log
invalid capacity "1.5" in "ratelimit_policy", it must be an integer of 1 to 999999999 in



=== TEST 109: a capacity beside no algorithm
--- http_config
    ratelimit_zone   zone=api:64k;
    ratelimit_policy token key=$arg_k quota=1/1h capacity=5;
--- error_log
invalid capacity "5" in "ratelimit_policy", it must stand beside algorithm=gcra in



=== TEST 110: a capacity beside algorithm=sliding
--- http_config
    ratelimit_zone   zone=api:64k;
    ratelimit_policy token key=$arg_k quota=1/1h algorithm=sliding capacity=5;
--- error_log
invalid capacity "5" in "ratelimit_policy", it must stand beside algorithm=gcra in



=== TEST 111: a capacity beside algorithm=fixed
--- http_config
    ratelimit_zone   zone=api:64k;
    ratelimit_policy token key=$arg_k quota=1/1h algorithm=fixed capacity=5;
--- error_log
invalid capacity "5" in "ratelimit_policy", it must stand beside algorithm=gcra in



=== TEST 112: a capacity beside algorithm=calendar
--- http_config
    ratelimit_zone   zone=api:64k;
    ratelimit_policy token key=$arg_k quota=1/1h algorithm=calendar capacity=5;
--- error_log
invalid capacity "5" in "ratelimit_policy", it must stand beside algorithm=gcra in



=== TEST 113: a policy's status that is empty
--- http_config
    ratelimit_zone   zone=api:64k;
    ratelimit_policy token key=$arg_k quota=1/1h status=;
--- error_log
invalid status "" in "ratelimit_policy", it must be a code of 400 to 599 in



=== TEST 114: a policy's status below 400
--- http_config
    ratelimit_zone   zone=api:64k;
    ratelimit_policy token key=$arg_k quota=1/1h status=399;
--- error_log
invalid status "399" in "ratelimit_policy", it must be a code of 400 to 599 in



=== TEST 115: a policy's status above 599
--- http_config
    ratelimit_zone   zone=api:64k;
    ratelimit_policy token key=$arg_k quota=1/1h status=600;
--- error_log
invalid status "600" in "ratelimit_policy", it must be a code of 400 to 599 in



=== TEST 116: a policy's status with more behind it
--- http_config
    ratelimit_zone   zone=api:64k;
    ratelimit_policy token key=$arg_k quota=1/1h status=42x;
--- error_log
invalid status "42x" in "ratelimit_policy", it must be a code of 400 to 599 in



=== TEST 117: a policy's status below zero
--- http_config
    ratelimit_zone   zone=api:64k;
    ratelimit_policy token key=$arg_k quota=1/1h status=-429;
--- error_log
invalid status "-429" in "ratelimit_policy", it must be a code of 400 to 599 in



=== TEST 118: a policy's status of success
--- http_config
    ratelimit_zone   zone=api:64k;
    ratelimit_policy token key=$arg_k quota=1/1h status=200;
--- error_log
invalid status "200" in "ratelimit_policy", it must be a code of 400 to 599 in



=== TEST 119: a policy's status of four digits
--- http_config
    ratelimit_zone   zone=api:64k;
    ratelimit_policy token key=$arg_k quota=1/1h status=4290;
--- error_log
invalid status "4290" in "ratelimit_policy", it must be a code of 400 to 599 in



=== TEST 120: an empty key
--- http_config
    ratelimit_zone   zone=api:64k;
    ratelimit_policy token key= quota=1/1h;
--- error_log
invalid key "" in "ratelimit_policy", it must be a variable or a text with variables in



=== TEST 121: a zone without a name
--- http_config
    ratelimit_zone   zone=api:64k;
    ratelimit_policy token key=$arg_k quota=1/1h zone=;
--- error_log
invalid zone "" in "ratelimit_policy", it must be the name of a "ratelimit_zone" in



=== TEST 122: a zone that does not exist
--- http_config
    ratelimit_zone   zone=api:64k;
    ratelimit_policy token key=$arg_k quota=1/1h zone=nope;
--- error_log
unknown zone "nope" in "ratelimit_policy" in



=== TEST 123: an unknown parameter of a policy
--- http_config
    ratelimit_zone   zone=api:64k;
    ratelimit_policy token key=$arg_k quota=1/1h foo=1;
--- error_log
invalid parameter "foo=1" in "ratelimit_policy", it must be one of key=, quota=, scale=, algorithm=, capacity=, 



=== TEST 124: an unknown word of a policy
--- http_config
    ratelimit_zone   zone=api:64k;
    ratelimit_policy token key=$arg_k quota=1/1h foo;
--- error_log
invalid parameter "foo" in "ratelimit_policy", it must be one of key=, quota=, scale=, algorithm=, capacity=, 



=== TEST 125: hidden with a value
--- http_config
    ratelimit_zone   zone=api:64k;
    ratelimit_policy token key=$arg_k quota=1/1h hidden=1;
--- error_log
invalid parameter "hidden=1" in "ratelimit_policy", it must be one of key=, quota=, scale=, algorithm=, capacity=, 



=== TEST 126: hidden with more behind it
--- http_config
    ratelimit_zone   zone=api:64k;
    ratelimit_policy token key=$arg_k quota=1/1h hiddenx;
--- error_log
invalid parameter "hiddenx" in "ratelimit_policy", it must be one of key=, quota=, scale=, algorithm=, capacity=, 



=== TEST 127: limit_req's burst
--- http_config
    ratelimit_zone   zone=api:64k;
    ratelimit_policy token key=$arg_k quota=1/1h burst=5;
--- error_log
invalid parameter "burst=5" in "ratelimit_policy", it must be one of key=, quota=, scale=, algorithm=, capacity=, 



=== TEST 128: quota twice
--- http_config
    ratelimit_zone   zone=api:64k;
    ratelimit_policy token key=$arg_k quota=1/1h quota=2/1h;
--- error_log
duplicate parameter "quota=2/1h" in "ratelimit_policy" in



=== TEST 129: algorithm twice
--- http_config
    ratelimit_zone   zone=api:64k;
    ratelimit_policy token key=$arg_k quota=1/1h algorithm=gcra algorithm=fixed;
--- error_log
duplicate parameter "algorithm=fixed" in "ratelimit_policy" in



=== TEST 130: zone twice
--- http_config
    ratelimit_zone   zone=api:64k;
    ratelimit_policy token key=$arg_k quota=1/1h zone=api zone=api;
--- error_log
duplicate parameter "zone=api" in "ratelimit_policy" in



=== TEST 131: status twice
--- http_config
    ratelimit_zone   zone=api:64k;
    ratelimit_policy token key=$arg_k quota=1/1h status=429 status=503;
--- error_log
duplicate parameter "status=503" in "ratelimit_policy" in



=== TEST 132: hidden twice
--- http_config
    ratelimit_zone   zone=api:64k;
    ratelimit_policy token key=$arg_k quota=1/1h hidden hidden;
--- error_log
duplicate parameter "hidden" in "ratelimit_policy" in



=== TEST 133: capacity twice
--- http_config
    ratelimit_zone   zone=api:64k;
    ratelimit_policy token key=$arg_k quota=1/1h algorithm=gcra capacity=1 capacity=2;
--- error_log
duplicate parameter "capacity=2" in "ratelimit_policy" in



=== TEST 134: a variable in key= that does not exist
--- http_config
    ratelimit_zone   zone=api:64k;
    ratelimit_policy token key=$nosuch quota=1/1h;
--- error_log
unknown "nosuch" variable



=== TEST 135: a variable in quota= that does not exist
--- http_config
    ratelimit_zone   zone=api:64k;
    ratelimit_policy token key=$arg_k quota=$nosuch;
--- error_log
unknown "nosuch" variable



=== TEST 136: a variable in scale= that does not exist
--- http_config
    ratelimit_zone   zone=api:64k;
    ratelimit_policy token key=$arg_k quota=1/1h scale=$nosuch;
--- error_log
unknown "nosuch" variable



=== TEST 137: a variable in capacity= that does not exist
--- http_config
    ratelimit_zone   zone=api:64k;
    ratelimit_policy token key=$arg_k quota=1/1h algorithm=gcra capacity=$nosuch;
--- error_log
unknown "nosuch" variable



=== TEST 138: two policies of one name
--- http_config
    ratelimit_zone   zone=api:64k;
    ratelimit_policy token key=$arg_k quota=1/1h;
    ratelimit_policy token key=$arg_k quota=2/1h;
--- error_log eval
[qr/duplicate policy "token" in "ratelimit_policy", first defined in \S+nginx\.conf:\d+ in \S+nginx\.conf:\d+/]



=== TEST 139: a policy without any zone
--- http_config
    ratelimit_policy token key=$arg_k quota=1/1h;
--- error_log
"ratelimit_policy" "token" needs a "ratelimit_zone" in



=== TEST 140: a policy without zone= where there are two
--- http_config
    ratelimit_zone zone=a:64k;
    ratelimit_zone zone=b:64k;
    ratelimit_policy token key=$arg_k quota=1/1h;
--- error_log
"ratelimit_policy" "token" needs "zone=", there are several zones in



=== TEST 141: ratelimit_policy is for http
--- directive
    ratelimit_policy other key=$arg_k quota=1/1h;
--- error_log
"ratelimit_policy" directive is not allowed here in



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
invalid cost "" in "ratelimit", it must be an integer of 0 to 999999999 in



=== TEST 156: a constant cost below zero
--- directive
    ratelimit token cost=-1;
--- error_log
invalid cost "-1" in "ratelimit", it must be an integer of 0 to 999999999 in



=== TEST 157: a constant cost that is none
--- directive
    ratelimit token cost=x;
--- error_log
invalid cost "x" in "ratelimit", it must be an integer of 0 to 999999999 in



=== TEST 158: a constant cost of one and a half
--- directive
    ratelimit token cost=1.5;
--- error_log
invalid cost "1.5" in "ratelimit", it must be an integer of 0 to 999999999 in



=== TEST 159: a constant cost above the maximum
--- directive
    ratelimit token cost=1000000000;
--- error_log
invalid cost "1000000000" in "ratelimit", it must be an integer of 0 to 999999999 in



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



=== TEST 181: ratelimit_inherit inside if
--- directive
    location /t { if ($arg_x) { ratelimit_inherit off; } }
--- error_log
"ratelimit_inherit" directive is not allowed here in



=== TEST 182: ratelimit_headers inside if
--- directive
    location /t { if ($arg_x) { ratelimit_headers ietf; } }
--- error_log
"ratelimit_headers" directive is not allowed here in



=== TEST 183: ratelimit_status inside if
--- directive
    location /t { if ($arg_x) { ratelimit_status 429; } }
--- error_log
"ratelimit_status" directive is not allowed here in



=== TEST 184: ratelimit_body inside if
--- directive
    location /t { if ($arg_x) { ratelimit_body problem; } }
--- error_log
"ratelimit_body" directive is not allowed here in



=== TEST 185: ratelimit_dry_run inside if
--- directive
    location /t { if ($arg_x) { ratelimit_dry_run on; } }
--- error_log
"ratelimit_dry_run" directive is not allowed here in



=== TEST 186: ratelimit_log_level inside if
--- directive
    location /t { if ($arg_x) { ratelimit_log_level info; } }
--- error_log
"ratelimit_log_level" directive is not allowed here in



=== TEST 187: ratelimit_inherit needs a value
--- directive
    ratelimit_inherit;
--- error_log
invalid number of arguments in "ratelimit_inherit" directive in



=== TEST 188: ratelimit_inherit yes
--- directive
    ratelimit_inherit yes;
--- error_log
invalid value "yes" in "ratelimit_inherit", it must be one of on, off, merge in



=== TEST 189: ratelimit_inherit Merge
--- directive
    ratelimit_inherit Merge;
--- error_log
invalid value "Merge" in "ratelimit_inherit", it must be one of on, off, merge in



=== TEST 190: ratelimit_inherit with two values
--- directive
    ratelimit_inherit on off;
--- error_log
invalid number of arguments in "ratelimit_inherit" directive in



=== TEST 191: ratelimit_inherit twice
--- directive
    ratelimit_inherit on;
    ratelimit_inherit on;
--- error_log
"ratelimit_inherit" directive is duplicate in



=== TEST 192: ratelimit_headers needs a dialect
--- directive
    ratelimit_headers;
--- error_log
invalid number of arguments in "ratelimit_headers" directive in



=== TEST 193: an unknown dialect
--- directive
    ratelimit_headers nonsense;
--- error_log
invalid headers "nonsense" in "ratelimit_headers", it must be "x-ratelimit", "ietf", "draft3" or "per-policy" in



=== TEST 194: a dialect in upper case
--- directive
    ratelimit_headers X-RateLimit;
--- error_log
invalid headers "X-RateLimit" in "ratelimit_headers", it must be "x-ratelimit", "ietf", "draft3" or "per-policy" in



=== TEST 195: a parameter before any dialect
--- directive
    ratelimit_headers reset=unix;
--- error_log
invalid headers "reset=unix" in "ratelimit_headers", it must be "x-ratelimit", "ietf", "draft3" or "per-policy" in



=== TEST 196: a reset of ""
--- directive
    ratelimit_headers x-ratelimit reset=;
--- error_log
invalid reset "" in "ratelimit_headers", it must be "delta", "unix" or "unix_ms" in



=== TEST 197: a reset of "ms"
--- directive
    ratelimit_headers x-ratelimit reset=ms;
--- error_log
invalid reset "ms" in "ratelimit_headers", it must be "delta", "unix" or "unix_ms" in



=== TEST 198: a reset of "Delta"
--- directive
    ratelimit_headers x-ratelimit reset=Delta;
--- error_log
invalid reset "Delta" in "ratelimit_headers", it must be "delta", "unix" or "unix_ms" in



=== TEST 199: a prefix that is empty
--- directive
    ratelimit_headers x-ratelimit prefix=;
--- error_log
invalid prefix "" in "ratelimit_headers", it must not be empty and of letters, digits and !#$%&'*+-.^_`|~ in



=== TEST 200: a prefix with a blank
--- directive
    ratelimit_headers x-ratelimit "prefix=X Y";
--- error_log
invalid prefix "X Y" in "ratelimit_headers", it must not be empty and of letters, digits and !#$%&'*+-.^_`|~ in



=== TEST 201: a prefix with a colon
--- directive
    ratelimit_headers x-ratelimit prefix=X:;
--- error_log
invalid prefix "X:" in "ratelimit_headers", it must not be empty and of letters, digits and !#$%&'*+-.^_`|~ in



=== TEST 202: policies that are empty
--- directive
    ratelimit_headers ietf policies=;
--- error_log
invalid policy "" in "ratelimit_headers", it must be the name of a "ratelimit_policy" in



=== TEST 203: policies with a comma at the end
--- directive
    ratelimit_headers ietf policies=token,;
--- error_log
invalid policy "" in "ratelimit_headers", it must be the name of a "ratelimit_policy" in



=== TEST 204: policies that do not exist
--- directive
    ratelimit_headers ietf policies=token,nope;
--- error_log
unknown policy "nope" in "ratelimit_headers" in



=== TEST 205: reset= of a dialect twice
--- directive
    ratelimit_headers x-ratelimit reset=unix reset=delta;
--- error_log
duplicate parameter "reset=delta" in "ratelimit_headers" in



=== TEST 206: prefix= of a dialect twice
--- directive
    ratelimit_headers x-ratelimit prefix=a prefix=b;
--- error_log
duplicate parameter "prefix=b" in "ratelimit_headers" in



=== TEST 207: policies= of a dialect twice
--- directive
    ratelimit_headers x-ratelimit policies=token policies=token;
--- error_log
duplicate parameter "policies=token" in "ratelimit_headers" in



=== TEST 208: an unknown parameter of a dialect
--- directive
    ratelimit_headers x-ratelimit foo=1;
--- error_log
invalid parameter "foo=1" in "ratelimit_headers", it must be one of reset=, policies=, prefix= in



=== TEST 209: ietf does not take reset=
--- directive
    ratelimit_headers ietf reset=unix;
--- error_log
invalid parameter "reset=unix" in "ratelimit_headers", it must stand behind a dialect that takes it: x-ratelimit takes reset=, policies=, prefix=, per-policy takes prefix=, policies=, ietf and draft3 take policies= in



=== TEST 210: ietf does not take prefix=
--- directive
    ratelimit_headers ietf prefix=X-;
--- error_log
invalid parameter "prefix=X-" in "ratelimit_headers", it must stand behind a dialect that takes it: x-ratelimit takes reset=, policies=, prefix=, per-policy takes prefix=, policies=, ietf and draft3 take policies= in



=== TEST 211: draft3 does not take reset=
--- directive
    ratelimit_headers draft3 reset=unix;
--- error_log
invalid parameter "reset=unix" in "ratelimit_headers", it must stand behind a dialect that takes it: x-ratelimit takes reset=, policies=, prefix=, per-policy takes prefix=, policies=, ietf and draft3 take policies= in



=== TEST 212: draft3 does not take prefix=
--- directive
    ratelimit_headers draft3 prefix=X-;
--- error_log
invalid parameter "prefix=X-" in "ratelimit_headers", it must stand behind a dialect that takes it: x-ratelimit takes reset=, policies=, prefix=, per-policy takes prefix=, policies=, ietf and draft3 take policies= in



=== TEST 213: per-policy does not take reset=
--- directive
    ratelimit_headers per-policy prefix=X- reset=unix;
--- error_log
invalid parameter "reset=unix" in "ratelimit_headers", it must stand behind a dialect that takes it: x-ratelimit takes reset=, policies=, prefix=, per-policy takes prefix=, policies=, ietf and draft3 take policies= in



=== TEST 214: per-policy needs a prefix
--- directive
    ratelimit_headers per-policy;
--- error_log
"ratelimit_headers" "per-policy" has no "prefix=" in



=== TEST 215: ratelimit_headers off ietf on one line
--- directive
    ratelimit_headers off ietf;
--- error_log
invalid headers "off" in "ratelimit_headers", it must be 



=== TEST 216: ratelimit_headers ietf off on one line
--- directive
    ratelimit_headers ietf off;
--- error_log
invalid headers "off" in "ratelimit_headers", it must be 



=== TEST 217: ratelimit_headers off off on one line
--- directive
    ratelimit_headers off off;
--- error_log
invalid headers "off" in "ratelimit_headers", it must be 



=== TEST 218: ratelimit_headers off behind another line
--- directive
    ratelimit_headers ietf;
    ratelimit_headers off;
--- error_log
"ratelimit_headers" directive off cannot stand beside other "ratelimit_headers" lines in



=== TEST 219: ratelimit_headers off before another line
--- directive
    ratelimit_headers off;
    ratelimit_headers ietf;
--- error_log
"ratelimit_headers" directive off cannot stand beside other "ratelimit_headers" lines in



=== TEST 220: ratelimit_status needs a code
--- directive
    ratelimit_status;
--- error_log
invalid number of arguments in "ratelimit_status" directive in



=== TEST 221: ratelimit_status 399
--- directive
    ratelimit_status 399;
--- error_log
invalid status "399" in "ratelimit_status", it must be a code of 400 to 599 in



=== TEST 222: ratelimit_status 600
--- directive
    ratelimit_status 600;
--- error_log
invalid status "600" in "ratelimit_status", it must be a code of 400 to 599 in



=== TEST 223: ratelimit_status x
--- directive
    ratelimit_status x;
--- error_log
invalid status "x" in "ratelimit_status", it must be a code of 400 to 599 in



=== TEST 224: ratelimit_status -1
--- directive
    ratelimit_status -1;
--- error_log
invalid status "-1" in "ratelimit_status", it must be a code of 400 to 599 in



=== TEST 225: ratelimit_status 0
--- directive
    ratelimit_status 0;
--- error_log
invalid status "0" in "ratelimit_status", it must be a code of 400 to 599 in



=== TEST 226: ratelimit_status 4290
--- directive
    ratelimit_status 4290;
--- error_log
invalid status "4290" in "ratelimit_status", it must be a code of 400 to 599 in



=== TEST 227: ratelimit_status 429.5
--- directive
    ratelimit_status 429.5;
--- error_log
invalid status "429.5" in "ratelimit_status", it must be a code of 400 to 599 in



=== TEST 228: ratelimit_status with two codes
--- directive
    ratelimit_status 429 503;
--- error_log
invalid number of arguments in "ratelimit_status" directive in



=== TEST 229: ratelimit_status twice
--- directive
    ratelimit_status 429;
    ratelimit_status 503;
--- error_log
"ratelimit_status" directive is duplicate in



=== TEST 230: ratelimit_body needs a value
--- directive
    ratelimit_body;
--- error_log
invalid number of arguments in "ratelimit_body" directive in



=== TEST 231: ratelimit_body on
--- directive
    ratelimit_body on;
--- error_log
invalid value "on" in "ratelimit_body", it must be off, problem or a content type and a text in



=== TEST 232: ratelimit_body json
--- directive
    ratelimit_body json;
--- error_log
invalid value "json" in "ratelimit_body", it must be off, problem or a content type and a text in



=== TEST 233: ratelimit_body of the type text
--- directive
    ratelimit_body text hello;
--- error_log
invalid content type "text" in "ratelimit_body", it must be a media type such as application/json in



=== TEST 234: ratelimit_body of the type problem
--- directive
    ratelimit_body problem hello;
--- error_log
invalid content type "problem" in "ratelimit_body", it must be a media type such as application/json in



=== TEST 235: ratelimit_body with two texts
--- directive
    ratelimit_body text/plain a b;
--- error_log
invalid number of arguments in "ratelimit_body" directive in



=== TEST 236: ratelimit_body of text/plain with a variable that does not exist
--- directive
    ratelimit_body text/plain $nosuch;
--- error_log
unknown "nosuch" variable



=== TEST 237: ratelimit_body of text/plain with a brace left open
--- directive
    ratelimit_body text/plain "${arg_x";
--- error_log
the closing bracket in "arg_x" variable is missing in



=== TEST 238: ratelimit_body of application/json with a variable that does not exist
--- directive
    ratelimit_body application/json $nosuch;
--- error_log
unknown "nosuch" variable



=== TEST 239: ratelimit_body of application/json with a brace left open
--- directive
    ratelimit_body application/json "${arg_x";
--- error_log
the closing bracket in "arg_x" variable is missing in



=== TEST 240: ratelimit_body twice
--- directive
    ratelimit_body off;
    ratelimit_body problem;
--- error_log
"ratelimit_body" directive is duplicate in



=== TEST 241: ratelimit_dry_run needs a value
--- directive
    ratelimit_dry_run;
--- error_log
invalid number of arguments in "ratelimit_dry_run" directive in



=== TEST 242: ratelimit_dry_run yes
--- directive
    ratelimit_dry_run yes;
--- error_log
invalid dry_run "yes" in "ratelimit_dry_run", it must be on, off or a variable in



=== TEST 243: ratelimit_dry_run 1
--- directive
    ratelimit_dry_run 1;
--- error_log
invalid dry_run "1" in "ratelimit_dry_run", it must be on, off or a variable in



=== TEST 244: ratelimit_dry_run On
--- directive
    ratelimit_dry_run On;
--- error_log
invalid dry_run "On" in "ratelimit_dry_run", it must be on, off or a variable in



=== TEST 245: ratelimit_dry_run of a variable that does not exist
--- directive
    ratelimit_dry_run $nosuch;
--- error_log
unknown "nosuch" variable



=== TEST 246: ratelimit_dry_run twice
--- directive
    ratelimit_dry_run on;
    ratelimit_dry_run on;
--- error_log
"ratelimit_dry_run" directive is duplicate in



=== TEST 247: ratelimit_log_level needs a level
--- directive
    ratelimit_log_level;
--- error_log
invalid number of arguments in "ratelimit_log_level" directive in



=== TEST 248: ratelimit_log_level debug
--- directive
    ratelimit_log_level debug;
--- error_log
invalid value "debug" in "ratelimit_log_level", it must be one of info, notice, warn, error in



=== TEST 249: ratelimit_log_level crit
--- directive
    ratelimit_log_level crit;
--- error_log
invalid value "crit" in "ratelimit_log_level", it must be one of info, notice, warn, error in



=== TEST 250: ratelimit_log_level Error
--- directive
    ratelimit_log_level Error;
--- error_log
invalid value "Error" in "ratelimit_log_level", it must be one of info, notice, warn, error in



=== TEST 251: ratelimit_log_level twice
--- directive
    ratelimit_log_level info;
    ratelimit_log_level warn;
--- error_log
"ratelimit_log_level" directive is duplicate in



=== TEST 252: $ratelimit_status of an unknown policy
--- directive
    location /t { return 200 $ratelimit_status_nope; }
--- error_log
unknown policy "nope" in variable "$ratelimit_status_nope"



=== TEST 253: $ratelimit_policy of an unknown policy
--- directive
    location /t { return 200 $ratelimit_policy_nope; }
--- error_log
unknown policy "nope" in variable "$ratelimit_policy_nope"



=== TEST 254: $ratelimit_limit of an unknown policy
--- directive
    location /t { return 200 $ratelimit_limit_nope; }
--- error_log
unknown policy "nope" in variable "$ratelimit_limit_nope"



=== TEST 255: $ratelimit_remaining of an unknown policy
--- directive
    location /t { return 200 $ratelimit_remaining_nope; }
--- error_log
unknown policy "nope" in variable "$ratelimit_remaining_nope"



=== TEST 256: $ratelimit_reset of an unknown policy
--- directive
    location /t { return 200 $ratelimit_reset_nope; }
--- error_log
unknown policy "nope" in variable "$ratelimit_reset_nope"



=== TEST 257: $ratelimit_reset_at of an unknown policy
--- directive
    location /t { return 200 $ratelimit_reset_at_nope; }
--- error_log
unknown policy "nope" in variable "$ratelimit_reset_at_nope"



=== TEST 258: $ratelimit_retry_after of an unknown policy
--- directive
    location /t { return 200 $ratelimit_retry_after_nope; }
--- error_log
unknown policy "nope" in variable "$ratelimit_retry_after_nope"



=== TEST 259: $ratelimit_window of an unknown policy
--- directive
    location /t { return 200 $ratelimit_window_nope; }
--- error_log
unknown policy "nope" in variable "$ratelimit_window_nope"



=== TEST 260: $ratelimit_key_id of an unknown policy
--- directive
    location /t { return 200 $ratelimit_key_id_nope; }
--- error_log
unknown policy "nope" in variable "$ratelimit_key_id_nope"



=== TEST 261: a variable of a policy without a name
--- directive
    location /t { return 200 "$ratelimit_policy_ x"; }
--- error_log
unknown policy "" in variable "$ratelimit_policy_"



=== TEST 262: a variable that there is not
--- directive
    location /t { return 200 $ratelimit_nope; }
--- error_log
unknown "ratelimit_nope" variable



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



=== TEST 265: keep with a value
--- http_config
    ratelimit_zone   zone=api:64k;
    ratelimit_policy token key=$arg_k quota=1/1h keep=1;
--- error_log
invalid parameter "keep=1" in "ratelimit_policy", it must be one of key=, quota=, scale=, algorithm=, capacity=, tz=, zone=, status=, hidden, keep, skip_status=, 



=== TEST 266: keep twice
--- http_config
    ratelimit_zone   zone=api:64k;
    ratelimit_policy token key=$arg_k quota=1/1h keep keep;
--- error_log
duplicate parameter "keep" in "ratelimit_policy"



=== TEST 267: more policies than there are counters for
--- http_config eval
"ratelimit_zone zone=api:64k;\n"
. CORE::join('', map { "ratelimit_policy p$_ key=\$arg_k quota=1/1h;\n" } 1 .. 1025)
--- config
--- error_log
policy "p1025" is one too many, there may be 1024 in



=== TEST 268: ratelimit_on_error needs a value
--- directive
    ratelimit_on_error;
--- error_log
invalid number of arguments in "ratelimit_on_error" directive in



=== TEST 269: ratelimit_on_error on
--- directive
    ratelimit_on_error on;
--- error_log
invalid value "on" in "ratelimit_on_error", it must be one of pass, refuse in



=== TEST 270: ratelimit_on_error twice
--- directive
    ratelimit_on_error pass;
    ratelimit_on_error refuse;
--- error_log
"ratelimit_on_error" directive is duplicate in



=== TEST 271: ratelimit_on_error inside if
--- directive
    location /t { if ($arg_x) { ratelimit_on_error refuse; } }
--- error_log
"ratelimit_on_error" directive is not allowed here in



=== TEST 272: ratelimit_on_error inside limit_except
--- directive
    location /t { limit_except GET { ratelimit_on_error refuse; } }
--- error_log
"ratelimit_on_error" directive is not allowed here in



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



=== TEST 279: a key of the policy's own standing
--- http_config
    ratelimit_zone   zone=api:64k;
    ratelimit_policy one key=x$ratelimit_remaining_one quota=1/1h;
--- error_log eval
qr/\[emerg\].*"ratelimit_policy" "one" must not depend on its own standing, as it does by "\$ratelimit_remaining_one" in .*nginx.conf:\d+/



=== TEST 280: a quota of it
--- http_config
    ratelimit_zone   zone=api:64k;
    ratelimit_policy one key=$arg_k quota=${ratelimit_limit_one}0/1h;
--- error_log eval
qr/\[emerg\].*"ratelimit_policy" "one" must not depend on its own standing, as it does by "\$ratelimit_limit_one" in .*nginx.conf:\d+/



=== TEST 281: a scale of it
--- http_config
    ratelimit_zone   zone=api:64k;
    ratelimit_policy one key=$arg_k quota=1/1h scale=50% scale=$ratelimit_reset_one;
--- error_log eval
qr/\[emerg\].*"ratelimit_policy" "one" must not depend on its own standing, as it does by "\$ratelimit_reset_one" in .*nginx.conf:\d+/



=== TEST 282: a capacity of it
--- http_config
    ratelimit_zone   zone=api:64k;
    ratelimit_policy one key=$arg_k quota=1/1h algorithm=gcra capacity=$ratelimit_reset_at_one;
--- error_log eval
qr/\[emerg\].*"ratelimit_policy" "one" must not depend on its own standing, as it does by "\$ratelimit_reset_at_one" in .*nginx.conf:\d+/



=== TEST 283: two policies that name each other, in parts of keys
--- http_config
    ratelimit_zone   zone=api:64k;
    ratelimit_policy one key=$arg_k key=$ratelimit_key_id_two quota=1/1h;
    ratelimit_policy two key=$arg_k key=a$ratelimit_window_one quota=1/1h;
--- error_log eval
qr/\[emerg\].*"ratelimit_policy" "one" must not depend on its own standing, as it does by "\$ratelimit_window_one" in .*nginx.conf:\d+/



=== TEST 284: by way of a ratelimit_key
--- http_config
    ratelimit_zone   zone=api:64k;
    ratelimit_key    $client header=X-Key $other;
    ratelimit_key    $other $ratelimit_retry_after_one;
    ratelimit_policy one key=$client quota=1/1h;
--- error_log eval
qr/\[emerg\].*"ratelimit_policy" "one" must not depend on its own standing, as it does by "\$ratelimit_retry_after_one" in .*nginx.conf:\d+/



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
