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

    @property
    def what(self):
        return "auth" if self.path == "/auth" else "content"


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


def worker_of(sock):
    """Which one serves a connection: it tells, once it has done all that it
    was told before."""
    sock.sendall(b"GET /worker HTTP/1.1\r\nHost: localhost\r\n\r\n")
    head, _, body = receive_head(sock).partition(b"\r\n\r\n")
    _, fields = parse_head(head)
    while len(body) < int(fields["content-length"]):
        body += sock.recv(65536)
    return body.decode()


class Request:
    """One request on a connection of its own, to that worker."""

    def __init__(self, server, worker, method, uri, headers):
        self.server = server
        self.worker = worker
        self.client = server.connect_to(worker)
        self.step = headers.get("X-Step", "")
        lines = [f"{method} {uri} HTTP/1.1", "Host: localhost",
                 "Connection: close", "Content-Length: 0"]
        lines += [f"{name}: {value}" for name, value in headers.items()]
        self.text = "\r\n".join(lines + ["", ""])

    def send(self):
        self.client.sendall(self.text.encode())

    def next(self, may_wait=False):
        """Asked or Answered, whichever comes first; None: it waits."""
        if may_wait:
            self.server.let_work(self.worker)
        while True:
            self.server.accept()
            if self.step in self.server.asked:
                return self.server.asked.pop(self.step)
            ready, _, _ = select.select([self.client, self.server.backend],
                                        [], [], 0 if may_wait else TIMEOUT_S)
            if self.client in ready:
                return self.answer()
            if not ready and may_wait:
                return None
            if not ready:
                raise TimeoutError("nginx neither answers nor asks")

    def answer(self):
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
    def __init__(self, directory, binary, library, workers, conf):
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
        self.asked = {}          # by the requests' steps
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
             "-e", self.log_path, "-g", "daemon off;"], env=environment,
            stderr=subprocess.DEVNULL)     # it is in the log as well
        self.access_log = None
        self.unfinished_line = ""
        self.lines = {}
        self.workers = {}
        try:
            self.wait_until_up()
            self.workers = self.find_workers(workers)
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

    def connect(self):
        sock = socket.create_connection(("127.0.0.1", self.port))
        sock.settimeout(TIMEOUT_S)
        return sock

    def connect_to(self, worker):
        while True:
            sock = self.connect()
            if worker_of(sock) == worker:
                return sock
            sock.close()

    def find_workers(self, count):
        """A connection to each, by their process ids."""
        found = {}
        for _ in range(1000):
            sock = self.connect()
            if found.setdefault(worker_of(sock), sock) is not sock:
                sock.close()
            if len(found) == count:
                return found
        raise TimeoutError("not all workers serve connections")

    def let_work(self, worker):
        """Until all is done that it knows of: what it does for one event may
        be the next one."""
        for _ in range(3):
            worker_of(self.workers[worker])

    def look_at_clock(self, worker):
        """It is woken by a signal that means nothing to it."""
        os.kill(int(worker), signal.SIGIO)
        self.let_work(worker)

    def stop_worker(self, worker):
        os.kill(int(worker), signal.SIGSTOP)
        for _ in range(1000):
            with open(f"/proc/{worker}/stat") as file:
                if file.read().rpartition(") ")[2][0] == "T":
                    return
            time.sleep(0.001)
        raise TimeoutError("a worker does not stop")

    def continue_worker(self, worker):
        os.kill(int(worker), signal.SIGCONT)

    def accept(self):
        while select.select([self.backend], [], [], 0)[0]:
            sock, _ = self.backend.accept()
            sock.settimeout(TIMEOUT_S)
            first, fields = parse_head(receive_head(sock))
            self.asked[fields["x-step"]] = Asked(first[1], fields, sock)

    def log_lines(self):
        """The new ones: a connection is closed after its request is logged.
        What is being written may be read in parts."""
        *lines, self.unfinished_line = (
            self.unfinished_line + self.access_log.read()).split("\n")
        return lines

    def log_line(self, step):
        for _ in range(1000):
            for line in self.log_lines():
                self.lines[line.partition(";")[0]] = line
            if step in self.lines:
                return self.lines.pop(step)
            time.sleep(0.01)
        raise TimeoutError("nothing in the access log")

    def stop(self):
        for worker in self.workers:
            self.continue_worker(worker)
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
