# Sourced by whatever starts servers of its own.

# free_port [COUNT]: the first of COUNT ports (1) that nothing is bound to.
free_port() {
    perl -MIO::Socket::INET -e '
        for (1 .. 1000) {
            my $first = 20000 + int rand 10000;
            my @bound = map IO::Socket::INET->new(Listen => 1,
                LocalAddr => "127.0.0.1", LocalPort => $first + $_), 0 .. $ARGV[0] - 1;
            next if @bound != grep defined, @bound;
            print "$first\n";
            exit;
        }
        die "no free port\n"' "${1:-1}"
}
