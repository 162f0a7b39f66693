"""An nginx that shares its quotas, the link between it and Redis that can be
held, broken and slowed, and what a run is about."""

import dataclasses
import glob
import http.client
import os
import random
import re
import select
import shutil
import signal
import socket
import subprocess
import tempfile
import threading
import time

import redis

ALGORITHMS = ("sliding", "fixed", "calendar", "gcra")
PATHS = ALGORITHMS + ("two",)


@dataclasses.dataclass
class Plan:
    count: int
    seconds: float
    fault: str
    on_error: str = "refuse"
    mode: str = "strict"

    def __post_init__(self):
        self.window_s = 30.0 if self.fault in ("away", "failover") else 4.0
        self.quota, self.keys = (60, "ab") if self.mode == "strict" else (300, "a")
        if self.fault == "failover":
            self.quota, self.keys = 1000, "a"  # not used up yet when it happens
        if self.fault == "resets" and self.mode == "lease":
            self.quota = 2000  # not used up before all machines know of a reset
        self.zone = "64k" if self.fault == "full" else "1m"


class Clock:
    """That of a process, as libfaketime makes it, with its words for that; if
    monotonic, that clock too.  $FAKETIME_LIBRARY is the library."""

    def __init__(self, words, monotonic=False):
        self.dir = tempfile.mkdtemp(prefix="ratelimit-clock-")
        os.chmod(self.dir, 0o755)  # workers may be nobody
        self.monotonic = monotonic
        self.set(words)

    def set(self, words):
        with open(f"{self.dir}/new", "w") as out:
            out.write(words + "\n")
        os.rename(f"{self.dir}/new", f"{self.dir}/clock")

    def environment(self):
        return {**os.environ, "LD_PRELOAD": os.environ["FAKETIME_LIBRARY"],
                "FAKETIME_TIMESTAMP_FILE": f"{self.dir}/clock", "FAKETIME_NO_CACHE": "1",
                "FAKETIME_DONT_FAKE_MONOTONIC": "0" if self.monotonic else "1"}

    def remove(self):
        shutil.rmtree(self.dir)


class Link:
    """What stands between a machine and Redis."""

    def __init__(self, port):
        self.target = port
        self.held = False
        self.breaks = False  # now and then, at any byte
        self.slow = False  # for longer than an answer is waited for, too
        self.listener = socket.create_server(("127.0.0.1", 0), backlog=64)
        self.port = self.listener.getsockname()[1]
        threading.Thread(target=self.accept, daemon=True).start()

    def accept(self):
        while True:
            client, _ = self.listener.accept()
            try:
                server = socket.create_connection(("127.0.0.1", self.target))
            except OSError:
                client.close()
                continue
            threading.Thread(target=self.carry, args=((client, server),), daemon=True).start()

    def carry(self, pair):
        try:
            while True:
                for one in select.select(pair, [], [], 0.05)[0]:
                    self.pass_on(one, pair[pair[0] is one])
        except (OSError, ValueError):
            pass
        finally:
            for one in pair:
                one.close()

    def pass_on(self, one, other):
        while self.held:
            time.sleep(0.01)
        data = one.recv(65536)
        if not data:
            raise OSError
        if self.slow and random.random() < 0.05:
            time.sleep(random.choice((0.02, 0.1, 0.3, 0.7)))
        if self.breaks and random.random() < 0.004:
            other.sendall(data[:random.randrange(len(data))])
            raise OSError
        other.sendall(data)


