"""Asks nginx at given times, whatever it answers, over as many connections as
that takes."""

import asyncio
import collections
import dataclasses
import random
import time


@dataclasses.dataclass
class Demand:
    """What one key asks for: `rate` a second on average; with bursts, ten times
    that for a tenth of the time, a twentieth of the window on end."""

    key: str
    quota: int
    window_s: float
    rate: float
    bursts: bool = False

    def times(self, seconds, draw):
        at, until = 0.0, seconds
        if self.bursts:
            until = draw.expovariate(20 / self.window_s)
        while True:
            at += draw.expovariate(self.rate * (10 if self.bursts else 1))
            if self.bursts and at > until:
                at = until + draw.expovariate(20 / self.window_s / 9)
                until = at + draw.expovariate(20 / self.window_s)
            if at >= seconds:
                return
            yield at


class Counts:
    """What was made of one key's requests. `false_refused`: although there was
    room for one, as `sliding` counts, by sixteenths of the window."""

    def __init__(self, demand):
        self.demand = demand
        self.admitted = self.refused = self.false_refused = 0
        self.ring = collections.Counter()

    def add(self, admitted, now):
        sixteenth = int(now / (self.demand.window_s / 16))
        if admitted:
            self.admitted += 1
            self.ring[sixteenth] += 1
            return
        self.refused += 1
        used = sum(self.ring[sixteenth - i] for i in range(17))
        self.false_refused += used < self.demand.quota


class Connection(asyncio.Protocol):
    def __init__(self, idle):
        self.idle = idle
        self.data = b""

    def connection_made(self, transport):
        self.transport = transport

    def connection_lost(self, exc):
        if self.idle is not None:
            raise SystemExit(f"nginx closed a connection: {exc}")

    def ask(self, path, counts):
        self.counts = counts
        self.transport.write(b"GET %s HTTP/1.1\r\nHost: x\r\n\r\n" % path)

    def data_received(self, data):
        self.data += data
        head = self.data.find(b"\r\n\r\n")
        if head < 0:
            return
        at = self.data.lower().find(b"content-length: ") + 16
        length = int(self.data[at:self.data.find(b"\r", at)])
        if len(self.data) < head + 4 + length:
            return
        status = int(self.data[9:12])
        if status not in (200, 429):
            raise SystemExit(f"nginx answered {status}")
        self.data = b""
        self.counts.add(status == 200, time.time())
        self.idle.append(self)


async def send(requests):
    loop = asyncio.get_running_loop()
    idle = collections.defaultdict(collections.deque)
    every, begin, late = [], loop.time() + 0.1, []
    for at, port, path, counts in requests:
        delay = begin + at - loop.time()
        if delay > 0:
            await asyncio.sleep(delay)
        late.append(max(0, -delay))
        if idle[port]:
            one = idle[port].popleft()
        else:
            _, one = await loop.create_connection(
                lambda: Connection(idle[port]), "127.0.0.1", port)
            every.append(one)
        one.ask(path, counts)
    await asyncio.sleep(0.5)
    for one in every:
        one.idle = None
        one.transport.close()
    return sorted(late)[len(late) * 99 // 100]


def ask(targets, demands, seconds, seed=1):
    """Sends each request to one of the ports of each target, {path: ports}, which
    are drawn for all alike. Counts by (path, key), and how late, in seconds, the
    latest hundredth was sent."""
    draw = random.Random(seed)
    counts = {(path, d.key): Counts(d) for path in targets for d in demands}
    requests = []
    for d in demands:
        for at in d.times(seconds, draw):
            part = draw.random()
            for path, ports in targets.items():
                requests.append((at, ports[int(part * len(ports))],
                                 f"{path}?k={d.key}".encode(), counts[path, d.key]))
    requests.sort(key=lambda r: r[0])
    return counts, asyncio.run(send(requests))
