# The back end of usage.sh: DIR/backend.sock answers a request for /SHAPE with
# that stream, chunk by chunk, which DIR/SHAPE has for comparison.
#
# An event has 505 bytes, 512 as a chunk, and so is the response's head: with a
# buffer of 512 bytes nginx reads one event at a time, but for the last two.

use strict;
use warnings;
use IO::Socket::UNIX;

use constant { EVENTS => 2000, LENGTH => 505, READ => 512 };

my ($dir) = @ARGV;

my $words = 'word ' x 200;
my $prose = 'The keeper of the lighthouse wrote a letter each week.\n\"Nobody asks,\" he said, '
    . '\"what the sea takes back.\" He liked to walk, and to think of nothing while the lamp turned. ' x 4;
my $foreign = '\u4e2d\u6587' x 50;

# Makes it as long as an event is, by a text in the place of TEXT that is cut
# behind a letter or an escape.
sub filled {
    my ($event, $text) = @_;

    my $room = LENGTH + 4 - length $event;
    $text =~ /^((?:\\u[0-9a-f]{4}|\\.|[^\\]){0,$room})/;
    $text = $1;
    $text =~ s/(?:\\u[0-9a-f]{4}|\\.|[^\\])$// while length $text > $room;
    $event =~ s/TEXT/$text . ' ' x ($room - length $text)/e;
    return $event;
}

sub openai {
    my ($text, $each) = @_;

    my $head = 'data: {"id":"chatcmpl-1234567890","object":"chat.completion.chunk","created":1700000000,'
        . '"model":"m","system_fingerprint":"fp_1234567890","service_tier":"default","choices":[';
    my $choice = '{"index":0,"delta":{"content":"TEXT"},"logprobs":null,"finish_reason":null}';
    my $usage = sub {
        return qq({"prompt_tokens":20,"completion_tokens":$_[0],"total_tokens":) . (20 + $_[0]) . '}';
    };

    # The last one has no choice, and so no text.
    return (
        map({ filled($head . $choice . '],"usage":' . ($each ? $usage->($_) : 'null') . "}\n\n", $text) }
            1 .. EVENTS - 1),
        $head . '],"usage":' . $usage->(EVENTS) . "}\n\n");
}

sub anthropic {
    my $delta = "event: content_block_delta\n"
        . 'data: {"type":"content_block_delta","index":0,"delta":{"type":"text_delta","text":"TEXT"}}' . "\n\n";

    return (
        filled("event: message_start\n"
            . 'data: {"type":"message_start","message":{"id":"TEXT","usage":{"input_tokens":20,"output_tokens":1}}}'
            . "\n\n", $words),
        map({ filled($delta, $words) } 3 .. EVENTS),
        filled("event: message_delta\n"
            . 'data: {"type":"message_delta","delta":{"stop_reason":"TEXT"},"usage":{"output_tokens":2000}}' . "\n\n",
            $words));
}

sub ollama {
    return map {
        filled('{"model":"m","created_at":"2026-01-01T00:00:00.000000Z","response":"TEXT","done":'
            . ($_ < EVENTS ? 'false' : 'true,"prompt_eval_count":20,"eval_count":2000') . "}\n", $words)
    } 1 .. EVENTS;
}

my @done = ("data: [DONE]\n\n");
my %chunks = (
    openai    => [openai($words), @done],
    prose     => [openai($prose), @done],
    foreign   => [openai($foreign), @done],
    each      => [openai($words, 1), @done],
    cut       => [unpack '(a450)*', join '', openai($words), @done],
    whole     => [openai($words), @done],
    anthropic => [anthropic()],
    ollama    => [ollama()],
);

my %writes;
for my $shape (keys %chunks) {
    my $head = "HTTP/1.1 200 OK\r\nContent-Type: "
        . ($shape eq 'ollama' ? 'application/x-ndjson' : 'text/event-stream')
        . "\r\nTransfer-Encoding: chunked\r\nX-Filling: ";
    my @writes = ($head . 'x' x (READ - 4 - length $head) . "\r\n\r\n",
        map({ sprintf "%x\r\n%s\r\n", length, $_ } @{$chunks{$shape}}), "0\r\n\r\n");
    $writes{$shape} = $shape eq 'whole' ? [join '', @writes] : \@writes;

    open my $file, '>', "$dir/$shape" or die $!;
    print $file @{$chunks{$shape}};
    close $file;
}

my $listener = IO::Socket::UNIX->new(Local => "$dir/backend.sock", Listen => 8) or die $!;
chmod 0777, "$dir/backend.sock";
$SIG{CHLD} = $SIG{PIPE} = 'IGNORE';

while (my $socket = $listener->accept) {
    next if fork;
    my $got = '';
    while (sysread $socket, $got, 4096, length $got) {
        while ($got =~ s/^\S+ \/(\w+).*?\r\n\r\n//s) {
            syswrite $socket, $_ for @{$writes{$1}};
        }
    }
    exit;
}
