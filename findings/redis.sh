# shellcheck shell=bash disable=SC2154
# Sourced after common.sh: Debian 12's Redis on a socket in the temporary
# folder, without a file on disk. `redis ARGUMENT...` is its command line.

debian_packages redis-server=7.0.15 redis-tools=7.0.15 liblzf1=3.6 \
    libjemalloc2=5.3.0 libatomic1=12.2.0

redis() { "$tmp/root/usr/bin/redis-cli" -s "$tmp/redis.socket" "$@"; }

redis_start() {
    start "$tmp/root/usr/bin/redis-server" --port 0 --unixsocket \
        "$tmp/redis.socket" --dir "$tmp" --save '' --appendonly no
    redis_pid=${pids[-1]}
    within redis ping
}
