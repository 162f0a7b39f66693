"""What quotas that machines share admit, refuse and ask Redis for, with keys that
ask at random times:

    demand.py REDIS_PORT

Each request is sent to several limiters at once: machines with mode=strict, the
same ones with mode=lease, and a single nginx that counts for itself, the ideal, where
what is used is compared with that. Rows of a table. Environment: DIR, MODULE."""

import sys
import time

import fleet
from fleet import row
from paced import Demand, ask

SECONDS = 10

redis_port = int(sys.argv[1])
client = fleet.redis.Client(redis_port)


def demands(quotas, parts, bursts=False):
    return [Demand(f"k{i}", quota, window, part * quota / window, bursts)
            for quota, window in quotas for i, part in enumerate(parts)]


def percent(part, whole):
    return f"{100 * part / max(1, whole):.2f} %"


def refusals(counts, paths):
    """Refused although there was room: of all, and of the key with most of them.
    The sixteenths are those of Redis's clock; a single nginx's lie elsewhere."""
    return "; ".join(f"{path.split('/')[1]} {refused(counts, path)}" for path in paths)


def refused(counts, path):
    own = [c for (p, _), c in counts.items() if p == path]
    asked = [c.admitted + c.refused for c in own]
    worst = max(c.false_refused / max(1, n) for c, n in zip(own, asked))
    return (f"{percent(sum(c.false_refused for c in own), sum(asked))}, "
            f"worst key {100 * worst:.1f} %")


def beside(modes, quota, window, parts, bursts=False, count=5):
    cells = [(mode, f"{quota}/{window}s") for mode in modes]
    with fleet.Fleet(count, cells, redis_port) as machines:
        targets = {f"/{mode}/{q}": machines.ports[:1] if mode == "local" else machines.ports
                   for mode, q in cells}
        counts, late = ask(targets, demands([(quota, window)], parts, bursts), SECONDS)
    if late > 0.05:
        print(f"the client was late: {1000 * late:.0f} ms", file=sys.stderr)
    return counts, list(targets)


def above():
    for count, word, quota, window in ((5, "five", 100, 1), (5, "five", 400, 4),
                                       (20, "twenty", 100, 1), (20, "twenty", 400, 4)):
        counts, paths = beside(("local", "strict", "lease"), quota, window, (1.5, 2, 4),
                               count=count)
        sums = [sum(c.admitted for (p, _), c in counts.items() if p == path) for path in paths]
        row(f"admitted of the ideal's, keys at 150 to 400 % of {quota}/{window}s, "
            f"{word} machines", "≥ 99 %",
            f"lease {percent(sums[2], sums[0])}; strict {percent(sums[1], sums[0])}")


def below():
    for quota, window in (100, 1), (400, 4):
        counts, paths = beside(("lease", "strict"), quota, window, (0.5, 0.7, 0.85, 0.85))
        row(f"refused although there was room, steady, keys at 50 to 85 % of {quota}/{window}s",
            "≤ 1 %", refusals(counts, paths))
    for count, quota, parts in (5, 100, (0.5,) * 5), (5, 1000, (0.5,)), (20, 100, (0.5,) * 5):
        counts, paths = beside(("lease", "strict"), quota, 1, parts, bursts=True, count=count)
        row(f"… bursts of ten times the rate, keys at 50 % of {quota}/1s, {count} machines",
            "≤ strict + 1 %", refusals(counts, paths))


def local_shares():
    """The rate for each machine, times the longest lease, is 20 or more."""
    for count, quotas in (2, ((6000, 60), (10000, 10), (1000, 1))), (5, ((6000, 60), (10000, 10))):
        cells = [("lease", f"{quota}/{window}s") for quota, window in quotas]
        found = []
        with fleet.Fleet(count, cells, redis_port) as machines:
            for cell, (quota, window) in zip(cells, quotas):
                ask({f"/lease/{cell[1]}": machines.ports},
                    demands([(quota, window)], (0.8,)), SECONDS / 2)
                found.append(f"{cell[1]} {100 * machines.local_share(cell):.1f} %")
        row(f"decided without a round trip, a key at 80 % of its quota, {count} machines",
            "≥ 95 %", "; ".join(found))


def evals():
    stats = client("INFO", "commandstats").decode()
    return int(stats.split("cmdstat_evalsha:calls=")[1].split(",")[0])


def redis_time():
    """In turns, less what Redis takes while the same fleet is idle."""
    for quota, window, part, keys, wanted in ((6000, 60, 0.8, 12, "≤ 0.1"),
                                              (100, 1, 1.5, 6, "≤ 1.05"),
                                              (10, 1, 4, 24, "≤ 1.05")):
        cells = [(mode, f"{quota}/{window}s") for mode in ("lease", "strict")]
        us, calls, admitted = ({cell: 0 for cell in cells} for _ in range(3))
        with fleet.Fleet(2, cells, redis_port) as machines:
            before, begin = fleet.redis_us(client), time.time()
            time.sleep(2)
            idle = (fleet.redis_us(client) - before) / (time.time() - begin)
            for turn in range(6):
                cell = cells[turn % 2]
                before, called, begin = fleet.redis_us(client), evals(), time.time()
                counts, _ = ask({"/" + "/".join(cell): machines.ports},
                                demands([(quota, window)], (part,) * keys), 2, turn // 2)
                us[cell] += fleet.redis_us(client) - before - idle * (time.time() - begin)
                calls[cell] += evals() - called
                admitted[cell] += sum(c.admitted for c in counts.values())
        lease, strict = ([sums[cell] / admitted[cell] for sums in (us, calls)] for cell in cells)
        row(f"Redis's time for an admitted request, lease ÷ strict, {quota}/{window}s, "
            f"keys at {100 * part:.0f} %", wanted,
            f"{lease[0] / strict[0]:.2f} ({lease[0]:.1f} and {strict[0]:.1f} µs; "
            f"{lease[1]:.2f} and {strict[1]:.2f} calls)")


above()
below()
local_shares()
redis_time()
