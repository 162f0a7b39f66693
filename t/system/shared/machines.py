"""Several nginx that share quotas through one Redis, under faults: whether all
together ever admit more than the quota.

    machines.py MACHINES SECONDS FAULT [on_error [mode]]

FAULT is one of faults.py, or full (a flood of keys that fills the zone, so that
buckets go while units of theirs are in hand).  With mode lease the quota is
larger, and there is one key, so that units are borrowed.  A fifth of the
responses gives its units back.  Exits with 0 if nothing was admitted beyond the
quota, every machine admitted to the end, and in mode lease some of it without
asking; prints what was.  Where keys are reset they have the quota from one reset
to the next."""

import http.client
import os
import random
import shutil
import sys
import tempfile
import threading
import time
import traceback

import exact
import redis
from faults import FAULTS
from machine import ALGORITHMS, PATHS, Clock, Link, Machine, Plan

# nginx's clock in a response is that of its turn's beginning.
SLACK = 0.15


class World:
    def __init__(self, plan):
        self.plan = plan
        self.root = tempfile.mkdtemp(prefix="ratelimit-machines-")
        os.chmod(self.root, 0o755)  # workers may be nobody
        self.stopping = threading.Event()
        self.uses = []  # (path, key, sent, time of use, end of the window in ms, machine)
        self.statuses = {}
        self.harms = 0  # that were done
        self.resets = []  # (policy, key, when it was asked for, when it was answered)
        self.server = redis.Server()
        self.replica = redis.Server() if plan.fault == "failover" else None
        self.machines = [
            Machine(i, plan, self.root, self.server, self.replica, self.clock_of(i))
            for i in range(plan.count)]

    def clock_of(self, number):
        """One is right, one steps, the others go as wrong as is promised."""
        if self.plan.fault != "clocks" or number == 0:
            return None
        words = ("+0s", "+0s x1.0002", "+0s x0.9998")[(number - 1) % 3]
        return Clock(words, monotonic=number > 1)

    def end(self):
        for machine in self.machines:
            machine.kill()
        clocks = [one.clock for one in self.machines]
        for one in filter(None, [self.server, self.replica] + clocks):
            one.remove()
        if os.environ.get("KEEP"):
            print(self.root)
        else:
            shutil.rmtree(self.root)


def client(world, machine, seed):
    draw = random.Random(seed)
    connection = None
    while not world.stopping.is_set():
        path = draw.choice(PATHS)
        key = draw.choice(world.plan.keys)
        sent = time.time()
        try:
            if connection is None:
                connection = http.client.HTTPConnection("127.0.0.1", machine.port, timeout=5)
            gives_back = draw.random() < .2 and world.plan.fault != "resets"
            miss = "&miss=miss" if gives_back else ""
            connection.request("GET", f"/{path}?k={key}{miss}")
            answer = connection.getresponse()
            answer.read()
        except (OSError, http.client.HTTPException):
            connection = None
            time.sleep(0.02)
            continue
        world.statuses[answer.status] = world.statuses.get(answer.status, 0) + 1
        if answer.status == 204:
            at = time.time() if world.plan.fault == "clocks" else float(answer.headers["X-Time"])
            world.uses.append((path, key, sent, at, int(answer.headers["X-RateLimit-Reset"] or 0),
                               machine.number))
        elif answer.status == 503:
            time.sleep(0.005)


def flood(world, machine, seed):
    draw = random.Random(seed)
    connection = None
    while not world.stopping.is_set():
        try:
            if connection is None:
                connection = http.client.HTTPConnection("127.0.0.1", machine.port, timeout=5)
            connection.request("GET", f"/{draw.choice(PATHS)}?k={draw.random()}")
            connection.getresponse().read()
        except (OSError, http.client.HTTPException):
            connection = None
            time.sleep(0.02)


def replicate(link, replica):
    """The replica has all of the master, then nothing more."""
    its = redis.Client(replica.port)
    its("REPLICAOF", "127.0.0.1", link.port)
    while b"master_link_status:up" not in its("INFO", "replication"):
        time.sleep(0.05)
    link.held = True