class Machine:
    def __init__(self, number, plan, root, server, replica=None, clock=None):
        self.number = number
        self.plan = plan
        self.link = Link(server.port)
        self.servers = f"server=127.0.0.1:{self.link.port}"
        if replica:
            self.servers += f" server=127.0.0.1:{replica.port}"
        self.port = redis.free_port()
        self.dir = f"{root}/{number}"
        os.mkdir(self.dir)
        self.clock = clock
        self.configure(plan.zone)
        self.start()

    def configure(self, size):
        plan = self.plan
        policies = "\n".join(
            f"ratelimit_policy {a} key=$arg_k quota={plan.quota}/{int(plan.window_s)}s "
            f"algorithm={a} skip_status=404;" for a in ALGORITHMS)
        locations = "\n".join(
            f"location /{p} {{ ratelimit {p if p != 'two' else 'sliding gcra'}; "
            "proxy_pass http://127.0.0.1:$server_port/ok$arg_miss; }" for p in PATHS)
        with open(f"{self.dir}/nginx.conf", "w") as out:
            out.write(f"""
load_module {os.environ['MODULE']};
pid nginx.pid; error_log error.log notice;
worker_processes 2; events {{ worker_connections 512; }}
env LD_PRELOAD; env FAKETIME_TIMESTAMP_FILE; env FAKETIME_NO_CACHE;
env FAKETIME_DONT_FAKE_MONOTONIC;
http {{
    access_log off; proxy_temp_path tmp; client_body_temp_path body;
    ratelimit_redis main {self.servers} timeout=500ms;
    ratelimit_zone zone=api:{size} redis=main mode={plan.mode} on_error={plan.on_error};
    {policies}
    ratelimit_headers x-ratelimit reset=unix_ms;
    ratelimit_log_level info;
    server {{
        listen 127.0.0.1:{self.port};
        add_header X-Time $msec always;
        {locations}
        location = /ok {{ return 204; }}
        location = /okmiss {{ return 404; }}
        location /ratelimit/ {{ ratelimit_api write=on; allow 127.0.0.1; deny all; }}
    }}
}}""")

    def start(self):
        # A daemon: only that replaces itself when it is told.
        subprocess.run(
            [os.environ["NGINX_BINARY"], "-p", self.dir, "-c", "nginx.conf",
             "-e", f"{self.dir}/error.log"], check=True,
            env=self.clock and self.clock.environment())
        self.until(self.masters)

    def masters(self):
        """Also one that is being replaced, which is the last."""
        found = []
        for path in sorted(glob.glob(f"{self.dir}/nginx.pid*")):
            try:
                with open(path) as f:
                    found += [int(pid) for pid in f.read().split()]
            except FileNotFoundError:
                pass
        return found

    def workers(self):
        found = []
        for master in self.masters():
            try:
                with open(f"/proc/{master}/task/{master}/children") as f:
                    found += [int(pid) for pid in f.read().split()]
            except FileNotFoundError:
                pass
        return found

    def signal(self, number):
        os.kill(self.masters()[0], number)

    @staticmethod
    def signal_all(pids, number):
        for pid in pids:
            try:
                os.kill(pid, number)
            except ProcessLookupError:
                pass

    def upgrade(self):
        """A new master of the same binary, and the end of the old one."""
        old = self.masters()[0]
        os.kill(old, signal.SIGUSR2)
        self.until(lambda: len(self.masters()) == 2)
        os.kill(old, signal.SIGQUIT)
        self.until(lambda: old not in self.masters())

    @staticmethod
    def until(condition):
        for _ in range(1000):
            if condition():
                return
            time.sleep(0.01)
        raise TimeoutError("nginx does not do what it was told")

    def reset(self, policy, key=None):
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=5)
        what = "all=yes" if key is None else f"key={key}"
        connection.request("DELETE", f"/ratelimit/keys?policy={policy}&{what}")
        answer = connection.getresponse()
        answer.read()
        return answer.status

    def decisions(self):
        """How many were decided by units in hand, and how many by Redis."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=5)
        connection.request("GET", "/ratelimit/metrics")
        text = connection.getresponse().read().decode()
        found = dict(re.findall(r'decisions_total{redis="main",by="(\w+)"} (\d+)', text))
        return int(found["lease"]), int(found["redis"])

    def kill(self):
        self.signal_all(self.masters(), signal.SIGSTOP)  # they start no more workers
        self.signal_all(self.workers() + self.masters(), signal.SIGKILL)
        for path in glob.glob(f"{self.dir}/nginx.pid*"):
            os.remove(path)
