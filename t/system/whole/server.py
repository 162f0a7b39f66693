"""A real nginx in a directory of its own, under clocks that stand still until
they are moved (libfaketime), and the back end that it asks."""

import datetime
import os
import select
import shutil
import signal
import socket
import subprocess
import time
from dataclasses import dataclass

TIMEOUT_S = 20


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class Clock:
    """Both clocks of nginx.  (Its milliseconds since boot have to stay below
    2^40, and so the years are those before 2004.)"""

    def __init__(self, path):
        self.path = path
        self.move_to(int(datetime.datetime(
            2000, 2, 28, 23, 0, tzinfo=datetime.timezone.utc).timestamp())
            * 1000)

    def move_to(self, now_ms):
        self.now_ms = now_ms
        date = datetime.datetime.fromtimestamp(now_ms // 1000,
                                               datetime.timezone.utc)
        with open(self.path + ".new", "w") as file:
            # In the middle of a millisecond: fractions are not read exactly.
            file.write(f"{date:%Y-%m-%d %H:%M:%S}.{now_ms % 1000:03}500\n")
        os.rename(self.path + ".new", self.path)

    def advance(self, ms):
        self.move_to(self.now_ms + ms)


@dataclass
class Asked:
    """nginx asks the back end for a request."""
    path: str
    fields: dict
    socket: socket.socket


@dataclass
class Answered:
    status: int
    fields: dict


def parse_head(data):
    head, _, _ = data.partition(b"\r\n\r\n")
    first, *lines = head.decode("latin-1").split("\r\n")
    fields = {}
    for line in lines:
        name, _, value = line.partition(": ")
        fields.setdefault(name.lower(), value)
    return first.split(" "), fields


def receive_head(sock):
    data = b""
    while b"\r\n\r\n" not in data:
        got = sock.recv(65536)
        if not got:
            break
        data += got
    return data


class Request:
    """One request on a connection of its own."""

    def __init__(self, server, method, uri, headers):
        self.server = server
        self.client = socket.create_connection(("127.0.0.1", server.port))
        self.client.settimeout(TIMEOUT_S)
        lines = [f"{method} {uri} HTTP/1.1", "Host: localhost",
                 "Connection: close", "Content-Length: 0"]
        lines += [f"{name}: {value}" for name, value in headers.items()]
        self.client.sendall("\r\n".join(lines + ["", ""]).encode())

    def next(self):
        """Asked or Answered, whichever comes first."""
        ready, _, _ = select.select([self.client, self.server.backend], [], [],
                                    TIMEOUT_S)
        if self.server.backend in ready:
            sock, _ = self.server.backend.accept()
            sock.settimeout(TIMEOUT_S)
            first, fields = parse_head(receive_head(sock))
            return Asked(first[1], fields, sock)
        if not ready:
            raise TimeoutError("nginx neither answers nor asks")
        data = b""
        while True:
            got = self.client.recv(65536)
            if not got:
                break
            data += got
        self.client.close()
        first, fields = parse_head(data)
        return Answered(int(first[1]) if len(first) > 1 else 0, fields)


def reply(asked, status, fields):
    body = b"" if status in (204, 304) else b"ok"
    lines = [f"HTTP/1.0 {status} Some"]
    lines += [f"{name}: {value}" for name, value in fields.items()]
    if body:
        lines.append(f"Content-Length: {len(body)}")
    asked.socket.sendall("\r\n".join(lines + ["", ""]).encode() + body)
    asked.socket.close()


class Server:
    def __init__(self, directory, binary, library, conf):
        """conf is a function of port and directory."""
        self.directory = directory
        shutil.rmtree(directory, ignore_errors=True)
        os.makedirs(directory)
        os.chmod(directory, 0o755)
        self.clock = Clock(os.path.join(directory, "clock"))
        self.port = free_port()
        path = os.path.join(directory, "backend.sock")
        self.backend = socket.socket(socket.AF_UNIX)
        self.backend.bind(path)
        os.chmod(path, 0o777)
        self.backend.listen(16)
        self.conf_path = os.path.join(directory, "nginx.conf")
        with open(self.conf_path, "w") as file:
            file.write(conf(self.port, directory))
        environment = dict(
            os.environ, LD_PRELOAD=library, TZ="UTC", FAKETIME_NO_CACHE="1",
            FAKETIME_TIMESTAMP_FILE=self.clock.path,
            FAKETIME_DONT_FAKE_MONOTONIC="0")
        self.log_path = os.path.join(directory, "error.log")
        self.process = subprocess.Popen(
            [binary, "-p", directory + "/", "-c", self.conf_path,
             "-e", self.log_path, "-g", "daemon off;"], env=environment)
        self.access_log = None
        self.unfinished_line = ""
        try:
            self.wait_until_up()
        except TimeoutError:
            self.stop()
            raise

    def wait_until_up(self):
        for _ in range(500):
            if self.process.poll() is not None:
                raise RuntimeError("nginx does not start, see "
                                   + self.log_path)
            try:
                socket.create_connection(("127.0.0.1", self.port)).close()
            except OSError:
                time.sleep(0.02)
                continue
            self.access_log = open(os.path.join(self.directory, "access.log"))
            return
        raise TimeoutError("nginx does not listen")

    def log_lines(self):
        """The new ones: a connection is closed after its request is logged.
        What is being written may be read in parts."""
        *lines, self.unfinished_line = (
            self.unfinished_line + self.access_log.read()).split("\n")
        return lines

    def next_log_line(self):
        for _ in range(1000):
            lines = self.log_lines()
            if lines:
                return lines[-1]
            time.sleep(0.01)
        raise TimeoutError("nothing in the access log")

    def stop(self):
        self.process.send_signal(signal.SIGTERM)
        self.process.wait(TIMEOUT_S)
        self.backend.close()
        if self.access_log:
            self.access_log.close()

    def complaints(self):
        """What should not be in the error log."""
        with open(self.log_path, errors="replace") as file:
            return [line.rstrip() for line in file
                    if any(f"[{level}]" in line for level in
                           ("crit", "alert", "emerg"))]
