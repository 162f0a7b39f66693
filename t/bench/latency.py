"""How much later a request is answered, at the median, where Redis is a round trip
of 5 ms away:

    latency.py REDIS_PORT

One request after the other, to nginx without a limit, to one that counts for
itself, and to mode=lease and mode=strict, in turns. Rows of a table. Environment:
DIR, MODULE."""

import asyncio
import statistics
import sys
import threading
import time

import fleet
from fleet import row

ONE_WAY_S = 0.0025
QUOTA = "6000/60s"
TURNS = 300


async def pipe(reader, writer):
    loop = asyncio.get_running_loop()
    while data := await reader.read(65536):
        loop.call_later(ONE_WAY_S, writer.write, data)
    writer.close()


async def delay(port, redis_port, ready):
    async def link(reader, writer):
        far = await asyncio.open_connection("127.0.0.1", redis_port)
        await asyncio.gather(pipe(reader, far[1]), pipe(far[0], writer))

    await asyncio.start_server(link, "127.0.0.1", port)
    ready.set()
    await asyncio.Event().wait()


class Connection:
    def __init__(self, port):
        self.socket = fleet.redis.socket.create_connection(("127.0.0.1", port))

    def ask(self, path):
        begin = time.perf_counter()
        self.socket.sendall(f"GET {path}?k=a HTTP/1.1\r\nHost: x\r\n\r\n".encode())
        data = b""
        while b"GIF89a" not in data:
            data += self.socket.recv(4096)
        ms = 1000 * (time.perf_counter() - begin)
        if not data.startswith(b"HTTP/1.1 200"):
            sys.exit(data.decode("latin-1"))
        return ms


far_port, ready = fleet.redis.free_port(), threading.Event()
threading.Thread(target=lambda: asyncio.run(delay(far_port, int(sys.argv[1]), ready)),
                 daemon=True).start()
ready.wait()
far = fleet.redis.Client(far_port)
cells = [(mode, QUOTA) for mode in ("none", "local", "lease", "strict")]
paths = [f"/{mode}/{QUOTA}" for mode, _ in cells]
times = {path: [] for path in paths + ["PING"]}
with fleet.Fleet(1, cells, far_port) as machines:
    nginx = Connection(machines.ports[0])
    for turn in range(TURNS):
        for path in paths:
            times[path].append(nginx.ask(path))
        begin = time.perf_counter()
        far("PING")
        times["PING"].append(1000 * (time.perf_counter() - begin))

_, local, lease, strict, ping = (statistics.median(t) for t in times.values())
row("added latency at the median, lease over a count of its own", "0",
    f"{lease - local:+.2f} ms, Redis a round trip of {ping:.2f} ms away")
row("… strict, in round trips", "1", f"{(strict - local) / ping:.2f}")
