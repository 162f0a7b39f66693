#!/usr/bin/env bats

# The answers of ratelimit_api, under load from two workers, as others read
# them: JSON by the schema, Prometheus' text by promtool; and what operators
# are given for Prometheus and Grafana.

dir=$BUILD/api-check
promtool=${PROMTOOL:-promtool}

setup_file() {
    . t/tools/ports.sh
    export port=$(free_port)
    # Workers, who write api.state, may be nobody's.
    rm -rf "$dir" && mkdir -m 0777 -p "$dir"
    cat > "$dir/nginx.conf" << END
load_module $MODULE;
worker_processes 2;
pid nginx.pid;
error_log error.log error;
events { }
http {
    ratelimit_zone   zone=api:1m state=$dir/api.state;
    ratelimit_zone   zone=big:70m;
    ratelimit_policy sliding  key=\$arg_k quota=5/60s zone=api;
    ratelimit_policy gcra     key=\$arg_k key=x quota=100/60s zone=big algorithm=gcra capacity=20;
    ratelimit_policy calendar key=\$arg_k quota=\$arg_q zone=big algorithm=calendar;
    ratelimit_policy login    key=\$arg_k quota=1/60s zone=api ban=10m,1h after=1 label=\$arg_k;
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
        location /login { ratelimit login; empty_gif; }
        location /ratelimit/ { ratelimit_api write=on; allow 127.0.0.1; deny all; }
        location /standing { ratelimit sliding gcra calendar; ratelimit_standing; }
    }
}
END
    "$NGINX_BINARY" -p "$dir/" -c "$dir/nginx.conf" -e "$dir/error.log" 3>&-
}

teardown_file() {
    kill "$(cat "$dir/nginx.pid")"
}

get() {
    curl -sS --noproxy '*' "http://127.0.0.1:$port/$1" "${@:2}"
}

valid() {
    local kind=$1
    shift
    get "$@" > "$dir/body" && python3 t/tools/validate.py "$kind" < "$dir/body"
}

decided() {
    get ratelimit/metrics |
        awk '/^nginx_ratelimit_requests_total.*policy="sliding"/ { n += $2 } END { print n }'
}

@test 'state of nothing yet' {
    valid state ratelimit/
}

@test "a client's standing, limited and not" {
    valid standing 'standing?k=a'
    valid standing standing
}

@test 'metrics of nothing yet' {
    get ratelimit/metrics | "$promtool" check metrics
}

# wrk goes while some of its 8 connections wait for an answer.
@test 'two workers count every request once' {
    local sent counted before
    before=$(decided)
    sent=$(wrk -t1 -c8 -d1s "http://127.0.0.1:$port/one?k=a" |
        sed -n 's/ *\([0-9]*\) requests in.*/\1/p')
    counted=$(($(decided) - before))
    echo "sent $sent, counted $counted"
    [ "${sent:-0}" -gt 0 ]
    [ "$counted" -ge "$sent" ]
    [ "$counted" -le $((sent + 8)) ]
}

@test 'state, with a hundred keys' {
    for key in $(seq 100); do
        echo "url = \"http://127.0.0.1:$port/t?k=$key&q=9/1d\""
        echo "url = \"http://127.0.0.1:$port/t?k=often&q=8/1M\""
    done | curl -sS --noproxy '*' -K - > "$dir/answers"
    valid state ratelimit/
}

@test 'metrics' {
    get ratelimit/metrics > "$dir/metrics"
    "$promtool" check metrics < "$dir/metrics"
}

# The same series, whichever form they are asked for in.
@test 'metrics as OpenMetrics' {
    get ratelimit/metrics -H 'Accept: application/openmetrics-text; version=1.0.0' > "$dir/open"
    diff <(series prometheus_client.parser < "$dir/metrics") \
        <(series prometheus_client.openmetrics.parser < "$dir/open")
    [ "$(tail -n 1 "$dir/open")" = '# EOF' ]
}

# series PARSER: types and series of the metrics on standard input.
series() {
    python3 -c '
import importlib, sys
parser = importlib.import_module(sys.argv[1])
for family in parser.text_string_to_metric_families(sys.stdin.read()):
    for sample in family.samples:
        print(family.type, sample.name, sorted(sample.labels.items()))' "$1" | sort
}

