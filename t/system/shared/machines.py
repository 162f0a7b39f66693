"""Several nginx that share quotas through one Redis, under faults: whether all
together ever admit more than the quota.

    machines.py MACHINES SECONDS FAULT [on_error [mode]]

FAULT: none, links (connections between a machine and Redis break at any byte),
workers (killed), machines (killed), stop (Redis is stopped for 3 s), partition
(one machine is cut off for 3 s), lost (Redis is killed and comes back empty), away
(the same after 5 s, within a window that is longer), failover (the master is
killed, and its replica, which lacks what was written last, takes over), reload (every machine, several times a second), frozen (a worker is stopped for
longer than a lease). With mode lease the quota is larger, and there is one key,
so that units are borrowed. A fifth of the responses gives its units back. Exits
with 0 if nothing was admitted beyond the
quota, every machine admitted to the end, and in mode lease some of it without
asking; prints what was."""

import http.client
import os
import random
import re
import select
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time

import redis

# nginx's clock in a response is that of its turn's beginning.
SLACK = 0.15
ALGORITHMS = ("sliding", "fixed", "calendar", "gcra")
PATHS = ALGORITHMS + ("two",)

count, seconds, fault = int(sys.argv[1]), float(sys.argv[2]), sys.argv[3]
WINDOW = 30.0 if fault in ("away", "failover") else 4.0
on_error = sys.argv[4] if len(sys.argv) > 4 else "refuse"
mode = sys.argv[5] if len(sys.argv) > 5 else "strict"
QUOTA, KEYS = (60, "ab") if mode == "strict" else (300, "a")
if fault == "failover":
    QUOTA, KEYS = 1000, "a"  # not used up yet when it happens
root = tempfile.mkdtemp(prefix="ratelimit-machines-")
stopping = threading.Event()
uses = []  # (path, key, time of use, end of the window in ms, machine)
statuses = {}


class Link:
    """What stands between a machine and Redis."""

    def __init__(self, port):
        self.target = port
        self.held = False
        self.pairs = []
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
            pair = (client, server)
            self.pairs.append(pair)
            threading.Thread(target=self.carry, args=(pair,), daemon=True).start()

    def carry(self, pair):
        try:
            while True:
                for one in select.select(pair, [], [], 0.05)[0]:
                    while self.held:
                        time.sleep(0.01)
                    data = one.recv(65536)
                    if not data:
                        raise OSError
                    if fault == "links" and random.random() < 0.004:
                        data = data[:random.randrange(len(data))]
                        pair[pair[0] is one].sendall(data)
                        raise OSError
                    pair[pair[0] is one].sendall(data)
        except (OSError, ValueError):
            pass
        finally:
            for one in pair:
                one.close()


