"""Sends requests of one key at once, each of a connection of its own.

    apart.py PORT COUNT

Prints how many milliseconds lie between two answers, at the median."""

import asyncio
import statistics
import sys

port, count = int(sys.argv[1]), int(sys.argv[2])
answered = []


async def ask():
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(b"GET /?k=one HTTP/1.1\r\nHost: x\r\n\r\n")
    head = await reader.readuntil(b"\r\n\r\n")
    answered.append(asyncio.get_running_loop().time())
    if not head.startswith(b"HTTP/1.1 200"):
        sys.exit(head.decode())


async def main():
    await asyncio.gather(*(ask() for _ in range(count)))


asyncio.run(main())
answered.sort()
print(f"{1000 * statistics.median(b - a for a, b in zip(answered, answered[1:])):.1f}")
