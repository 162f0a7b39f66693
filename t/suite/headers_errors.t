use lib 't/lib';
use ConfErrors;
use Test::Nginx::Socket 'no_plan';

run_tests();

__DATA__

=== TEST 182: ratelimit_headers inside if
--- directive
    location /t { if ($arg_x) { ratelimit_headers ietf; } }
--- error_log
"ratelimit_headers" directive is not allowed here in


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
