# Sourced by checks, behind load.sh: $REDIS_SERVER, or the checks are skipped.
# Debian's redis-tools have the server under another name and start no service.

if [ -z "${REDIS_SERVER:-}" ]; then
    REDIS_SERVER=$(command -v redis-server) || {
        [ -x /usr/bin/redis-check-rdb ] || {
            echo '1..0 # SKIP there is no redis-server'
            exit
        }
        REDIS_SERVER=$BUILD/redis-server
        ln -sf /usr/bin/redis-check-rdb "$REDIS_SERVER"
    }
fi
export REDIS_SERVER

# start_redis: one without persistence, process $redis, on $redis_port.
start_redis() {
    redis_port=$(free_port) || exit 1
    "$REDIS_SERVER" --port "$redis_port" --bind 127.0.0.1 --save '' --appendonly no \
        --dir "$dir" > "$dir/redis.log" 2>&1 &
    redis=$!
    beside+=("$redis")
    trap stop_all EXIT
}
