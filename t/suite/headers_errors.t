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
invalid headers "nonsense" in "ratelimit_headers", it must be "x-ratelimit", "ietf", "draft3", "per-policy" or "fields" in


=== TEST 194: a dialect in upper case
--- directive
    ratelimit_headers X-RateLimit;
--- error_log
invalid headers "X-RateLimit" in "ratelimit_headers", it must be "x-ratelimit", "ietf", "draft3", "per-policy" or "fields" in


=== TEST 195: a parameter before any dialect
--- directive
    ratelimit_headers reset=unix;
--- error_log
invalid headers "reset=unix" in "ratelimit_headers", it must be "x-ratelimit", "ietf", "draft3", "per-policy" or "fields" in


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
invalid parameter "reset=unix" in "ratelimit_headers", it must stand behind a dialect that takes it: x-ratelimit takes reset=, policies=, prefix=, per-policy takes prefix=, policies=, ietf, draft3 and fields take policies= in


=== TEST 210: ietf does not take prefix=
--- directive
    ratelimit_headers ietf prefix=X-;
--- error_log
invalid parameter "prefix=X-" in "ratelimit_headers", it must stand behind a dialect that takes it: x-ratelimit takes reset=, policies=, prefix=, per-policy takes prefix=, policies=, ietf, draft3 and fields take policies= in


=== TEST 211: draft3 does not take reset=
--- directive
    ratelimit_headers draft3 reset=unix;
--- error_log
invalid parameter "reset=unix" in "ratelimit_headers", it must stand behind a dialect that takes it: x-ratelimit takes reset=, policies=, prefix=, per-policy takes prefix=, policies=, ietf, draft3 and fields take policies= in


=== TEST 212: draft3 does not take prefix=
--- directive
    ratelimit_headers draft3 prefix=X-;
--- error_log
invalid parameter "prefix=X-" in "ratelimit_headers", it must stand behind a dialect that takes it: x-ratelimit takes reset=, policies=, prefix=, per-policy takes prefix=, policies=, ietf, draft3 and fields take policies= in


=== TEST 213: per-policy does not take reset=
--- directive
    ratelimit_headers per-policy prefix=X- reset=unix;
--- error_log
invalid parameter "reset=unix" in "ratelimit_headers", it must stand behind a dialect that takes it: x-ratelimit takes reset=, policies=, prefix=, per-policy takes prefix=, policies=, ietf, draft3 and fields take policies= in


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


=== TEST 301: fields without a template
--- directive
    ratelimit_headers fields;
--- error_log
"ratelimit_headers" "fields" has no "Name: template" in


=== TEST 302: fields with a parameter alone
--- directive
    ratelimit_headers fields policies=token;
--- error_log
"ratelimit_headers" "fields" has no "Name: template" in


=== TEST 303: a template behind another dialect
--- directive
    ratelimit_headers ietf "X: {limit}";
--- error_log
invalid headers "X: {limit}" in "ratelimit_headers", it must be "x-ratelimit", "ietf", "draft3", "per-policy" or "fields" in


=== TEST 304: a field's name with a blank
--- directive
    ratelimit_headers fields "X Y: {limit}";
--- error_log
invalid field "X Y: {limit}" in "ratelimit_headers", it must be "Name: template", the name of letters, digits, {policy} and !#$%&'*+-.^_`|~ in


=== TEST 305: a field without a value
--- directive
    ratelimit_headers fields "X:";
--- error_log
invalid field "X:" in "ratelimit_headers", it must be "Name: template"


=== TEST 306: an unknown placeholder
--- directive
    ratelimit_headers fields "X: {Limit}";
--- error_log
invalid field "X: {Limit}" in "ratelimit_headers", it must have of {} only {limit}, {remaining}, {used}, {reset}, {retry_after}, {window}, {waited_ms} and {policy} in


=== TEST 307: a placeholder that does not end
--- directive
    ratelimit_headers fields "X: {limit";
--- error_log
invalid field "X: {limit" in "ratelimit_headers", it must have of {} only