class Machine:
    def __init__(self, number, server, replica):
        self.number = number
        self.link = Link(server.port)
        self.servers = f"server=127.0.0.1:{self.link.port}"
        if replica:
            self.servers += f" server=127.0.0.1:{replica.port}"
        self.port = redis.free_port()
        self.dir = f"{root}/{number}"
        os.mkdir(self.dir)
        policies = "\n".join(
            f"ratelimit_policy {a} key=$arg_k quota={QUOTA}/{int(WINDOW)}s algorithm={a} "
            "skip_status=404;" for a in ALGORITHMS)
        locations = "\n".join(
            f"location /{p} {{ ratelimit {p if p != 'two' else 'sliding gcra'}; "
            "proxy_pass http://127.0.0.1:$server_port/ok$arg_miss; }" for p in PATHS)
        with open(f"{self.dir}/nginx.conf", "w") as out:
            out.write(f"""
load_module {os.environ['MODULE']};
daemon off; pid nginx.pid; error_log error.log notice;
worker_processes 2; events {{ worker_connections 512; }}
http {{
    access_log off; proxy_temp_path tmp; client_body_temp_path body;
    ratelimit_redis main {self.servers} timeout=500ms;
    ratelimit_zone zone=api:1m redis=main mode={mode} on_error={on_error};
    {policies}
    ratelimit_headers x-ratelimit reset=unix_ms;
    ratelimit_log_level info;
    server {{
        listen 127.0.0.1:{self.port};
        add_header X-Time $msec always;
        {locations}
        location = /ok {{ return 204; }}
        location = /okmiss {{ return 404; }}
        location /ratelimit/ {{ ratelimit_api; allow all; }}
    }}
}}""")
        self.start()

    def start(self):
        self.process = subprocess.Popen(
            [os.environ["NGINX_BINARY"], "-p", self.dir, "-c", "nginx.conf", "-e", "stderr"],
            stderr=subprocess.DEVNULL, start_new_session=True)

    def workers(self):
        with open(f"/proc/{self.process.pid}/task/{self.process.pid}/children") as f:
            return [int(pid) for pid in f.read().split()]

    def decisions(self):
        """How many were decided by units in hand, and how many by Redis."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=5)
        connection.request("GET", "/ratelimit/metrics")
        text = connection.getresponse().read().decode()
        found = dict(re.findall(r'decisions_total{redis="main",by="(\w+)"} (\d+)', text))
        return int(found["lease"]), int(found["redis"])

    def kill(self):
        for pid in [self.process.pid] + self.workers():
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                pass
        self.process.wait()


def client(machine, seed):
    draw = random.Random(seed)
    connection = None
    while not stopping.is_set():
        path = draw.choice(PATHS)
        key = draw.choice(KEYS)
        try:
            if connection is None:
                connection = http.client.HTTPConnection("127.0.0.1", machine.port, timeout=5)
            miss = "&miss=miss" if draw.random() < .2 else ""
            connection.request("GET", f"/{path}?k={key}{miss}")
            answer = connection.getresponse()
            answer.read()
        except (OSError, http.client.HTTPException):
            connection = None
            time.sleep(0.02)
            continue
        statuses[answer.status] = statuses.get(answer.status, 0) + 1
        if answer.status == 204:
            uses.append((path, key, float(answer.headers["X-Time"]),
                         int(answer.headers["X-RateLimit-Reset"] or 0),
                         machine.number))
        elif answer.status == 503:
            time.sleep(0.005)


def replicate(link, replica):
    """The replica has all of the master, then nothing more."""
    client = redis.Client(replica.port)
    client("REPLICAOF", "127.0.0.1", link.port)
    while b"master_link_status:up" not in client("INFO", "replication"):
        time.sleep(0.05)
    link.held = True


def do_harm(machines, server, replica):
    if fault == "failover":
        replicate(Link(server.port), replica)
    time.sleep(2)
    while not stopping.is_set():
        one = random.choice(machines)
        if fault == "workers":
            for pid in one.workers()[:1]:
                os.kill(pid, signal.SIGKILL)
            time.sleep(0.7)
        elif fault == "machines":
            one.kill()
            time.sleep(0.2)
            one.start()
            time.sleep(1.5)
        elif fault == "stop":
            os.kill(server.process.pid, signal.SIGSTOP)
            time.sleep(3)
            os.kill(server.process.pid, signal.SIGCONT)
            time.sleep(3)
        elif fault == "partition":
            one.link.held = True
            time.sleep(3)
            one.link.held = False
            time.sleep(2)
        elif fault == "reload":
            os.kill(one.process.pid, signal.SIGHUP)
            time.sleep(0.4)
        elif fault == "frozen":
            pid = random.choice(one.workers())
            os.kill(pid, signal.SIGSTOP)
            time.sleep(1.5)
            os.kill(pid, signal.SIGCONT)
            time.sleep(0.5)
        elif fault == "lost":
            server.stop()
            time.sleep(0.3)
            server.start()
            time.sleep(4)
        elif fault == "failover":
            server.stop()
            redis.Client(replica.port)("REPLICAOF", "NO", "ONE")
            stopping.wait(WINDOW)
        elif fault == "away":
            server.stop()
            time.sleep(5)
            server.start()
            stopping.wait(WINDOW)
        else:
            time.sleep(0.1)


def beyond_window(times):
    """Uses too many in any interval that is a little shorter than the window."""
    worst = first = 0
    for last, at in enumerate(times):
        while at - times[first] >= WINDOW - SLACK:
            first += 1
        worst = max(worst, last - first + 1 - QUOTA)
    return worst


def beyond_bucket(times):
    rate = QUOTA / WINDOW
    debt = at = worst = 0.0
    for now in times:
        debt = max(0.0, debt - (now - at) * rate) + 1
        at, worst = now, max(worst, debt - QUOTA - SLACK * rate)
    return worst


def beyond_ends(rows):
    """Uses too many of a window, that is known by its end."""
    by_end = {}
    for end in sorted(row[3] for row in rows):
        known = next((e for e in by_end if abs(e - end) < 1000), end)
        by_end[known] = by_end.get(known, 0) + 1
    return max(by_end.values(), default=0) - QUOTA


def check(machines, began):
    bad = 0
    for algorithm in ALGORITHMS:
        for key in KEYS:
            rows = sorted((u for u in uses if u[1] == key and
                           (u[0] == algorithm or
                            u[0] == "two" and algorithm in ("sliding", "gcra"))),
                          key=lambda u: u[2])
            times = [row[2] for row in rows]
            if algorithm in ("fixed", "calendar"):
                over = beyond_ends(rows)
            elif algorithm == "gcra":
                over = beyond_bucket(times)
            else:
                over = beyond_window(times)
            print(f"{algorithm} {key}: {len(rows)} admitted, {over:.0f} beyond the quota")
            bad += over > 0
            bad += len(rows) < QUOTA
    last = [max((u[2] for u in uses if u[4] == m.number), default=began) for m in machines]
    bad += sum(began + seconds - at > 3 * WINDOW / 2 for at in last)
    asked = [m.decisions() for m in machines]
    leased, by_redis = (sum(column) for column in zip(*asked))
    bad += mode == "lease" and leased == 0
    print(f"{fault}, {count} machines: statuses {statuses}, each admitted until "
          f"{[round(at - began, 1) for at in last]} s, {leased} decisions by leases, "
          f"{by_redis} by Redis")
    return bad


def main():
    random.seed(int(os.environ.get("SEED", "1")))
    server = redis.Server()
    replica = redis.Server() if fault == "failover" else None
    machines = [Machine(i, server, replica) for i in range(count)]
    time.sleep(1)
    threads = [threading.Thread(target=client, args=(m, i * count + j), daemon=True)
               for j, m in enumerate(machines) for i in range(3)]
    threads.append(threading.Thread(target=do_harm, args=(machines, server, replica), daemon=True))
    for thread in threads:
        thread.start()
    began = time.time()
    time.sleep(seconds)
    stopping.set()
    for thread in threads:
        thread.join(10)
    bad = check(machines, began)
    for machine in machines:
        machine.kill()
    for one in filter(None, (server, replica)):
        one.remove()
    if os.environ.get("KEEP"):
        print(root)
    else:
        shutil.rmtree(root)
    return bad > 0


sys.exit(main())
