#!/bin/bash

# The answers of ratelimit_api, under load from two workers, as others read
# them: JSON by the schema, Prometheus' text by promtool; and what operators
# are given for Prometheus and Grafana.

. t/tools/tap.sh

dir=$BUILD/api-check
port=$((20000 + RANDOM % 10000))
url=http://127.0.0.1:$port
promtool=${PROMTOOL:-promtool}
rm -rf "$dir" && mkdir -p "$dir"

cat > "$dir/nginx.conf" <<END
load_module $MODULE;
worker_processes 2;
pid nginx.pid;
error_log error.log error;
events { }
http {
    ratelimit_zone   zone=api:1m;
    ratelimit_zone   zone=big:70m;
    ratelimit_policy sliding  key=\$arg_k quota=5/60s zone=api;
    ratelimit_policy gcra     key=\$arg_k key=x quota=100/60s zone=big algorithm=gcra capacity=20;
    ratelimit_policy calendar key=\$arg_k quota=\$arg_q zone=big algorithm=calendar;
    ratelimit_log_level info;
    keepalive_requests 1000000;
    access_log off;
    client_body_temp_path tmp1;
    proxy_temp_path tmp2;
    fastcgi_temp_path tmp3;
    uwsgi_temp_path tmp4;
    scgi_temp_path tmp5;
    server {
        listen 127.0.0.1:$port reuseport;
        location /t { ratelimit sliding gcra calendar; empty_gif; }
        location /one { ratelimit sliding; empty_gif; }
        location /ratelimit/ { ratelimit_api write=on; allow 127.0.0.1; deny all; }
    }
}
END

get() {
    curl -sS --noproxy '*' "$url/$1" "${@:2}"
}

valid() {
    local kind=$1
    shift
    get "$@" > "$dir/body" && python3 t/tools/validate.py "$kind" < "$dir/body"
}

prometheus_text() {
    get ratelimit/metrics > "$dir/metrics" &&
        "$promtool" check metrics < "$dir/metrics"
}

decided() {
    get ratelimit/metrics |
        awk '/^nginx_ratelimit_requests_total.*policy="sliding"/ { n += $2 } END { print n }'
}

# wrk goes while some of its 8 connections wait for an answer.
every_request_once() {
    local sent counted before
    before=$(decided)
    sent=$(wrk -t1 -c8 -d1s "$url/one?k=a" |
        sed -n 's/ *\([0-9]*\) requests in.*/\1/p')
    counted=$(($(decided) - before))
    echo "sent $sent, counted $counted"
    [ "${sent:-0}" -gt 0 ] && [ "$counted" -ge "$sent" ] &&
        [ "$counted" -le $((sent + 8)) ]
}

prometheus_agrees() {
    local json text
    json=$(get ratelimit/ | python3 -c '
import json, sys
for p in json.load(sys.stdin)["policies"]:
    for result in "admitted", "refused", "refused_dry_run", "bypassed":
        print(p["zone"], p["name"], result, p["requests"][result])')
    text=$(get ratelimit/metrics | sed -n \
        's/^nginx_ratelimit_requests_total{zone="\(.*\)",policy="\(.*\)",result="\(.*\)"} /\1 \2 \3 /p')
    same "$json" "$text"
}

# Series are those of zones and policies, however many keys there are.
same_series() {
    same "$(grep -v '^#' "$dir/metrics" | sed 's/ [0-9]*$//')" \
        "$(get ratelimit/metrics | grep -v '^#' | sed 's/ [0-9]*$//')"
}

# Every query of the dashboard as a rule, for want of a Grafana to ask.
dashboard_queries() {
    python3 -c '
import json
print("groups: [{name: dashboard, rules: [")
for panel in json.load(open("conf-examples/grafana-dashboard.json"))["panels"]:
    for target in panel["targets"]:
        expr = target["expr"].replace("$__rate_interval", "5m")
        print(json.dumps({"record": "a:b", "expr": expr, "labels": {"id": "%s%s" % (panel["id"], target["refId"])}}), ",")
print("]}]")' > "$dir/dashboard.yml" &&
        "$promtool" check rules --lint=all --lint-fatal "$dir/dashboard.yml"
}

# Names in the files for Prometheus and Grafana are names that exist.
known_metrics() {
    local name unknown=0
    for name in $(grep -h -o 'nginx_ratelimit_[a-z_]*' conf-examples/* | sort -u); do
        grep -q "^# TYPE $name " "$dir/metrics" || { echo "no $name"; unknown=1; }
    done
    return $unknown
}

"$NGINX_BINARY" -p "$dir/" -c "$dir/nginx.conf" -e "$dir/error.log" || exit 1
trap 'kill "$(cat "$dir/nginx.pid")"' EXIT

check 'state of nothing yet' valid state ratelimit/
check 'metrics of nothing yet' prometheus_text
check 'two workers count every request once' every_request_once

for key in $(seq 100); do
    echo "url = \"$url/t?k=$key&q=9/1d\""
    echo "url = \"$url/t?k=often&q=8/1M\""
done | curl -sS --noproxy '*' -K - > "$dir/answers"

check 'state' valid state ratelimit/
check 'metrics' prometheus_text
check 'metrics and JSON say the same' prometheus_agrees
check 'a key' valid key 'ratelimit/keys?policy=sliding&key=often'
check 'a key of a variable quota' valid key 'ratelimit/keys?policy=calendar&key=often'
check 'a key never seen' valid key 'ratelimit/keys?policy=calendar&key=never'
check 'lists' valid top 'ratelimit/keys?top=100'
check 'lists of a policy' valid top 'ratelimit/keys?top=5&policy=sliding'
check 'an override of a zone' valid overrides 'ratelimit/overrides?zone=api&scale=12.5%&for=1h' -X PUT
check 'an override of a key' valid overrides 'ratelimit/overrides?policy=gcra&key=1&key=x&quota=unlimited' -X PUT
check 'a key with an override' valid key 'ratelimit/keys?policy=gcra&key=1&key=x'
check 'a reset key' valid key 'ratelimit/keys?policy=sliding&key=often' -X DELETE
check 'one override less' valid overrides 'ratelimit/overrides?zone=api' -X DELETE
check 'a problem' valid problem 'ratelimit/keys?policy=nope&key=a'
check 'another problem' valid problem 'ratelimit/nothing'
check 'no series for a key' same_series
check 'prometheus.yml and its rules' "$promtool" check config --lint=all \
    --lint-fatal conf-examples/prometheus.yml
check 'the alerts come when they should' "$promtool" test rules t/lib/prometheus-rules.test.yml
check "the dashboard's queries" dashboard_queries
check 'metrics that are named exist' known_metrics
check 'nothing in the log' same '' "$(cat "$dir/error.log")"

finish
