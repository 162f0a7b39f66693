#!/bin/bash

# A flood of keys that nobody has seen before: who has been refused stays
# refused, and who asks little is not; beside limit_req, which forgets the
# former.  Then a flood that spends every key it makes up, and what that costs
# the attacker.

. t/tools/tap.sh
. t/tools/load.sh

load_dir flood
keys=$(short_or_long 50000 1000000)

{
    main_conf 1
    echo 'http {'
    http_conf
    echo "    access_log off;"
    cat << END
    ratelimit_zone   zone=api:1m;
    ratelimit_zone   zone=spent:64k;
    ratelimit_policy token key=\$arg_k quota=10/1h zone=api;
    ratelimit_policy spent key=\$arg_k quota=10/1h zone=spent;
    limit_req_zone   \$arg_k zone=req:1m rate=1r/m;
    limit_req_status 429;
    limit_req_log_level info;
    server {
        listen 127.0.0.1:$port;
        location /ratelimit/ { ratelimit_api; allow all; }
        location /token      { ratelimit token; empty_gif; }
        location /spent      { ratelimit spent; empty_gif; }
        location /limit_req  { limit_req zone=req burst=9 nodelay; empty_gif; }
    }
}
END
} > "$dir/nginx.conf"

start

# flood LOCATION: ten slices, with 100 light users asking between them; sets
# $before and $after, what the victim is admitted, and $light, what the light
# users are refused.
flood() {
    local i began=$SECONDS
    before=$(answers 200 15 "/$1?k=victim")
    light=0
    for ((i = 0; i < 10; i++)); do
        ask $((keys / 10)) "/$1?k=%d" $((i * keys / 10)) > "$dir/answers"
        [ $i -ge 9 ] ||
            light=$((light + $(answers 429 100 "/$1?k=light%d")))
    done
    after=$(answers 200 15 "/$1?k=victim")
    note "$1: victim admitted $before of 15, $keys strangers in" \
        "$((SECONDS - began)) s, then $after of 15; light users refused $light"
}

evicted_active() {
    metric nginx_ratelimit_zone_evictions_total "zone=\"$1\",state=\"active\""
}

# spend N FIRST TIMES: N strangers, from number FIRST on, each ask so often.
spend() {
    ask $(($1 * $3)) '/spent?k=%d' "$2" "$3" > "$dir/answers"
}

victim_is_refused() {
    [ "$(answers 200 1 '/spent?k=victim')" = 0 ]
}

flood token
check 'the victim has its quota and no more' test "$before" = 10
check 'it stays refused after the flood' test "$after" = 0
check 'light users are not refused' test "$light" = 0
check 'the flood went over its own kind' test "$(evicted_active api)" -gt 30000
note "evicted_active $(evicted_active api) of $(metric \
    nginx_ratelimit_zone_capacity_buckets 'zone="api"') buckets"

flood limit_req
check 'limit_req has the victim refused before' test "$before" = 10
check 'and lets it in again after the flood' test "$after" = 10

# A client that has been refused outweighs one that has only used all that it
# has; between equals the one that is idle sooner goes, the older.
buckets=$(metric nginx_ratelimit_zone_capacity_buckets 'zone="spent"')
ask 11 '/spent?k=victim' > "$dir/answers"
spend $((buckets * 5 / 4)) 0 10
check 'as many spent keys as there are buckets leave the victim refused' \
    victim_is_refused

for ((i = 0; i < 2 * buckets; i += 31)); do
    victim_is_refused || break
    spend 31 $((100000 + i)) 11
done
note "hostile: the victim is let in again after $i keys that were refused" \
    "as well, $((11 * i)) requests, in a zone of $buckets buckets;" \
    "evicted_active $(evicted_active spent)"
check 'nor do refused ones, before the zone is full of them for the greater part' \
    test "$i" -ge $((buckets / 2))
check 'evicted_active tells' test "$(evicted_active spent)" -gt 0
check 'and the log warns' grep -q 'zone "spent" is full' "$dir/error.log"

finish
