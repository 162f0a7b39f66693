"""Requests that come at once, to two workers: whatever the order in which they
are decided, what is admitted of every key is its quota, and not one more.

Time stands still during a burst; before the next one all quotas are back.
"""

import socket
from urllib.parse import urlencode

from compare import Told, expect
from life import Location
from policy import Line, Policy
from server import TIMEOUT_S
from world import ALGORITHMS, Dice, World

QUOTA = 40
REQUESTS = 240
PAUSE_MS = 2 * 3_600_000


def burst_world(dice):
    """Each location has some of the policies, one has all of them."""
    policies = tuple(
        Policy(f"p{i}", (key,), algorithm, f"{QUOTA + 7 * i}/1h")
        for i, (key, algorithm) in enumerate(
            (key, algorithm) for key in ("$http_x_key", "$arg_k")
            for algorithm in ALGORITHMS))
    names = ("/a", "/b", "/c", "/d", "/e", "/f")
    chosen = [dice.sample(policies, 3) for _ in names[1:]] + [list(policies)]
    locations = []
    for name, some in zip(names, chosen):
        dice.shuffle(some)
        lines = tuple(Line(policy) for policy in some)
        locations.append(Location(name, lines, lines, auth=name == "/a"))
    return World(policies, (), tuple(locations))


def send_all(server, dice, world, count):
    """All are sent before any answer is read."""
    sockets = []
    for step in range(count):
        path = dice.choice(world.locations[1:]).name
        query = urlencode({"k": f"arg{dice.randrange(3)}"})
        sock = socket.create_connection(("127.0.0.1", server.port))
        sock.settimeout(TIMEOUT_S)
        sock.sendall(f"GET {path}?{query} HTTP/1.1\r\nHost: localhost\r\n"
                     f"Connection: close\r\nX-Step: {step}\r\n"
                     f"X-Key: key{dice.randrange(3)}\r\n\r\n".encode())
        sockets.append(sock)
    for sock in sockets:
        while sock.recv(65536):
            pass
        sock.close()


def check_sums(world, lines):
    """No more than a quota was admitted, and who was refused was refused by a
    policy that had nothing left."""
    admitted = {}
    refused = set()
    for line in lines:
        told = Told(world, line.split(";")[2])
        for policy in world.policies:
            name, of_policy = policy.name, told.policies[policy.name]
            key = (name, of_policy["key_id"])
            if of_policy["status"] == "REJECTED":
                refused.add(key)
            elif of_policy["status"] == "PASSED" \
                    and told.overall["status"] == "PASSED":
                admitted[key] = admitted.get(key, 0) + 1
    for name, key_id in refused | set(admitted):
        quota = int(next(p for p in world.policies if p.name == name)
                    .quota.split("/")[0])
        count = admitted.get((name, key_id), 0)
        expect(f"admitted by {name} of key {key_id}", count,
               {quota} if (name, key_id) in refused else set(range(quota + 1)))
    return len(refused)


def run_bursts(server, world, seed, bursts):
    dice = Dice(f"burst {seed}")
    refusing = 0
    for _ in range(bursts):
        server.clock.advance(PAUSE_MS)
        send_all(server, dice, world, REQUESTS)
        refusing += check_sums(world, server.log_lines())
    expect("keys that were refused", refusing > 0, True)
