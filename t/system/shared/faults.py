"""What goes wrong in a run of machines.py: a function each, which does it once and
then gives the machines some time.  FAULTS has them by name."""

import os
import random
import signal
import time

import redis
from machine import ALGORITHMS


def none(world):
    time.sleep(0.1)


def links(world):
    """Connections between a machine and Redis break at any byte."""
    for machine in world.machines:
        machine.link.breaks = True
    time.sleep(0.1)


def delays(world):
    """They are slow now and then, also for longer than is waited."""
    for machine in world.machines:
        machine.link.slow = True
    time.sleep(0.1)


def workers(world):
    """Are killed."""
    for pid in random.choice(world.machines).workers()[:1]:
        os.kill(pid, signal.SIGKILL)
    time.sleep(0.7)


def machines(world):
    """Are killed, and come back."""
    one = random.choice(world.machines)
    one.kill()
    time.sleep(0.2)
    one.start()
    time.sleep(1.5)


def stop(world):
    """Redis is stopped for 3 s."""
    os.kill(world.server.process.pid, signal.SIGSTOP)
    time.sleep(3)
    os.kill(world.server.process.pid, signal.SIGCONT)
    time.sleep(3)


def partition(world):
    """One machine is cut off for 3 s."""
    one = random.choice(world.machines)
    one.link.held = True
    time.sleep(3)
    one.link.held = False
    time.sleep(2)


def reload(world):
    """Every machine, several times a second."""
    random.choice(world.machines).signal(signal.SIGHUP)
    time.sleep(0.4)


def resize(world):
    """Reloads that change the size of the zone."""
    one = random.choice(world.machines)
    one.configure(random.choice(("1m", "2m", "3m")))
    one.signal(signal.SIGHUP)
    time.sleep(0.6)


def upgrade(world):
    """nginx is replaced by another of itself, as when its binary is new."""
    random.choice(world.machines).upgrade()
    time.sleep(0.5)


def frozen(world):
    """A worker is stopped for longer than a lease."""
    pid = random.choice(random.choice(world.machines).workers())
    os.kill(pid, signal.SIGSTOP)
    time.sleep(1.5)
    try:
        os.kill(pid, signal.SIGCONT)
    except ProcessLookupError:
        pass  # it was of a configuration that has ended
    time.sleep(0.5)


def lost(world):
    """Redis is killed, and comes back empty."""
    world.server.stop()
    time.sleep(0.3)
    world.server.start()
    time.sleep(4)


def away(world):
    """The same after 5 s, within a window that is longer."""
    world.server.stop()
    time.sleep(5)
    world.server.start()
    world.stopping.wait(world.plan.window_s)


def failover(world):
    """The master is killed, and its replica takes over, which lacks what was
    written last."""
    world.server.stop()
    redis.Client(world.replica.port)("REPLICAOF", "NO", "ONE")
    world.stopping.wait(world.plan.window_s)


def clocks(world):
    """The wall clock of the second machine steps; the others' go as they go."""
    world.machines[1].clock.set(random.choice(("+0s", "+3s", "+3600s", "-3s", "-3600s")))
    time.sleep(0.5)


def resets(world):
    """Keys are reset, by any machine, while units are held or have been used;
    nothing is given back meanwhile."""
    for algorithm in ALGORITHMS:
        for key in world.plan.keys:
            asked = time.time()
            status = random.choice(world.machines).reset(algorithm, key)
            world.resets.append((algorithm, key, asked, time.time()))
            if status != 200:
                print(f"a reset was answered with {status}")
    time.sleep(random.choice((0.3, 1, 3)))


def renewals(world):
    """All keys of a policy are reset, by any machine."""
    for algorithm in ALGORITHMS:
        asked = time.time()
        status = random.choice(world.machines).reset(algorithm)
        # Who has not read of it has the old quota's rest until then.
        world.resets += [(algorithm, key, asked, time.time() + 2) for key in world.plan.keys]
        if status != 200:
            print(f"a reset was answered with {status}")
    time.sleep(random.choice((5, 6, 8)))


def several(world):
    """One after the other, by chance, while links break."""
    links(world)
    random.choice((workers, reload, resize, upgrade, frozen, machines))(world)


FAULTS = {f.__name__: f for f in (
    none, links, delays, workers, machines, stop, partition, reload, resize, upgrade,
    frozen, lost, away, failover, clocks, resets, renewals, several)}
FAULTS["full"] = none  # the clients see to it
