#!/bin/bash

# Reloads under load that change a quota, an algorithm, the policies there are
# and the size of a zone.  Every key uses up its quota at last: what was
# admitted, by the log, is that quota, not a request more or less.

. t/tools/tap.sh
. t/tools/load.sh

load_dir reload
reloads=$(short_or_long 5 100)
keys=$(short_or_long 100 600)  # fewer than the least zone has room for

# conf TURN: an even one is what the load begins and ends with.
conf() {
    local odd=$(($1 % 2)) sizes=(64k 1m 256k 128k)
    local -A quota=([0]=60 [1]=40)
    main_conf 2
    echo 'http {'
    http_conf
    cat << END
    log_format admitted "\$uri \$arg_k";
    map \$ratelimit_status \$admitted { PASSED 1; }
    access_log admitted.log admitted if=\$admitted;

    ratelimit_zone   zone=same:1m;
    ratelimit_zone   zone=sized:${sizes[$1 % 4]};
    ratelimit_policy quota key=\$arg_k quota=${quota[$odd]}/1h algorithm=fixed zone=same;
    ratelimit_policy sized key=\$arg_k quota=60/1h algorithm=fixed zone=sized;
END
    if [ "$odd" = 1 ]; then
        cat << END
    ratelimit_policy other key=\$arg_k quota=30/366d algorithm=gcra zone=same;
END
    else
        cat << END
    ratelimit_policy other key=\$arg_k quota=60/1h algorithm=fixed zone=same;
    ratelimit_policy gone  key=\$arg_k quota=60/1h algorithm=fixed zone=same;
END
    fi
    cat << END
    server {
        listen 127.0.0.1:$port;
        location /quota { ratelimit quota; empty_gif; }
        location /other { ratelimit other; empty_gif; }
        location /sized { ratelimit sized; empty_gif; }
        location /gone  { $([ "$odd" = 1 ] || echo 'ratelimit gone;') empty_gif; }
    }
}
END
}

# keys_of LOCATION: how many keys had how many requests admitted, as in
# "100 60".
keys_of() {
    grep "^/$1 " "$dir/admitted.log" | sort | uniq -c |
        awk '{ n[$1]++ } END { for (a in n) print n[a], a }'
}

cat > "$dir/wrk.lua" << END
local locations = { "quota", "other", "sized", "gone" }
request = function()
    return wrk.format("GET", "/" .. locations[math.random(4)] .. "?k=" ..
                      math.random(0, $keys - 1))
end
END

conf 0 > "$dir/nginx.conf"
start
wrk -t1 -c16 -d600s -s "$dir/wrk.lua" "http://127.0.0.1:$port" \
    > "$dir/wrk" 2>&1 &
load=$!
done_reloads=0
for ((turn = 1; turn <= reloads + reloads % 2; turn++)); do
    sleep 0.2
    reload "$turn" && done_reloads=$((done_reloads + 1))
done
sleep 0.2
kill -INT "$load"
wait "$load"
note "$(sed -n 's/^ *\([0-9]* requests in\)/\1/p' "$dir/wrk")," \
    "$done_reloads reloads"

# What is left of every quota, under both algorithms of "other".
for location in quota other sized gone; do
    ask $((keys * 70)) "/$location?k=%d" 0 70 > "$dir/answers"
done
reload 1
ask $((keys * 70)) "/other?k=%d" 0 70 > "$dir/answers"

check 'every reload succeeded' test "$done_reloads" -ge "$reloads"
check 'a changed quota: its greatest was used, exactly' \
    same "$keys 60" "$(keys_of quota)"
check 'an algorithm and back: the quota of each was, exactly' \
    same "$keys 90" "$(keys_of other)"
check 'a policy that was gone for a while: its quota, exactly' \
    same "$keys 60" "$(keys_of gone)"
check 'a changed size: the quota, exactly' same "$keys 60" "$(keys_of sized)"
note "$(grep -c 'zone "sized" moves' "$dir/error.log") times \"sized\" moved"
check 'nothing in the log' quiet_log

finish
