use lib 't/lib';
use ConfErrors;
use Test::Nginx::Socket 'no_plan';

run_tests();

__DATA__

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
invalid quota "600" in "ratelimit_policy", it must be UNITS/WINDOW such as "600/60s", of 0 to 999999999999999 units and a window of 1ms to 366d in ms, s, m, h or d, or "unlimited" in


=== TEST 66: a quota with an empty window
--- http_config
    ratelimit_zone   zone=api:64k;
    ratelimit_policy token key=$arg_k quota=600/;
--- error_log
invalid quota "600/" in "ratelimit_policy", it must be UNITS/WINDOW such as "600/60s", of 0 to 999999999999999 units and a window of 1ms to 366d in ms, s, m, h or d, or "unlimited" in


=== TEST 67: a quota without units
--- http_config
    ratelimit_zone   zone=api:64k;
    ratelimit_policy token key=$arg_k quota=/60s;
--- error_log
invalid quota "/60s" in "ratelimit_policy", it must be UNITS/WINDOW such as "600/60s", of 0 to 999999999999999 units and a window of 1ms to 366d in ms, s, m, h or d, or "unlimited" in


=== TEST 68: a quota of a window without a unit
--- http_config
    ratelimit_zone   zone=api:64k;
    ratelimit_policy token key=$arg_k quota=600/60;
--- error_log
invalid quota "600/60" in "ratelimit_policy", it must be UNITS/WINDOW such as "600/60s", of 0 to 999999999999999 units and a window of 1ms to 366d in ms, s, m, h or d, or "unlimited" in


=== TEST 69: a quota of a window with an unknown unit
--- http_config
    ratelimit_zone   zone=api:64k;
    ratelimit_policy token key=$arg_k quota=600/60x;
--- error_log
invalid quota "600/60x" in "ratelimit_policy", it must be UNITS/WINDOW such as "600/60s", of 0 to 999999999999999 units and a window of 1ms to 366d in ms, s, m, h or d, or "unlimited" in


=== TEST 70: a quota with a blank
--- http_config
    ratelimit_zone   zone=api:64k;
    ratelimit_policy token key=$arg_k "quota=600/60 s";
--- error_log
invalid quota "600/60 s" in "ratelimit_policy", it must be UNITS/WINDOW such as "600/60s", of 0 to 999999999999999 units and a window of 1ms to 366d in ms, s, m, h or d, or "unlimited" in


=== TEST 71: a quota of an empty window
--- http_config
    ratelimit_zone   zone=api:64k;
    ratelimit_policy token key=$arg_k quota=600/0s;
--- error_log
invalid quota "600/0s" in "ratelimit_policy", it must be UNITS/WINDOW such as "600/60s", of 0 to 999999999999999 units and a window of 1ms to 366d in ms, s, m, h or d, or "unlimited" in


=== TEST 72: a quota of a negative window
--- http_config
    ratelimit_zone   zone=api:64k;
    ratelimit_policy token key=$arg_k quota=600/-1s;
--- error_log
invalid quota "600/-1s" in "ratelimit_policy", it must be UNITS/WINDOW such as "600/60s", of 0 to 999999999999999 units and a window of 1ms to 366d in ms, s, m, h or d, or "unlimited" in


=== TEST 73: a quota of negative units
--- http_config
    ratelimit_zone   zone=api:64k;
    ratelimit_policy token key=$arg_k quota=-1/60s;
--- error_log
invalid quota "-1/60s" in "ratelimit_policy", it must be UNITS/WINDOW such as "600/60s", of 0 to 999999999999999 units and a window of 1ms to 366d in ms, s, m, h or d, or "unlimited" in


=== TEST 74: a quota of half a unit
--- http_config
    ratelimit_zone   zone=api:64k;
    ratelimit_policy token key=$arg_k quota=1.5/60s;
--- error_log
invalid quota "1.5/60s" in "ratelimit_policy", it must be UNITS/WINDOW such as "600/60s", of 0 to 999999999999999 units and a window of 1ms to 366d in ms, s, m, h or d, or "unlimited" in


=== TEST 75: a quota of too many units
--- http_config
    ratelimit_zone   zone=api:64k;
    ratelimit_policy token key=$arg_k quota=1000000000000000/60s;
--- error_log
invalid quota "1000000000000000/60s" in "ratelimit_policy", it must be UNITS/WINDOW such as "600/60s", of 0 to 999999999999999 units and a window of 1ms to 366d in ms, s, m, h or d, or "unlimited" in


=== TEST 76: a quota of too long a window
--- http_config
    ratelimit_zone   zone=api:64k;
    ratelimit_policy token key=$arg_k quota=600/367d;
