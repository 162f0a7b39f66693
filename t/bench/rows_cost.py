"""What one row's renewal costs Redis beside a script that only counts, and what a
bucket takes of its memory, five machines using it:

    rows_cost.py REDIS_PORT

Requests are sent many at once, so that this is the time of Redis and its scripts,
and not the network's. Rows of a table."""

import hashlib
import os
import random
import statistics
import sys

import fleet
from fleet import row

MACHINES, WINDOW_MS, QUOTA = 5, 60000, 60000
GENERATION = b"ratelimit:{0a}generation"
COUNTER = b"""local t = redis.call('TIME')
local v = redis.call('INCRBY', KEYS[1], ARGV[1])
if v == tonumber(ARGV[1]) then redis.call('PEXPIRE', KEYS[1], ARGV[2]) end
return {v, t[1] * 1000}"""

client = fleet.redis.Client(int(sys.argv[1]))
root = os.path.join(os.path.dirname(__file__), "../..")
with open(f"{root}/src/ratelimit/shared/rows.lua", "rb") as source:
    rows = client("SCRIPT", "LOAD", source.read())
counter = client("SCRIPT", "LOAD", COUNTER)
ids = [hashlib.sha256(b"machine %d" % i).digest()[:8] for i in range(MACHINES)]


def name(i):
    return b"ratelimit:{0a}" + hashlib.sha256(b"key %d" % i).hexdigest()[:14].encode()


def now_ms():
    seconds, us = client("TIME")
    return int(seconds) * 1000 + int(us) // 1000


class Row:
    def __init__(self, key, machine):
        self.key, self.id = key, int.from_bytes(machine, "little")
        self.number = self.used = 0

    def request(self):
        """That it has used five units since, and asks for as many."""
        first = self.number == 0
        self.number += 1
        self.used += 0 if first else 5
        return fleet.redis.request(
            row=self.id, number=self.number, window=WINDOW_MS, quota=QUOTA, need=1, waits=1,
            want=5, used=self.used, age=5, longest=WINDOW_MS // 16, shortest=30, flags=first)


def command(*args):
    return b"*%d\r\n" % len(args) + b"".join(b"$%d\r\n%s\r\n" % (len(a), a) for a in args)


def call(of):
    keys = [k for r in of for k in (r.key, GENERATION)]
    args = [a for r in of for a in (r.request(), b"65000")]
    return command(b"EVALSHA", rows, b"%d" % len(keys), *keys, *args)


def count():
    return command(b"EVALSHA", counter, b"1", b"c%d" % random.randrange(1000), b"1", b"60000")


def us_each(make, calls=6000, together=100):
    before = fleet.redis_us(client)
    for _ in range(calls // together):
        client.socket.sendall(b"".join(make() for _ in range(together)))
        for _ in range(together):
            reply = client.read()
    us = (fleet.redis_us(client) - before) / calls
    if isinstance(reply, bytes) and fleet.redis.Reply(reply[:64]).status != 1:
        sys.exit("a renewal was not granted")
    return us


def buckets(number):
    """With a row of each machine."""
    every = [Row(name(i), machine) for i in range(number) for machine in ids]
    for at in range(0, len(every), 100):
        part = every[at:at + 100]
        client.socket.sendall(b"".join(call([r]) for r in part))
        for _ in part:
            client.read()
    return every


def memory():
    return int([line for line in client("INFO", "memory").decode().split()
                if line.startswith("used_memory:")][0].split(":")[1])


client("SET", GENERATION, (now_ms() - 1000).to_bytes(6, "little") + b"12345678")
every = buckets(50)
ratios = {1: [], 16: []}
us_each(count)
for _ in range(5):
    plain = us_each(count)
    ratios[1].append(us_each(lambda: call([random.choice(every)])) / plain)
    # Sixteen buckets of one machine, as a turn of a worker sends them.
    ratios[16].append(us_each(
        lambda: call(random.sample(every[random.randrange(MACHINES)::MACHINES], 16)),
        calls=600) / 16 / plain)
row("a renewal ÷ a script that only counts, Redis's time, five machines", "≤ 2.8",
    f"{statistics.median(ratios[1]):.2f}")
row("… sixteen in a call, each", "≤ 2", f"{statistics.median(ratios[16]):.2f}")
client("FLUSHALL")
client("SET", GENERATION, (now_ms() - 1000).to_bytes(6, "little") + b"12345678")
before, number = memory(), 24576  # Redis's tables are three quarters full
every = buckets(number)
row("bytes of a bucket in Redis, all in, five machines", "≤ 400",
    f"{(memory() - before) / number:.0f} (the value alone: "
    f"{client('STRLEN', every[0].key)})")
client("FLUSHALL")
