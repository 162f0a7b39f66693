"""A Redis server of one's own, the little of its protocol that checks need, and
the bytes of rows.lua's requests and replies."""

import os
import shutil
import socket
import subprocess
import tempfile
import time


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


class Error(Exception):
    pass


class Client:
    def __init__(self, port):
        self.socket = socket.create_connection(("127.0.0.1", port))
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.file = self.socket.makefile("rb")

    def __call__(self, *args):
        args = [a if isinstance(a, bytes) else str(a).encode() for a in args]
        self.socket.sendall(b"*%d\r\n" % len(args) + b"".join(
            b"$%d\r\n%s\r\n" % (len(a), a) for a in args))
        return self.read()

    def read(self):
        line = self.file.readline()
        if not line.endswith(b"\r\n"):
            raise ConnectionError("closed")
        kind, rest = line[:1], line[1:-2]
        if kind == b"+":
            return rest
        if kind == b"-":
            raise Error(rest.decode())
        if kind == b":":
            return int(rest)
        if kind == b"$":
            return None if rest == b"-1" else self.file.read(int(rest) + 2)[:-2]
        return [self.read() for _ in range(int(rest))]


class Server:
    """redis-server on a free port; $REDIS_SERVER is the program."""

    def __init__(self, *options):
        self.port = free_port()
        self.dir = tempfile.mkdtemp(prefix="ratelimit-redis-")
        self.options = options
        self.start()

    def start(self):
        self.process = subprocess.Popen(
            [os.environ["REDIS_SERVER"], "--port", str(self.port), "--bind",
             "127.0.0.1", "--save", "", "--appendonly", "no", "--dir", self.dir,
             *self.options], stdout=subprocess.DEVNULL)
        for _ in range(500):
            try:
                Client(self.port)("PING")
                return
            except (OSError, Error):
                time.sleep(0.02)
        raise SystemExit("redis-server does not start")

    def stop(self):
        self.process.kill()
        self.process.wait()

    def remove(self):
        self.stop()
        shutil.rmtree(self.dir)


def little(value, width):
    return (int(value) & ((1 << 8 * width) - 1)).to_bytes(width, "little")


REQUEST = (("row", 8), ("number", 4), ("algorithm", 1), ("window", 5), ("quota", 7),
           ("capacity", 7), ("need", 7), ("waits", 7), ("want", 3), ("keep", 7),
           ("used", 7), ("age", 5), ("longest", 4), ("shortest", 2), ("flags", 1),
           ("latest", 6), ("slack", 2), ("window_end", 6), ("reset", 6), ("begin", 6), ("end", 6),
           ("next_end", 6))


def request(**fields):
    return b"".join(little(fields.get(name, 0), width) for name, width in REQUEST)


class Reply:
    FORMAT = (("status", 1), ("granted", 7), ("lease", 4), ("free", 7), ("held", 7),
              ("clock", 6), ("wait", 6), ("other_end", 6), ("left", 6),
              ("window_end", 6), ("generation", 8))

    def __init__(self, data):
        at = 0
        for name, width in self.FORMAT:
            signed = name in ("status", "free")
            setattr(self, name,
                    int.from_bytes(data[at:at + width], "little", signed=signed))
            at += width
        assert at == len(data) == 64, data