--- error_log
invalid quota "600/367d" in "ratelimit_policy", it must be UNITS/WINDOW such as "600/60s", of 0 to 999999999999999 units and a window of 1ms to 366d in ms, s, m, h or d, or "unlimited" in


=== TEST 77: a quota of a window too long by a millisecond
--- http_config
    ratelimit_zone   zone=api:64k;
    ratelimit_policy token key=$arg_k quota=600/31622400001ms;
--- error_log
invalid quota "600/31622400001ms" in "ratelimit_policy", it must be UNITS/WINDOW such as "600/60s", of 0 to 999999999999999 units and a window of 1ms to 366d in ms, s, m, h or d, or "unlimited" in


=== TEST 78: a quota in weeks
--- http_config
    ratelimit_zone   zone=api:64k;
    ratelimit_policy token key=$arg_k quota=600/1w;
--- error_log
invalid quota "600/1w" in "ratelimit_policy", it must be UNITS/WINDOW such as "600/60s", of 0 to 999999999999999 units and a window of 1ms to 366d in ms, s, m, h or d, or "unlimited" in


=== TEST 79: a quota in seconds in upper case
--- http_config
    ratelimit_zone   zone=api:64k;
    ratelimit_policy token key=$arg_k quota=600/1S;
--- error_log
invalid quota "600/1S" in "ratelimit_policy", it must be UNITS/WINDOW such as "600/60s", of 0 to 999999999999999 units and a window of 1ms to 366d in ms, s, m, h or d, or "unlimited" in


=== TEST 80: a quota with more behind the window
--- http_config
    ratelimit_zone   zone=api:64k;
    ratelimit_policy token key=$arg_k quota=600/60s/x;
--- error_log
invalid quota "600/60s/x" in "ratelimit_policy", it must be UNITS/WINDOW such as "600/60s", of 0 to 999999999999999 units and a window of 1ms to 366d in ms, s, m, h or d, or "unlimited" in


=== TEST 81: a quota that is none
--- http_config
    ratelimit_zone   zone=api:64k;
    ratelimit_policy token key=$arg_k quota=x;
--- error_log
invalid quota "x" in "ratelimit_policy", it must be UNITS/WINDOW such as "600/60s", of 0 to 999999999999999 units and a window of 1ms to 366d in ms, s, m, h or d, or "unlimited" in


=== TEST 82: a quota unlimited in upper case
--- http_config
    ratelimit_zone   zone=api:64k;
    ratelimit_policy token key=$arg_k quota=Unlimited;
--- error_log
invalid quota "Unlimited" in "ratelimit_policy", it must be UNITS/WINDOW such as "600/60s", of 0 to 999999999999999 units and a window of 1ms to 366d in ms, s, m, h or d, or "unlimited" in


=== TEST 83: a quota whose units overflow
--- http_config
    ratelimit_zone   zone=api:64k;
    ratelimit_policy token key=$arg_k quota=99999999999999999999/1s;
--- error_log
invalid quota "99999999999999999999/1s" in "ratelimit_policy", it must be UNITS/WINDOW such as "600/60s", of 0 to 999999999999999 units and a window of 1ms to 366d in ms, s, m, h or d, or "unlimited" in


=== TEST 84: a quota whose window overflows
--- http_config
    ratelimit_zone   zone=api:64k;
    ratelimit_policy token key=$arg_k quota=1/99999999999999999999s;
--- error_log
invalid quota "1/99999999999999999999s" in "ratelimit_policy", it must be UNITS/WINDOW such as "600/60s", of 0 to 999999999999999 units and a window of 1ms to 366d in ms, s, m, h or d, or "unlimited" in


=== TEST 85: a quota in hexadecimal
--- http_config
    ratelimit_zone   zone=api:64k;
    ratelimit_policy token key=$arg_k quota=0x10/1s;
--- error_log
invalid quota "0x10/1s" in "ratelimit_policy", it must be UNITS/WINDOW such as "600/60s", of 0 to 999999999999999 units and a window of 1ms to 366d in ms, s, m, h or d, or "unlimited" in


=== TEST 86: a quota with a sign
--- http_config
    ratelimit_zone   zone=api:64k;
    ratelimit_policy token key=$arg_k quota=+1/1s;
--- error_log
invalid quota "+1/1s" in "ratelimit_policy", it must be UNITS/WINDOW such as "600/60s", of 0 to 999999999999999 units and a window of 1ms to 366d in ms, s, m, h or d, or "unlimited" in


=== TEST 87: a quota in months is for calendar
--- http_config
    ratelimit_zone   zone=api:64k;
    ratelimit_policy token key=$arg_k quota=600/1M;
--- error_log
invalid quota "600/1M" in "ratelimit_policy", it has months ("M"), which need algorithm=calendar in


