"""Asks nginx at a steady mean rate, at random times, over several connections.

    paced.py RATE SECONDS PATH PORT...

Prints how many were answered with 200, and how many with 429; anything else is
an error."""

import asyncio
import random
import sys

rate, seconds, path = float(sys.argv[1]), float(sys.argv[2]), sys.argv[3]
ports = [int(port) for port in sys.argv[4:]]
counts = {200: 0, 429: 0}


async def connection(port, mean):
    loop = asyncio.get_running_loop()
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    at = loop.time()
    end = at + seconds
    while True:
        at += random.expovariate(mean)
        if at > end:
            break
        await asyncio.sleep(at - loop.time())
        writer.write(f"GET {path} HTTP/1.1\r\nHost: x\r\n\r\n".encode())
        head = await reader.readuntil(b"\r\n\r\n")
        length = int(head.lower().split(b"content-length: ")[1].split(b"\r")[0])
        await reader.readexactly(length)
        counts[int(head[9:12])] += 1


async def main():
    random.seed(1)
    each = 8
    mean = rate / (each * len(ports))
    await asyncio.gather(*(connection(port, mean) for port in ports for _ in range(each)))


asyncio.run(main())
print(counts[200], counts[429])
