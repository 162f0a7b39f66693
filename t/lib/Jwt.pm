package Jwt;

# Keys made by openssl when a suite starts, and tokens signed by them.
#
# - pem(NAME), private_pem(NAME), jwk(NAME, MEMBER => VALUE...), jwks(JWK...)
# - token(ALG, KEY, CLAIMS, MEMBER => VALUE...): KEY is a name, or a secret for
#   HS*; CLAIMS are a hash or JSON text; the members are the header's, where
#   "alg" may be another than it is signed by
# - bearer(TOKEN): the field of a request

use strict;
use warnings;

use Digest::SHA ();
use Exporter 'import';
use File::Temp ();
use JSON::PP ();
use MIME::Base64 ();

our @EXPORT = qw(pem private_pem jwk jwks token bearer b64 secret);

my $dir = File::Temp->newdir;
my $json = JSON::PP->new->canonical->latin1->allow_nonref;

sub secret { return 'a secret of sixteen bytes or more' }

sub openssl {
    my @arguments = @_;

    system('openssl', @arguments) == 0 or die "openssl @arguments failed";
}

sub slurp {
    my ($file) = @_;

    open my $in, '<:raw', $file or die "cannot read $file: $!";
    local $/;
    return scalar <$in>;
}

sub spew {
    my ($file, $text) = @_;

    open my $out, '>:raw', $file or die "cannot write $file: $!";
    print $out $text;
    close $out or die "cannot write $file: $!";
    return $file;
}

# The file of a private key; its kind is its name up to the first "_".
sub key_file {
    my ($name) = @_;
    my $file = "$dir/$name.key";
    my %arguments = (
        rsa     => 'RSA -pkeyopt rsa_keygen_bits:2048',
        weak    => 'RSA -pkeyopt rsa_keygen_bits:1024',
        p256    => 'EC -pkeyopt ec_paramgen_curve:P-256',
        p384    => 'EC -pkeyopt ec_paramgen_curve:P-384',
        ed25519 => 'ED25519',
    );

    if (!-e $file) {
        my ($kind) = split /_/, $name;
        my $command = "openssl genpkey -out $file -algorithm $arguments{$kind}";
        # It draws its progress.
        system("$command 2> /dev/null") == 0 or die "$command failed";
    }

    return $file;
}

sub private_pem { return slurp(key_file(@_)) }

sub public_key {
    my ($name, $form) = @_;
    my $file = "$dir/$name.$form";

    openssl('pkey', '-in', key_file($name), '-pubout', '-outform', $form,
            '-out', $file) if !-e $file;
    return slurp($file);
}

sub pem { return public_key($_[0], 'PEM') }

sub b64 {
    my ($bytes) = @_;
    my $text = MIME::Base64::encode_base64($bytes, '');

    $text =~ tr|+/=|-_|d;
    return $text;
}

# The numbers stand at the end of what openssl writes, those of RSA before the
# exponent's five bytes.
sub jwk {
    my ($name, %more) = @_;
    my $der = public_key($name, 'DER');
    my %jwk;

    if ($name =~ /^(?:rsa|weak)/) {
        my $len = $name =~ /^weak/ ? 128 : 256;
        %jwk = (kty => 'RSA', e => 'AQAB', n => b64(substr $der, -5 - $len, $len));
    } elsif ($name =~ /^p(256|384)/) {
        my $len = $1 / 8;
        %jwk = (kty => 'EC', crv => "P-$1", x => b64(substr $der, -2 * $len, $len),
                y => b64(substr $der, -$len));
    } else {
        %jwk = (kty => 'OKP', crv => 'Ed25519', x => b64(substr $der, -32));
    }

    return {%jwk, %more};
}

sub jwks { return $json->encode({keys => [@_]}) }

# r and s of a DER signature, in $len bytes each.
sub raw_signature {
    my ($der, $len) = @_;
    my (undef, undef, undef, $r, undef, $s) = unpack 'CCCC/aCC/a', $der;

    return join '', map { substr(("\0" x $len) . $_, -$len) } $r, $s;
}

sub signature {
    my ($alg, $key, $input) = @_;
    my ($family, $bits) = $alg =~ /^([A-Z]+)(\d*)/;

    if ($family eq 'HS') {
        return Digest::SHA->can("hmac_sha$bits")->($input, $key);
    }

    my ($in, $out) = (spew("$dir/input", $input), "$dir/signature");
    my @sign = ('dgst', "-sha$bits", '-sign', key_file($key));

    if ($alg eq 'EdDSA') {
        @sign = ('pkeyutl', '-sign', '-rawin', '-inkey', key_file($key), '-in');
    } elsif ($family eq 'PS') {
        push @sign, qw(-sigopt rsa_padding_mode:pss -sigopt rsa_pss_saltlen:digest);
    }

    if ($alg eq 'EdDSA') {
        openssl(@sign, $in, '-out', $out);
    } else {
        openssl(@sign, '-out', $out, $in);
    }

    return $family eq 'ES' ? raw_signature(slurp($out), $bits / 8) : slurp($out);
}

sub token {
    my ($alg, $key, $claims, %header) = @_;
    my $text = ref $claims ? $json->encode($claims) : $claims;
    my $input = b64($json->encode({alg => $alg, typ => 'JWT', %header}))
                . '.' . b64($text);

    return $input . '.' . b64(signature($alg, $key, $input));
}

sub bearer {
    my ($token) = @_;

    return "Authorization: Bearer $token";
}

1;
