use lib 't/lib';
use RateLimit;
use Redis;
use Test::More;
use Test::Nginx::Util ();
use Time::HiRes qw(sleep time);

# What bans.lua does with what it is told.
plan(skip_all => 'no redis-server') if !Redis::program();

my $redis = Redis->start;
my $script = do { local (@ARGV, $/) = 'src/ratelimit/shared/bans.lua'; <> };
my $sha = $redis->ask('SCRIPT', 'LOAD', $script);
my $hour = 3600e3;
my $ban = 'a';
my $who = 'the key1the key2a policy';

sub fresh { $redis->ask('FLUSHALL'); $ban = 'a' }

# The answer: whether a ban is to begin, since when and for how long there is one.
sub told {
    my $answer = $redis->ask('EVALSHA', $sha, 2, 'feed', $ban, $who, @_);
    my ($begins, $now, $record) = unpack 'C a6 a*', $answer or return $answer;
    return $begins if $record eq '';
    my ($head, @times) = unpack 'a24 a6 a6 a6 C', $record;
    my ($since, $until, $memory) = map { unpack 'Q<', "$_\0\0" } @times[0 .. 2];
    $now = unpack 'Q<', "$now\0\0";
    return ($begins, $head eq $who ? 'its own' : $head, $now - $since, $until ? $until - $now : 0,
            $memory - $now, $times[3]);
}

# What is new since an answer, or since ever: records, then the answer.
sub feed {
    my ($last) = @_;
    my ($epoch, $version) = $last ? @$last : ('', 0);
    my $answer = $redis->ask('EVALSHA', $sha, 1, 'feed', $epoch, $version);
    (my $now, $epoch, $version, my $records) = unpack 'a6 a8 a7 a*', $answer;
    return (scalar(my @all = unpack '(a43)*', $records), [$epoch, unpack 'Q<', "$version\0"]);
}

fresh();
is_deeply([map { (told(0, 60000, 4))[0] } 1 .. 4], [0, 0, 0, 1], 'so many refusals begin a ban');
is((told(0, 60000, 4))[0], 0, 'by one machine');
sleep 1.05;
is((told(0, 60000, 4))[0], 1, 'or by another where that one tells of none');
is((feed())[0], 0, 'of refusals the feed has nothing');
cmp_ok($redis->ask('PTTL', 'a'), '<=', 60000 * 17 / 16 + 1, 'they are there for their window');
cmp_ok($redis->ask('PTTL', 'a'), '>', 60000, 'which is whole');

fresh();
told(0, 0, 1, $hour, 0);  # is remembered, so that its refusals are not gone with it
sleep 0.01;
told(0, 800, 2);
sleep 0.9;
is((told(0, 800, 2))[0], 0, 'after a window a refusal does not count');
is((told(0, 900, 2))[0], 0, 'nor in another window');
is((told(0, 900, 2))[0], 1, 'which counts by itself');

fresh();
my @new = told(0, 1000, 5000, $hour, 1);
is_deeply([@new[0, 1, 3 .. 5]], [0, 'its own', 5000, $hour, 1], 'a ban is as it was told');
is($new[2], 1000, 'and began when it was told');
my ($n, $seen) = feed();
is($n, 1, 'the feed has it');
is((feed($seen))[0], 0, 'once');
told(0, 1000, 5300, $hour, 1);
is((feed($seen))[0], 0, 'told again, by somebody a little later, it is the same');
told(0, 0, 3000, $hour, 2);
is((feed($seen))[0], 0, 'a shorter one does not shorten it');
is_deeply([(told(0, 60000, 1))[0]], [0], 'while it lasts no refusal begins another');
told(0, 0, 9000, 48 * $hour, 2);
($n, $seen) = feed($seen);
is_deeply([$n, (told(0, 60000, 1))[5]], [1, 2], 'a longer one takes its place');
is($redis->ask('ZCARD', 'feed'), 2, 'and its place in the feed');
cmp_ok($redis->ask('PTTL', 'feed'), '>', 47 * $hour, 'which lasts for as long as one is remembered');

is_deeply([(told(0, $hour))[3, 5]], [0, 0], 'lifted');
($n, $seen) = feed($seen);
is($n, 1, 'as all are told');
told(0, 10000, 9000, $hour, 2);
is((feed($seen))[0], 0, 'one that began before that does not come back');
sleep 0.01;
told(0, 1, 9000, $hour, 0);
is((feed($seen))[0], 1, 'one that began after it does');
sleep 0.05;
is_deeply([told(20, 60000, 4)], [0], 'one from before its policy was reset is none');
told(20, 1, 4000, $hour, 0);
cmp_ok((told(20, 60000, 4))[3], '<=', 4000, 'and holds back no shorter one');

fresh();
told(0, 0, 40, 41, 0);
for my $i (1 .. 40) { $ban = "b$i"; $who = sprintf 'the key1the ke%02da policy', $i; told(0, 0, 5000, $hour, 0) }
sleep 0.05;
for my $i (1 .. 40) { $ban = "c$i"; $who = sprintf 'the key2the ke%02da policy', $i; told(0, 0, 5000, $hour, 0) }
is($redis->ask('ZCARD', 'feed'), 81, 'what nobody remembers goes, what is in force stays');
is((feed())[0], 80, 'and is read');
for my $i (1 .. 400) { $ban = "d$i"; $who = sprintf 'the key3the k%03da policy', $i; told(0, 0, 5000, $hour, 0) }
my $all = 0;
$seen = undef;
do { ($n, $seen) = feed($seen); $all += $n } while ($n == 256);
is($all, 480, 'in as many answers as it takes');
my $bytes = $redis->ask('MEMORY', 'USAGE', 'feed', 'SAMPLES', 0) / 481 + $redis->ask('MEMORY', 'USAGE', 'd1');
cmp_ok($bytes, '<', 340, sprintf 'bytes of a ban: %d', $bytes);
$ban = 'e';
told(0, 60000, 4);
cmp_ok($redis->ask('MEMORY', 'USAGE', 'e'), '<', 150, 'bytes of a refusal');

$redis->ask('DEL', 'feed');
is((feed($seen))[0], 0, 'a feed that was lost is another one');
isnt((feed($seen))[1][0], $seen->[0], 'as all notice');
$ban = 'f';
told(0, 0, 5000, $hour, 0);
is((feed($seen))[0], 1, 'and is read from its beginning');

done_testing();
