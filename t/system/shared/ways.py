"""rows.lua's short way against its long one: the same requests at the same, given
times leave the same bytes and are answered the same; and while clocks go forward
nothing is given that the quota has not.

    ways.py ROWS.LUA SEED ROUNDS"""

import random
import sys

import redis

CLOCK = "local t = call('TIME')\nlocal clock = t[1] * 1000 + floor(t[2] / 1000)"
SHORT = "  if not v then return slow(key, gkey, req, ttl, v) end\n"

source = open(sys.argv[1]).read()
random.seed(int(sys.argv[2]))
rounds = int(sys.argv[3])
both = source.replace(CLOCK, "local clock = tonumber(call('GET', '{0a}now'))")
assert both != source
long_only = both.replace(SHORT, "  if true then return slow(key, gkey, req, ttl, v) end\n")
assert long_only != both

server = redis.Server()
client = redis.Client(server.port)
sha = {name: client("SCRIPT", "LOAD", text)
       for name, text in (("A", both), ("B", long_only))}
chance = random.random
differ = overdrawn = asked = granted = 0
statuses = {}


def new_row():
    return dict(reset=0, row=int.from_bytes(random.randbytes(8), "little"), number=0, left=0,
                end=0, used=0, last=now, window_end=0, first=True)


def ask(name, data):
    return client("EVALSHA", sha[name], 2, "{0a}" + name, "{0a}gen" + name, data, 100000)


for number in range(rounds):
    algorithm = number % 4
    client("FLUSHALL")
    for name in "AB":
        client("SET", "{0a}gen" + name, redis.little(1, 6) + b"12345678")
    window = random.choice((1000, 1600, 60000))
    quota = random.choice((10, 100, 1000, 100000, 3 * 10 ** 9, 10 ** 15 - 1))
    capacity = random.choice((quota, max(1, quota // 4)))
    now = 1795880000000 + random.randrange(10 ** 6)
    machines = [new_row() for _ in range(random.choice((1, 2, 5)))]
    clock_steps = chance() < .3
    resets = chance() < .5
    reset = 0
    for _ in range(500):
        now += random.choice((0, 1, 3, window // 40, window // 16, window // 8,
                              window // 3 if chance() < .1 else 1))
        if clock_steps and chance() < .01:
            now += random.choice((-window, window, -3 * window, 5, -5, window // 4))
        if chance() < .01:
            quota = random.choice((quota, min(quota * 2, 10 ** 15 - 1), 70000, 60000))
            capacity = min(capacity, quota)
        client("SET", "{0a}now", now)
        if resets and chance() < .01:
            reset = now + random.choice((window // 8, 2 * window))
        m = random.choice(machines)
        if chance() < .01:
            m.update(new_row())
        if m["reset"] < reset and chance() < .5:
            m.update(new_row(), reset=reset)
        if now >= m["end"]:
            m["left"] = 0
        use = random.randrange(m["left"] + 1)
        m["left"] -= use
        m["used"] += use
        if use:
            m["last"] = now
        m["left"] = random.choice((0, m["left"], random.randrange(m["left"] + 1)))
        m["number"] += 1
        ends = not m["first"] and chance() < .01
        if ends:
            m["left"] = 0
        need = 0 if ends else random.choice((0, 1, 1, 1, 3, 1 + quota // 50))
        waits = need and need + random.choice((0, 0, 2))
        begin = now - now % window
        back = random.randrange(1, 4) if not m["first"] and chance() < .02 else 0
        data = redis.request(
            row=m["row"],
            number=m["number"] - (chance() < .02 and m["number"] > 1),
            algorithm=algorithm, window=window, quota=quota, capacity=capacity,
            need=need, waits=waits,
            want=0 if ends else min(max(waits, random.choice((0, 5, quota // 5))), 2 ** 24 - 1),
            keep=m["left"], used=m["used"], age=max(0, now - m["last"]),
            longest=window // 16, shortest=30, flags=int(m["first"]) + 8 * ends + 16 * (back > 0),
            latest=random.choice((0, now + 2)), slack=50, window_end=m["window_end"],
            reset=m["reset"],
            begin=begin, end=begin + window, next_end=begin + 2 * window)
        if back:
            data += redis.little(back, 7) + redis.little(random.randrange(window), 5)
        one, other = ask("A", data), ask("B", data)
        asked += 1
        if one != other or client("GET", "{0a}A") != client("GET", "{0a}B"):
            differ += 1
            if differ < 4:
                print("differs:", algorithm, window, quota, vars(redis.Reply(one)),
                      vars(redis.Reply(other)))
        reply = redis.Reply(one)
        statuses[reply.status] = statuses.get(reply.status, 0) + 1
        if not clock_steps and reply.status == 1 and reply.free < 0 < reply.granted:
            overdrawn += 1
        if reply.status == 1:
            m["first"] = False
            granted += reply.granted
            if algorithm in (1, 2) and reply.window_end != m["window_end"]:
                m.update(window_end=reply.window_end, used=0, left=0)
            m["left"] += reply.granted
            m["end"] = now + reply.lease
        if reply.status in (-2, -5) or ends:
            m.update(new_row(), reset=reply.wait if reply.status == -5 else m["reset"])

server.remove()
print(f"{asked} requests, {differ} differ, {overdrawn} overdrawn, "
      f"statuses {statuses}, {granted} units granted")
sys.exit(differ > 0 or overdrawn > 0 or granted == 0 or len(statuses) < 2)
