# man.sh LOWDOWN DESCRIPTION REFERENCE: ngx_http_ratelimit_module(8), compressed,
# out of the reference, under a head that man wants.
{
    printf '# NAME\n\nngx\\_http\\_ratelimit\\_module - %s\n\n' "$2"
    cat "$3"
} | "$1" -s -Tman --nroff-nolinks -M title=ngx_http_ratelimit_module -M section=8 |
    gzip -9n
