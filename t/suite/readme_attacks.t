# The documents' examples under attack: each configuration as it stands there,
# sent what a client may make up.  "admitted" is how many requests of so many
# reach the application in sum.
#
# - "--- readme: text" is the one example that has this text.  Its servers get
#   the suite's port, its applications unix sockets, its keys come from Jwt.pm.
# - "--- server" is what an example without a server leaves to the reader.
# - "--- attack" is Perl: pairs of a name and what came of it.

use lib 't/lib';
use RateLimit;
use Jwt;
use Test::Nginx::Socket 'no_plan';

our $Dir = '$TEST_NGINX_HTML_DIR';

sub example {
    my ($part) = @_;

    my $text = do { local (@ARGV, $/) = qw(README.md src/REFERENCE.md conf-examples/README.md); join '', <> };
    my @found = grep { /\Q$part\E/ } $text =~ /^```nginx\n(.*?)^```$/msg;
    die 'the documents have ' . @found . " examples with $part" if @found != 1;
    return $found[0];
}

# The inside of its http block, with these servers.
sub http_block {
    my ($text, $server) = @_;

    $text =~ s/\A.*?^http \{\n(.*)^\}\s*\z/$1/ms;
    $text =~ s/listen +127\.0\.0\.1:8080;//;
    $text .= "server {\n$server}\n" if defined $server;
    $text =~ s/^( *)server \{/$1server { listen \$TEST_NGINX_SERVER_PORT;/m;
    $text =~ s/127\.0\.0\.1:808([12])/unix:$Dir\/808$1.sock/g;
    $text =~ s/(http:\/\/unix:\S+?\.sock)/$1:/g;
    $text =~ s/(issuer\.pem|session\.key)/$Dir\/$1/g;
    return $text;
}

add_block_preprocessor(sub {
    my $block = shift;

    my ($part) = $block->readme =~ /(.*)/;
    my $attack = $block->attack;

    $block->set_value('http_config', <<"_END_" . http_block(example($part), $block->server));
    keepalive_requests 100000;
    server { listen unix:$Dir/8081.sock; return 200 "application\n"; }
    server { listen unix:$Dir/8082.sock; access_log $Dir/auth.log; add_header X-User alice; return 204; }
_END_
    $block->set_value('user_files', [['issuer.pem' => pem('rsa')], ['session.key' => secret()], ['login' => '']]);
    $block->set_value('config', 'location /answers { }');
    $block->set_value('server_name', 'of-test-nginx');
    $block->set_value('raw_request',
                      "GET /answers HTTP/1.1\r\nHost: of-test-nginx\r\nConnection: close\r\n\r\n");
    $block->set_value('init', <<"_END_");
my \@pairs = do { $attack };
my \$text = '';
while (my (\$name, \$answer) = splice \@pairs, 0, 2) { \$text .= "\$name: \$answer\n" }
RateLimit::publish('answers', \$text);
_END_
});

# How many of $n requests are answered by the application; $fields->($i) are
# the fields of one.
sub admitted {
    my ($n, $line, $fields) = @_;

    my $answers = RateLimit::pipeline($n, sub {
        my ($i) = @_;
        my $request = $line =~ s/#/$i/gr;
        return CORE::join "\r\n", "$request HTTP/1.1", 'Host: localhost',
               $fields ? $fields->($i) : (), '', '';
    });
    return $answers->{200} // 0;
}

# A request line may change with every request, and so may every field.
our $bearer = sub { "Authorization: Bearer made-up-$_[0]" };
our $mine = 'Authorization: Bearer mine';

run_tests();

__DATA__

=== TEST 1: the first example: one token is one client, whatever is put beside it
--- readme: ratelimit_policy create  key=$client
--- attack
('API keys' => main::admitted(40, 'GET /search', sub { ($main::mine, "X-API-Key: $_[0]") }),
 'arguments' => main::admitted(40, 'GET /search?access_token=#&access_token=x', sub { $main::mine }),
 'cookies' => main::admitted(40, 'GET /search', sub { ($main::mine, "Cookie: token=$_[0]") }),
 'spellings' => main::admitted(40, 'GET /search', sub { 'Authorization: bEARER ' . ' ' x $_[0] . "mine, $_[0]" }),
 'addresses' => main::admitted(40, 'GET /search', sub { ($main::mine, "X-Forwarded-For: 192.0.2.$_[0]") }),
 'creations' => main::admitted(40, 'POST /api-keys', sub { ($main::mine, "X-API-Key: $_[0]", 'Content-Length: 0') }),
 'all else' => main::admitted(700, 'GET /#', sub { ($main::mine, "X-API-Key: $_[0]") }))
--- response_body
API keys: 30
arguments: 0
cookies: 0
spellings: 0
addresses: 0
creations: 10
all else: 560



=== TEST 2: made-up tokens get what their address gets
--- readme: ratelimit_policy create  key=$client
--- attack
('made up' => main::admitted(1300, 'GET /search', $main::bearer),
 'and more' => main::admitted(100, 'GET /', sub { "Authorization: Bearer more-$_[0]" }),
 'mine' => main::admitted(5, 'GET /', sub { $main::mine }),
 'none' => main::admitted(5, 'GET /'))
--- response_body
made up: 1200
and more: 0
mine: 0
none: 0



=== TEST 3: limit_req's way
--- readme: ratelimit_policy one key=$remote_addr
--- attack
my $start = time;
my $got = main::admitted(200, 'GET /login?#', sub { ($main::bearer->(@_), "X-Forwarded-For: 192.0.2.$_[0]") });
my $most = 21 + 10 * (time - $start + 1);
('as many as the rate and the burst' => $got >= 21 && $got <= $most ? 'yes' : "$got, not up to $most")
--- response_body
as many as the rate and the burst: yes



=== TEST 4: claims: forged tokens count for their address
--- readme: ratelimit_policy tenant  key=$tenant
--- server
location / { ratelimit tenant user; proxy_pass http://127.0.0.1:8081; }
--- attack
my $good = main::token('RS256', 'rsa', {sub => 'alice', org => {id => 'acme'}});
my ($head, $payload) = split /\./, $good;
my $forged = sub { "Authorization: Bearer $head.$payload." . main::b64(sprintf '%0256d', $_[0]) };
('forged' => main::admitted(500, 'GET /', $forged),
 'none' => main::admitted(200, 'GET /'),
 'unsigned' => main::admitted(10, 'GET /', sub {
     'Authorization: Bearer ' . main::b64('{"alg":"none"}') . '.' . main::b64("{\"sub\":\"$_[0]\"}") . '.' }),
 'signed' => main::admitted(650, 'GET /', sub { ("Authorization: Bearer $good", "Cookie: session=made-up-$_[0]") }),
 'a session beside it' => main::admitted(10, 'GET /', sub {
     ("Authorization: Bearer $good", 'Cookie: session=' . main::token('HS256', main::secret(), {sub => "bob$_[0]"})) }))
--- response_body
forged: 500
none: 100
unsigned: 0
signed: 600
a session beside it: 0



=== TEST 5: plans: nobody chooses his own, nor another host
--- readme: ratelimit_policy per_site
--- server
server_name app.example;
location / { ratelimit plan; proxy_pass http://127.0.0.1:8081; }
location /host { ratelimit per_site; proxy_pass http://127.0.0.1:8081; }
--- attack
my $pro = main::token('RS256', 'rsa', {sub => 'alice', plan => 'pro'});
('no plan' => main::admitted(80, 'GET /', sub { ('X-Plan: internal', "Authorization: Bearer internal") }),
 'pro' => main::admitted(650, 'GET /', sub { ('X-Plan: internal', "Authorization: Bearer $pro") }),
 'hosts' => main::admitted(120, 'GET http://h#.example/host'))
--- response_body
no plan: 60
pro: 600
hosts: 100



=== TEST 6: refusals with a body
--- readme: '{"error":"slow down","policy"
--- attack
('made up' => main::admitted(700, 'GET /?api_key=#', $main::bearer))
--- response_body
made up: 600



=== TEST 7: authentication: no method gets to it but as its address may
--- readme: auth_request_set $user $upstream_http_x_user;
--- attack
my $start = time;
main::admitted(1000, 'OPTIONS /api/', $main::bearer);
my $seconds = time - $start + 1;
my $calls = () = do { local @ARGV = html_dir() . '/auth.log'; <> };
('calls of the authentication' => $calls <= 100 * $seconds ? 'as the address may' : "$calls in $seconds s")
--- response_body
calls of the authentication: as the address may



=== TEST 8: authentication: who is over a quota behind it still pays before it
--- readme: auth_request_set $user $upstream_http_x_user;
--- attack
my $start = time;
my $exports = main::admitted(1000, 'GET /api/export', $main::bearer);
my $seconds = time - $start + 1;
my $calls = () = do { local @ARGV = html_dir() . '/auth.log'; <> };
('exports' => $exports,
 'calls of the authentication' => $calls <= 100 * $seconds ? 'as the address may' : "$calls in $seconds s")
--- response_body
exports: 10
calls of the authentication: as the address may
