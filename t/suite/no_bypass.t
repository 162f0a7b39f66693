# Ways in which a request might get by its policies.  "wall" admits nobody: an
# answer of the backend's (200) is a bypass, 429 a refusal; any other status is
# nginx's own, given before there is a request to decide.
#
# Internal redirects, subrequests and early answers (return, rewrite) are in
# request_life.t, allocations that fail in t/system/allocations.sh.

use lib 't/lib';
use RateLimit;
use Test::Nginx::Socket 'no_plan';
use IO::Socket::INET;

add_block_preprocessor(sub {
    my $block = shift;
    $block->set_value('http_config', ($block->http_config // '') . <<'_END_');
    ratelimit_zone   zone=api:1m;
    ratelimit_policy wall key=all quota=0/1h;
_END_
    $block->set_value('backend', 'location / { return 200 "backend\n"; }');
});

sub exchange {
    my ($text) = @_;
    my $socket = IO::Socket::INET->new(PeerAddr => Test::Nginx::Util::server_addr(),
                                       PeerPort => Test::Nginx::Util::server_port_for_client())
        or die "cannot connect: $!";
    my $got = '';
    syswrite $socket, $text;
    shutdown $socket, 1;
    local $SIG{ALRM} = sub { die "no end of the answer\n" };
    alarm 10;
    1 while sysread $socket, $got, 65536, length $got;
    alarm 0;
    return $got;
}

# The statuses of what is answered to some bytes.
sub statuses {
    my $got = exchange(@_);
    my @statuses = $got =~ /^HTTP\/1\.1 (\d+)/mg;
    push @statuses, 'backend' if $got =~ /^backend/m;
    push @statuses, 'bare 429' if $got =~ /\A<html>.*429/s;
    return CORE::join(' ', @statuses) || 'closed';
}

# "NAME: STATUSES" of each, as GET /answers shows.
sub walk {
    my @shapes = @_;
    my $text = '';
    while (my ($name, $bytes) = splice @shapes, 0, 2) {
        $text .= "$name: " . statuses($bytes) . "\n";
    }
    RateLimit::publish('answers', $text);
}

# GET /t with further lines.
sub get {
    my ($line, @fields) = @_;
    return CORE::join("\r\n", $line, 'Host: localhost', @fields, 'Connection: close', '', '');
}

# HTTP/2: fields as they are, in order; the stream's answer.
sub h2_status {
    my ($end, @fields) = @_;
    my $frame = sub {
        my ($type, $flags, $stream, $payload) = @_;
        return substr(pack('N', length $payload), 1) . pack('CCN', $type, $flags, $stream) . $payload;
    };
    my $block = '';
    while (my ($name, $value) = splice @fields, 0, 2) {
        $block .= "\x00" . pack('C/a', $name) . pack('C/a', $value);
    }
    my $got = '';
    my $socket = IO::Socket::INET->new(PeerAddr => Test::Nginx::Util::server_addr(),
                                       PeerPort => Test::Nginx::Util::server_port_for_client())
        or die "cannot connect: $!";
    syswrite $socket, "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" . $frame->(4, 0, 0, '')
                      . $frame->(1, $end | 4, 1, $block);
    local $SIG{ALRM} = sub { die "no answer\n" };
    alarm 10;
    while (1) {
        sysread $socket, $got, 65536, length $got or return 'closed';
        while (length $got >= 9) {
            my ($high, $low, $type, undef, $stream) = unpack 'CnCCN', $got;
            my $len = $high << 16 | $low;
            last if length $got < 9 + $len;
            my $payload = substr($got, 9, $len);
            substr($got, 0, 9 + $len) = '';
            alarm 0;
            return 'reset' if $type == 3;
            return 'goaway' if $type == 7;
            next if $type != 1;
            return $payload =~ /\A[\x20-\x3f]?\x88/ ? 200
                   : $payload =~ /\A[\x20-\x3f]?\x8c/ ? 400
                   : $payload =~ /\A[\x20-\x3f]?\x48\x03(\d+)/ ? $1
                   : $payload =~ /\A[\x20-\x3f]?\x48\x82(..)/s ? 'status ' . unpack('H*', $1) : '?';
        }
    }
}

run_tests();

__DATA__

=== TEST 1: methods
--- config
    location /t { ratelimit wall; proxy_pass http://backend; }
--- init
main::walk(map { $_ => main::get("$_ /t HTTP/1.1") }
           qw(GET HEAD POST PUT DELETE OPTIONS PATCH PROPFIND FOO TRACE CONNECT get));
--- request
GET /answers
--- response_body_like eval
# CONNECT is not allowed, or since 1.29 a bad request where nothing allows it.
qr/\AGET: 429
HEAD: 429
POST: 429
PUT: 429
DELETE: 429
OPTIONS: 429
PATCH: 429
PROPFIND: 429
FOO: 429
TRACE: 405
CONNECT: 40[05]
get: 400
\z/



=== TEST 2: one resource by many names
--- config
    location /t { ratelimit wall; proxy_pass http://backend; }
--- init
main::walk(map { $_ => main::get("GET $_ HTTP/1.1") }
           qw(/t //t /./t /x/../t /x/%2e%2e/t /%74 http://localhost/t http://other/t /t/ /t;x /t?/../u),
           '/t#x', qw(/t%00 /t%2f..%2f.. /T t), '/t x');
--- request
GET /answers
--- response_body
/t: 429
//t: 429
/./t: 429
/x/../t: 429
/x/%2e%2e/t: 429
/%74: 429
http://localhost/t: 429
http://other/t: 429
/t/: 429
/t;x: 429
/t?/../u: 429
/t#x: 429
/t%00: 400
/t%2f..%2f..: 400
/T: 404
t: 400
/t x: 400



=== TEST 3: versions and connections
--- config
    location /t { ratelimit wall; proxy_pass http://backend; }
--- init
my $one = "GET /t HTTP/1.1\r\nHost: localhost\r\n\r\n";
main::walk(
    'HTTP/0.9'            => "GET /t\r\n",
    'HTTP/1.0'            => "GET /t HTTP/1.0\r\n\r\n",
    'HTTP/1.9'            => main::get('GET /t HTTP/1.9'),
    'HTTP/2.0 in words'   => main::get('GET /t HTTP/2.0'),
    'bare LF'             => "GET /t HTTP/1.1\nHost: localhost\nConnection: close\n\n",
    'empty lines before'  => "\r\n\r\n" . main::get('GET /t HTTP/1.1'),
    'pipelined'           => $one x 3,
    'no Host'             => "GET /t HTTP/1.1\r\n\r\n",
    'two Hosts'           => main::get('GET /t HTTP/1.1', 'Host: localhost'),
    'h2c upgrade'         => main::get('GET /t HTTP/1.1', 'Upgrade: h2c', 'HTTP2-Settings: AAMAAABkAAQCAAAAAAIAAAAA'),
    'WebSocket'           => main::get('GET /t HTTP/1.1', 'Upgrade: websocket'),
    'half a request'      => "GET /t HTTP/1.1\r\nHost: local");
--- request
GET /answers
--- response_body_like eval
# Angie allows one empty line before a request, Tengine no HTTP/0.9.
qr/\AHTTP\/0\.9: (?:bare 429|closed)
HTTP\/1\.0: 429
HTTP\/1\.9: 429
HTTP\/2\.0 in words: 505
bare LF: 429
empty lines before: (?:429|400)
pipelined: 429 429 429
no Host: 400
two Hosts: 400
h2c upgrade: 429
WebSocket: 429
half a request: closed
\z/



=== TEST 4: header fields
--- config
    location /t { ratelimit wall; proxy_pass http://backend; }
--- init
main::walk(map { ($$_[0], main::get('GET /t HTTP/1.1', @$_[1 .. $#$_])) }
    ['40 KB in a field', 'X-Long: ' . 'x' x 40960],
    ['40 KB in fields', map { "X-$_: " . 'x' x 1024 } 1 .. 40],
    ['5,000 bytes of name', 'x' x 5000 . ': y'],
    ['underscore', 'X_Y: z'],
    ['no name', ': z'],
    ['blank before the colon', 'X-Y : z'],
    ['no colon', 'nonsense'],
    ['conditional', 'If-None-Match: *', 'If-Modified-Since: Thu, 01 Jan 2037 00:00:00 GMT'],
    ['If-Match', 'If-Match: "x"'],
    ['Range', 'Range: bytes=0-0'],
    ['Expect', 'Expect: 100-continue'],
    ['X-Forwarded-For', 'X-Forwarded-For: 127.0.0.1', 'X-Real-IP: ::1'],
    ['X-Accel-Redirect', 'X-Accel-Redirect: /answers'],
    ['X-HTTP-Method-Override', 'X-HTTP-Method-Override: OPTIONS'],
    ['X-Original-URL', 'X-Original-URL: /answers', 'X-Rewrite-URL: /answers']);
--- request
GET /answers
--- response_body_like eval
# A line without a colon is passed over, or refused by freenginx and Angie.
qr/\A40 KB in a field: 400
40 KB in fields: 400
5,000 bytes of name: 429
underscore: 429
no name: 400
blank before the colon: 400
no colon: (?:429|400)
conditional: 429
If-Match: 429
Range: 429
Expect: 429
X-Forwarded-For: 429
X-Accel-Redirect: 429
X-HTTP-Method-Override: 429
X-Original-URL: 429
\z/



=== TEST 5: shapes that smuggle a second request past a proxy
--- config
    location /t { ratelimit wall; proxy_pass http://backend; }
--- init
my $inner = "GET /t HTTP/1.1\r\nHost: localhost\r\n\r\n";
my $len = length $inner;
my $post = sub { main::get('POST /t HTTP/1.1', @_[0 .. $#_ - 1]) . $_[-1] };
main::walk(
    'a request as the body'        => $post->("Content-Length: $len", $inner),
    'chunked'                      => $post->('Transfer-Encoding: chunked', sprintf("%x\r\n%s\r\n0\r\n\r\n", $len, $inner)),
    'CL and TE'                    => $post->("Content-Length: 4", 'Transfer-Encoding: chunked', "0\r\n\r\n$inner"),
    'TE and CL'                    => $post->('Transfer-Encoding: chunked', "Content-Length: $len", "0\r\n\r\n$inner"),
    'two CL'                       => $post->('Content-Length: 0', "Content-Length: $len", $inner),
    'CL list'                      => $post->("Content-Length: 0, $len", $inner),
    'CL with a sign'               => $post->("Content-Length: +$len", $inner),
    'TE identity'                  => $post->('Transfer-Encoding: identity', $inner),
    'TE twice'                     => $post->('Transfer-Encoding: chunked', 'Transfer-Encoding: chunked', "0\r\n\r\n"),
    'TE xchunked'                  => $post->('Transfer-Encoding: xchunked', "0\r\n\r\n"),
    'TE in HTTP/1.0'               => "POST /t HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n");
--- request
GET /answers
--- response_body
a request as the body: 429
chunked: 429
CL and TE: 400
TE and CL: 400
two CL: 400
CL list: 400
CL with a sign: 400
TE identity: 501
TE twice: 400
TE xchunked: 501
TE in HTTP/1.0: 400



=== TEST 6: a body that is another request is one to be decided where the connection goes on
--- config
    keepalive_timeout 5s;
    location /ok { ratelimit one; client_max_body_size 1m; empty_gif; }
    location /t  { ratelimit wall; proxy_pass http://backend; }
--- http_config
    ratelimit_policy one key=all quota=1/1h;
--- init
my $inner = "GET /t HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n";
main::walk('a lying length' => "POST /ok HTTP/1.1\r\nHost: localhost\r\nContent-Length: 0\r\n\r\n$inner");
--- request
GET /answers
--- response_body
a lying length: 405 429



=== TEST 7: repeated credentials: the first one, or none is taken
--- http_config
    ratelimit_key    $client bearer header=X-API-Key cookie=sid arg=k;
    ratelimit_policy one key=$client quota=1/1h;
--- config
    location /t { ratelimit one; empty_gif; }
--- init
my $ask = sub { main::statuses(main::get('GET /t' . shift() . ' HTTP/1.1', @_)) };
my $text = '';
for my $case (['Authorization', 'Bearer '], ['X-API-Key', ''], ['Cookie', 'sid=']) {
    my ($name, $prefix) = @$case;
    my @one = ("$name: ${prefix}mine");
    my $all = CORE::join ' ', $ask->('', @one), map { $ask->('', @one, "$name: $prefix$_") } 1 .. 3;
    # nginx refuses two Authorization fields since 1.23.
    $all =~ s/\b400\b/429/g;
    $text .= "$name: $all\n";
}
$text .= 'arg: ' . CORE::join(' ', $ask->('?k=mine'), map { $ask->("?k=mine&k=$_") } 1 .. 3) . "\n";
RateLimit::publish('answers', $text);
--- request
GET /answers
--- response_body
Authorization: 200 429 429 429
X-API-Key: 200 429 429 429
Cookie: 200 429 429 429
arg: 200 429 429 429



=== TEST 8: one credential in other spellings
--- http_config
    ratelimit_key    $client bearer header=X-API-Key;
    ratelimit_policy one key=$client quota=1/1h;
--- config
    location /t { ratelimit one; empty_gif; }
--- init
my $ask = sub { main::statuses(main::get('GET /t HTTP/1.1', @_)) };
RateLimit::publish('answers', CORE::join ' ', map { $ask->($_) }
    'Authorization: Bearer mine', 'authorization: bearer mine', 'AUTHORIZATION: BEARER mine',
    'Authorization:Bearer mine', 'Authorization:   Bearer   mine  ', 'X-API-Key: mine', 'x-api-key:mine  ');
--- request
GET /answers
--- response_body chomp
200 429 429 429 429 200 429



=== TEST 9: HTTP/2: fields that are not allowed
--- http2
--- config
    location /t { ratelimit wall; proxy_pass http://backend; }
--- init
my @good = (':method' => 'GET', ':scheme' => 'http', ':path' => '/t', ':authority' => 'localhost');
my @shapes = (
    'good'                    => [@good],
    'two :path'               => [@good, ':path' => '/answers'],
    'two :method'             => [@good, ':method' => 'OPTIONS'],
    'no :path'                => [@good[0 .. 3, 6, 7]],
    'no :method'              => [@good[2 .. 7]],
    'empty :path'             => [@good[0 .. 3], ':path' => '', @good[6, 7]],
    'unknown pseudo'          => [@good, ':unknown' => 'x'],
    'pseudo behind a field'   => [@good[0 .. 3, 6, 7], 'x' => 'y', ':path' => '/t'],
    'host and :authority'     => [@good, 'host' => 'other'],
    'connection'              => [@good, 'connection' => 'close'],
    'transfer-encoding'       => [@good, 'transfer-encoding' => 'chunked'],
    'content-length'          => [@good, 'content-length' => '5'],
    'path with a blank'       => [@good[0 .. 3], ':path' => '/t HTTP/1.1', @good[6, 7]],
    'line break in a field'   => [@good, 'x' => "y\r\nz: 1"],
    'method with a line'      => [':method' => "GET /answers HTTP/1.1\r\nx", @good[2 .. 7]],
    'upper case'              => [@good, 'X-Y' => 'z'],
);
my $text = '';
while (my ($name, $fields) = splice @shapes, 0, 2) {
    my $status = main::h2_status(1, @$fields);
    $text .= "$name: " . ($status eq '429' || $status eq '200' || $status eq '?' ? $status : 'refused by nginx') . "\n";
}
RateLimit::publish('h2', $text);
--- request
GET /h2
--- response_body_like eval
# nginx refuses fields of a connection, and pseudo-fields behind others, since 1.31.
qr/\Agood: 429
two :path: refused by nginx
two :method: refused by nginx
no :path: refused by nginx
no :method: refused by nginx
empty :path: refused by nginx
unknown pseudo: refused by nginx
pseudo behind a field: (?:429|refused by nginx)
host and :authority: refused by nginx
connection: (?:429|refused by nginx)
transfer-encoding: (?:429|refused by nginx)
content-length: refused by nginx
path with a blank: refused by nginx
line break in a field: refused by nginx
method with a line: refused by nginx
upper case: refused by nginx
\z/



=== TEST 10: names=cgi: a credential under all names that PHP takes for its own
--- http_config
    ratelimit_key    $client arg=api_key header=X-API-Key cookie=my_sid names=cgi;
    ratelimit_policy one key=$client quota=1/1h;
    underscores_in_headers on;
--- config
    location /t { ratelimit one; empty_gif; }
--- init
my $ask = sub { main::statuses(main::get('GET /t' . shift() . ' HTTP/1.1', @_)) };
RateLimit::publish('answers', CORE::join "\n",
    'arg: ' . CORE::join(' ', map { $ask->("?$_") }
        'api_key=mine', '%20api_key=mine', 'api.key=mine', 'api[key=mine', 'api_key%00x=mine', '+api%2Ekey=mine'),
    'repeated: ' . CORE::join(' ', map { $ask->("?api_key=$_&%20api.key=mine&api_key=") } 1 .. 5),
    'field: ' . CORE::join(' ', map { $ask->('', "$_: mine") } 'X-API-Key', 'X_API_Key', 'X-API_KEY'),
    'fields: ' . CORE::join(' ', map { $ask->('', "X-API-Key: $_", 'X_API_Key: mine') } 1 .. 3),
    'cookie: ' . CORE::join(' ', map { $ask->('', "Cookie: $_=mine") } 'my_sid', 'my.sid', 'my[sid', 'my sid'),
    'cookies: ' . CORE::join(' ', map { $ask->('', "Cookie: my.sid=$_; my_sid=mine") } 1 .. 3));
--- request
GET /answers
--- response_body chomp
arg: 200 429 429 429 429 429
repeated: 200 429 429 429 429
field: 200 429 429
fields: 200 429 429
cookie: 200 429 429 429
cookies: 200 429 429
