#!/bin/bash

# Memory that cannot be had: each allocation that the module makes for a
# request fails once.  The answer may be an error, and fields may be missing;
# but nobody gets by uncounted without a line in the log, and nothing crashes.

. t/tools/tap.sh
. t/tools/load.sh

if [ -z "$MODULE" ]; then
    echo '1..0 # SKIP the module is linked into nginx'
    exit
fi

load_dir allocations

link_faulty alloc || exit 1
head -c 16 /dev/zero > "$dir/fault"
chmod 0666 "$dir/fault"

{
    MODULE=$dir/faulty.so main_conf 1
    echo 'http {'
    http_conf
    cat << END
    access_log off;
    ratelimit_zone   zone=api:1m;
    ratelimit_key    \$client header=X-API-Key arg=k;
    ratelimit_key    \$both   bearer|cookie=a arg=k;
    map \$arg_k \$quota { default 3/1h; }
    map \$arg_k \$one   { default 1; }
    ratelimit_policy first  key=\$client key=\$arg_k key=\$both quota=\$quota;
    ratelimit_policy second key=x\$client quota=3/1h algorithm=gcra capacity=\$one\$one scale=\$one\$one\$one%;
    ratelimit_policy third  key=\$client quota=3/1h skip_if=\$arg_no count_if=\$one\$one;
    ratelimit_policy late   key=\$arg_k quota=3/1h;
    ratelimit_usage  \$said json=/said types=image/gif;
    ratelimit_headers x-ratelimit ietf draft3 per-policy prefix=X-;
    ratelimit_body   application/json '{"left":"\$ratelimit_remaining_first","key":"\$ratelimit_key_id"}';
    server {
        listen 127.0.0.1:$port;
        location /t {
            ratelimit first if=\$one\$one cost=\$one methods=GET;
            ratelimit second third settle=\$one;
            ratelimit late phase=precontent dry_run=\$arg_no settle=\$said settle_at=end;
            add_header X-Seen "\$ratelimit_limit \$ratelimit_key_id_second \$ratelimit_reset_at";
            empty_gif;
        }
        location /left {
            default_type text/plain;
            return 200 "left: \$ratelimit_remaining_first \$ratelimit_remaining_second \$ratelimit_remaining_third \$ratelimit_remaining_late\n";
        }
    }
}
END
} > "$dir/nginx.conf"

export FAULT_FILE=$dir/fault
start
check 'it serves' test "$(answers 200 1 '/t?k=0')" = 1

for kind in admitted refused; do
    perl t/tools/fail_allocations.pl "$port" "$dir/fault" "$dir/error.log" \
        $([ $kind = admitted ] || echo refused) > "$dir/$kind" 2>&1
    while read -r line; do
        note "$kind: $line"
    done < "$dir/$kind"
    check "$kind: allocations fail" grep -q -v '^bypasses' "$dir/$kind"
    check "$kind: no bypass that nobody is told of" \
        grep -q '^bypasses: 0$' "$dir/$kind"
done

check 'the server is there as before' test "$(answers 200 1 '/t?k=1')" = 1
check 'no process died' \
    sh -c "! grep -E '\[(alert|emerg)\]|exited on signal' '$dir/error.log'"

finish