@test 'metrics and JSON say the same' {
    diff <(get ratelimit/ | python3 -c '
import json, sys
for p in json.load(sys.stdin)["policies"]:
    for result in "admitted", "refused", "refused_dry_run", "bypassed":
        print(p["zone"], p["name"], result, p["requests"][result])') \
        <(get ratelimit/metrics | sed -n \
            's/^nginx_ratelimit_requests_total{zone="\(.*\)",policy="\(.*\)",result="\(.*\)"} /\1 \2 \3 /p')
}

@test 'a key' {
    valid key 'ratelimit/keys?policy=sliding&key=often'
}

@test 'a key of a variable quota' {
    valid key 'ratelimit/keys?policy=calendar&key=often'
}

@test 'a key never seen' {
    valid key 'ratelimit/keys?policy=calendar&key=never'
}

@test 'lists' {
    valid top 'ratelimit/keys?top=100'
}

@test 'lists of a policy' {
    valid top 'ratelimit/keys?top=5&policy=sliding'
}

@test 'bans' {
    valid bans ratelimit/bans
    for key in a a b b; do get "login?k=$key" > "$dir/answers"; done
    valid bans 'ratelimit/bans?policy=login'
    valid key 'ratelimit/keys?policy=login&key=a'
    valid state ratelimit/
}

@test 'a ban less' {
    valid key 'ratelimit/bans?policy=login&key=a' -X DELETE
}

@test 'an override of a zone' {
    valid overrides 'ratelimit/overrides?zone=api&scale=12.5%&for=1h' -X PUT
}

@test 'an override of a key' {
    valid overrides 'ratelimit/overrides?policy=gcra&key=1&key=x&quota=unlimited' -X PUT
}

@test 'a key with an override' {
    valid key 'ratelimit/keys?policy=gcra&key=1&key=x'
}

@test 'a reset key' {
    valid key 'ratelimit/keys?policy=sliding&key=often' -X DELETE
}

@test 'a reset policy' {
    valid reset 'ratelimit/keys?policy=calendar&all=yes' -X DELETE
}

@test 'one override less' {
    valid overrides 'ratelimit/overrides?zone=api' -X DELETE
}

# The first sample was taken before there was any request.
@test 'the last minutes' {
    for _ in {1..26}; do
        valid history ratelimit/history
        [ "$(told)" != "$(decided)" ] || return 0
        sleep 0.5
    done
    echo "told $(told) of $(decided)"
    false
}

told() {
    python3 -c '
import json, sys
for p in json.load(sys.stdin)["policies"]:
    if p["name"] == "sliding":
        print(sum(sum(sample[2:5]) for sample in p["samples"]))' < "$dir/body"
}

@test 'a problem' {
    valid problem 'ratelimit/keys?policy=nope&key=a'
}

@test 'another problem' {
    valid problem 'ratelimit/nothing'
}

# Series are those of zones and policies, however many keys there are.
@test 'no series for a key' {
    diff <(grep -v '^#' "$dir/metrics" | sed 's/ [0-9.]*$//') \
        <(get ratelimit/metrics | grep -v '^#' | sed 's/ [0-9.]*$//')
}

@test 'prometheus.yml and its rules' {
    "$promtool" check config --lint=all --lint-fatal conf-examples/prometheus.yml
}

@test 'the alerts come when they should' {
    "$promtool" test rules t/lib/prometheus-rules.test.yml
}

# Every query of the dashboard as a rule, for want of a Grafana to ask.
@test "the dashboard's queries" {
    python3 -c '
import json
print("groups: [{name: dashboard, rules: [")
for panel in json.load(open("conf-examples/grafana-dashboard.json"))["panels"]:
    for target in panel["targets"]:
        expr = target["expr"].replace("$__rate_interval", "5m")
        print(json.dumps({"record": "a:b", "expr": expr, "labels": {"id": "%s%s" % (panel["id"], target["refId"])}}), ",")
print("]}]")' > "$dir/dashboard.yml"
    "$promtool" check rules --lint=all --lint-fatal "$dir/dashboard.yml"
}

# Names in the files for Prometheus and Grafana are names that exist.
@test 'metrics that are named exist' {
    local name unknown=0
    for name in $(grep -h -o 'nginx_ratelimit_[a-z_]*' conf-examples/* | sort -u); do
        grep -q -E "^(# TYPE $name |$name[{])" "$dir/metrics" || { echo "no $name"; unknown=1; }
    done
    [ $unknown = 0 ]
}

@test 'nothing in the log' {
    diff /dev/null "$dir/error.log"
}
