package ConfErrors;

# What the suites of configuration errors share: every block is a configuration
# that nginx must refuse.  "--- directive" is a line of the server beside one
# zone and one policy, where a block says nothing else.

use strict;
use warnings;

use RateLimit;
use Test::Nginx::Util;

add_block_preprocessor(sub {
    my $block = shift;

    $block->set_value('must_die', '');
    $block->set_value('config', $block->directive) if defined $block->directive;
    $block->set_value('http_config', <<'_END_') if !defined $block->http_config;
    ratelimit_zone   zone=api:64k;
    ratelimit_policy token key=$arg_k quota=1/1h;
_END_
});

1;
