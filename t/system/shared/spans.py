"""How long rows.lua lets units be held: of much that is free a third may be, near
the end of a quota an eighth.

    spans.py ROWS.LUA"""

import sys

import redis

WINDOW, LONGEST = 1000, 62
NOW = 1795880000000
CLOCK = "local t = call('TIME')\nlocal clock = t[1] * 1000 + floor(t[2] / 1000)"

source = open(sys.argv[1]).read()
fixed = source.replace(CLOCK, f"local clock = {NOW}")
assert fixed != source
server = redis.Server()
client = redis.Client(server.port)
sha = client("SCRIPT", "LOAD", fixed)


def ask(row, quota, number=1, used=0, need=0, want=0):
    data = redis.request(
        row=row, number=number, algorithm=0, window=WINDOW, quota=quota,
        capacity=quota, need=need, waits=need, want=want, keep=0, used=used,
        age=0, longest=LONGEST, shortest=1, flags=int(number == 1), latest=0,
        slack=50, window_end=0, begin=0, end=0, next_end=0)
    return redis.Reply(client("EVALSHA", sha, 2, "{0a}", "{0a}gen", data, 100000))


def span(quota, used, rows, want):
    """Of the last row's lease, what it may be at a third and at an eighth."""
    client("FLUSHALL")
    client("SET", "{0a}gen", redis.little(1, 6) + b"12345678")
    assert ask(1, quota, need=used, want=used).granted == used
    ask(1, quota, number=2, used=used)
    for row in range(2, 2 + rows):
        reply = ask(row, quota, need=1, want=want)
        assert reply.granted >= 1
    free = reply.free + reply.granted
    return reply.lease, *(min(LONGEST, LONGEST * free // (part * rows * want))
                          for part in (3, 8))


bad = 0
for quota, used, rows, want, plenty in ((1000, 800, 4, 12, True), (1000, 800, 4, 40, True),
                                        (1000, 970, 4, 12, False), (100, 60, 4, 5, False)):
    lease, third, eighth = span(quota, used, rows, want)
    print(f"{used} of {quota} used, {rows} rows that want {want}: {lease} ms of {LONGEST}")
    bad += lease != (third if plenty else eighth) or third == eighth
server.remove()
sys.exit(bad > 0)