=== TEST 88: a quota of more than a year of months
--- http_config
    ratelimit_zone   zone=api:64k;
    ratelimit_policy token key=$arg_k quota=1/13M algorithm=calendar;
--- error_log
invalid quota "1/13M" in "ratelimit_policy", it must be UNITS/WINDOW such as "600/60s", of 0 to 999999999999999 units and a window of 1ms to 366d in ms, s, m, h or d or of 1M to 12M, or "unlimited" in


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
invalid capacity "" in "ratelimit_policy", it must be an integer of 1 to 999999999999999 in


=== TEST 104: a capacity of 0
--- http_config
    ratelimit_zone   zone=api:64k;
    ratelimit_policy token key=$arg_k quota=1/1h algorithm=gcra capacity=0;
--- error_log
invalid capacity "0" in "ratelimit_policy", it must be an integer of 1 to 999999999999999 in


=== TEST 105: a capacity below zero
--- http_config
    ratelimit_zone   zone=api:64k;
    ratelimit_policy token key=$arg_k quota=1/1h algorithm=gcra capacity=-1;
--- error_log
invalid capacity "-1" in "ratelimit_policy", it must be an integer of 1 to 999999999999999 in


=== TEST 106: a capacity above the maximum
--- http_config
    ratelimit_zone   zone=api:64k;
    ratelimit_policy token key=$arg_k quota=1/1h algorithm=gcra capacity=1000000000000000;
--- error_log
invalid capacity "1000000000000000" in "ratelimit_policy", it must be an integer of 1 to 999999999999999 in


=== TEST 107: a capacity that is none
--- http_config
    ratelimit_zone   zone=api:64k;
    ratelimit_policy token key=$arg_k quota=1/1h algorithm=gcra capacity=x;
--- error_log
invalid capacity "x" in "ratelimit_policy", it must be an integer of 1 to 999999999999999 in


=== TEST 108: a capacity of one and a half
--- http_config
    ratelimit_zone   zone=api:64k;
    ratelimit_policy token key=$arg_k quota=1/1h algorithm=gcra capacity=1.5;
--- error_log
invalid capacity "1.5" in "ratelimit_policy", it must be an integer of 1 to 999999999999999 in


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
invalid parameter "foo=1" in "ratelimit_policy", it must be one of key=, quota=, concurrent=, scale=, algorithm=, capacity=, 


=== TEST 124: an unknown word of a policy
--- http_config
    ratelimit_zone   zone=api:64k;
    ratelimit_policy token key=$arg_k quota=1/1h foo;
--- error_log
invalid parameter "foo" in "ratelimit_policy", it must be one of key=, quota=, concurrent=, scale=, algorithm=, capacity=, 


=== TEST 125: hidden with a value
--- http_config
    ratelimit_zone   zone=api:64k;
    ratelimit_policy token key=$arg_k quota=1/1h hidden=1;
--- error_log
invalid parameter "hidden=1" in "ratelimit_policy", it must be one of key=, quota=, concurrent=, scale=, algorithm=, capacity=, 


=== TEST 126: hidden with more behind it
--- http_config
    ratelimit_zone   zone=api:64k;
    ratelimit_policy token key=$arg_k quota=1/1h hiddenx;
--- error_log
invalid parameter "hiddenx" in "ratelimit_policy", it must be one of key=, quota=, concurrent=, scale=, algorithm=, capacity=, 


=== TEST 127: a parameter that there is not
--- http_config
    ratelimit_zone   zone=api:64k;
    ratelimit_policy token key=$arg_k quota=1/1h bursts=5;
--- error_log
invalid parameter "bursts=5" in "ratelimit_policy", it must be one of key=, quota=, concurrent=, scale=, algorithm=, capacity=, 


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


=== TEST 265: keep with a value
--- http_config
    ratelimit_zone   zone=api:64k;
    ratelimit_policy token key=$arg_k quota=1/1h keep=1;
--- error_log
invalid parameter "keep=1" in "ratelimit_policy", it must be one of key=, quota=, concurrent=, scale=, algorithm=, capacity=, tz=, zone=, status=, hidden, keep, ban=, 


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


=== TEST 285: an empty label
--- http_config
    ratelimit_zone   zone=api:64k;
    ratelimit_policy token key=$arg_k quota=1/1h label=;
--- error_log
invalid label "" in "ratelimit_policy", it must be a variable or a text with variables in


=== TEST 286: a label that depends on the policy's own standing
--- http_config
    ratelimit_zone   zone=api:64k;
    ratelimit_policy token key=$arg_k quota=1/1h label=$ratelimit_remaining_token;
--- error_log
"ratelimit_policy" "token" must not depend on its own standing, as it does by "$ratelimit_remaining_token" in