def do_harm(world):
    try:
        if world.replica:
            replicate(Link(world.server.port), world.replica)
        time.sleep(2)
        while not world.stopping.is_set():
            FAULTS[world.plan.fault](world)
            world.harms += 1
    except Exception:  # of a thread, that nobody would hear of
        traceback.print_exc()
        world.end()
        os._exit(1)


def true_ends(plan, rows):
    """The ends of windows as the uses have them, if clocks are right; else as the
    machine says whose clock is, of uses that were surely in one window."""
    if plan.fault != "clocks":
        return [end for *_, end, _ in rows]
    known = sorted({end for *_, end, machine in rows if machine == 0})
    ends = []
    for _, _, sent, at, end, machine in rows:
        if machine != 0:
            end = next((e for e in known if e > sent * 1000), 0)
            begin = end - plan.window_s * 1000
            # Ends are told to within some milliseconds.
            if not begin + 5 <= sent * 1000 <= at * 1000 < end - 5:
                continue
        ends.append(end)
    return ends


def beyond(plan, algorithm, rows):
    slack_s = SLACK
    if plan.fault == "clocks":
        slack_s += max((at - sent for _, _, sent, at, *_ in rows), default=0)
    times = [row[3] for row in rows]
    if algorithm in ("fixed", "calendar"):
        return exact.beyond_ends(true_ends(plan, rows), plan.quota)
    of = exact.beyond_bucket if algorithm == "gcra" else exact.beyond_window
    return of(times, plan.quota, plan.window_s, slack_s)


def between_resets(world, algorithm, key, rows):
    """Those after a reset's answer and before the next one was asked for."""
    resets = [r for r in world.resets if r[:2] == (algorithm, key)]
    begins = [0.0] + [answered for *_, answered in resets]
    ends = [asked - SLACK for _, _, asked, _ in resets] + [float("inf")]
    return [[row for row in rows if begin < row[3] < end] for begin, end in zip(begins, ends)]


def check(world, began):
    plan = world.plan
    bad = 0
    for algorithm in ALGORITHMS:
        for key in plan.keys:
            rows = sorted((u for u in world.uses if u[1] == key and
                           (u[0] == algorithm or
                            u[0] == "two" and algorithm in ("sliding", "gcra"))),
                          key=lambda u: u[3])
            over = max(beyond(plan, algorithm, part)
                       for part in between_resets(world, algorithm, key, rows))
            print(f"{algorithm} {key}: {len(rows)} admitted, {over:.0f} beyond the quota")
            bad += over > 0
            # Within one window what was under way when Redis was killed is lost.
            bad += len(rows) < plan.quota * (0.9 if plan.window_s > plan.seconds else 1)
    last = [max((u[3] for u in world.uses if u[5] == m.number), default=began)
            for m in world.machines]
    bad += sum(began + plan.seconds - at > 3 * plan.window_s / 2 for at in last)
    asked = [m.decisions() for m in world.machines]
    leased, by_redis = (sum(column) for column in zip(*asked))
    bad += plan.mode == "lease" and leased == 0
    bad += world.harms == 0
    print(f"{plan.fault} {world.harms} times, {plan.count} machines: statuses {world.statuses}, each admitted until "
          f"{[round(at - began, 1) for at in last]} s, {leased} decisions by leases, "
          f"{by_redis} by Redis")
    return bad


def main():
    random.seed(int(os.environ.get("SEED", "1")))
    plan = Plan(int(sys.argv[1]), float(sys.argv[2]), *sys.argv[3:])
    world = World(plan)
    time.sleep(1)
    threads = [threading.Thread(target=client, args=(world, m, i * plan.count + j), daemon=True)
               for j, m in enumerate(world.machines) for i in range(3)]
    if plan.fault == "full":
        threads += [threading.Thread(target=flood, args=(world, m, i), daemon=True)
                    for i, m in enumerate(world.machines)]
    threads.append(threading.Thread(target=do_harm, args=(world,), daemon=True))
    for thread in threads:
        thread.start()
    began = time.time()
    time.sleep(plan.seconds)
    world.stopping.set()
    for thread in threads:
        thread.join(40)
    bad = check(world, began)
    world.end()
    return bad > 0


sys.exit(main())