=== TEST 308: a format that the placeholder has not
--- directive
    ratelimit_headers fields "X: {window:unix}";
--- error_log
invalid field "X: {window:unix}" in "ratelimit_headers", it must have only the formats ms, decimal, go of {window}, {reset} and {retry_after}, and unix, unix_ms, unix_decimal, rfc3339, http of the latter two in


=== TEST 309: a variable in a template
--- directive
    ratelimit_headers fields "X: $arg_x";
--- error_log
invalid field "X: $arg_x" in "ratelimit_headers", it must be of ASCII and without "$" and controls: add_header takes variables in


=== TEST 310: a field of nginx's own
--- directive
    ratelimit_headers fields "Retry-After: {retry_after}";
--- error_log
invalid field "Retry-After: {retry_after}" in "ratelimit_headers", it must not be a field that nginx sends itself in


=== TEST 311: reset= of fields
--- directive
    ratelimit_headers fields "X: {limit}" reset=unix;
--- error_log
invalid parameter "reset=unix" in "ratelimit_headers", it must stand behind a dialect that takes it


=== TEST 312: the same field twice on one line
--- directive
    ratelimit_headers fields "X: {limit}" "x: {used}";
--- error_log
duplicate field "x" in "ratelimit_headers" in


=== TEST 313: two lines of x-ratelimit
--- directive
    ratelimit_headers x-ratelimit;
    ratelimit_headers x-ratelimit reset=unix;
--- error_log
duplicate field "X-RateLimit-Limit" in "ratelimit_headers" in


=== TEST 314: draft3 beside x-ratelimit with its prefix
--- directive
    ratelimit_headers draft3 x-ratelimit prefix=ratelimit-;
--- error_log
duplicate field "


=== TEST 315: a field of one policy beside another of its name
--- directive
    ratelimit_headers per-policy prefix=X- fields "X-Token-Max: {limit}";
--- error_log
duplicate field "


=== TEST 316: retry_after_ms twice
--- directive
    ratelimit_headers retry_after_ms ietf retry_after_ms;
--- error_log
duplicate parameter "retry_after_ms" in "ratelimit_headers" in


=== TEST 317: retry_after_max of nothing
--- directive
    ratelimit_headers retry_after_max=;
--- error_log
invalid retry_after_max "" in "ratelimit_headers", it must be a time of at least 1s and below 20d in


=== TEST 318: retry_after_max of 0
--- directive
    ratelimit_headers ietf retry_after_max=0;
--- error_log
invalid retry_after_max "0" in "ratelimit_headers", it must be a time of at least 1s and below 20d in


=== TEST 319: retry_after_max in milliseconds
--- directive
    ratelimit_headers ietf retry_after_max=500ms;
--- error_log
invalid retry_after_max "500ms" in "ratelimit_headers", it must be a time of at least 1s and below 20d in


=== TEST 320: retry_after_max of 20 days
--- directive
    ratelimit_headers ietf retry_after_max=20d;
--- error_log
invalid retry_after_max "20d" in "ratelimit_headers", it must be a time of at least 1s and below 20d in


=== TEST 321: retry_after_max twice
--- directive
    ratelimit_headers ietf retry_after_max=5s retry_after_max=6s;
--- error_log
duplicate parameter "retry_after_max=6s" in "ratelimit_headers" in


=== TEST 322: retry_after_ms as a field
--- directive
    ratelimit_headers fields "retry-after-ms: {retry_after:ms}";
--- error_log
it must not be a field that nginx sends itself in


=== TEST 323: off beside retry_after_ms
--- directive
    ratelimit_headers off retry_after_ms;
--- error_log
"off" in "ratelimit_headers", it must be 


=== TEST 324: spread twice
--- directive
    ratelimit_headers spread;
    ratelimit_headers ietf spread;
--- error_log
duplicate parameter "spread" in "ratelimit_headers" in


=== TEST 325: spread with a value
--- directive
    ratelimit_headers ietf spread=on;
--- error_log
invalid parameter "spread=on" in "ratelimit_headers", it must be 
