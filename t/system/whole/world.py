"""Random worlds: policies and locations, and the requests that go there.  All
is drawn from one seed."""

import random
from dataclasses import dataclass, replace

from life import Location, Reply
from policy import KEYS, Line, Policy

ALGORITHMS = ("sliding", "fixed", "calendar", "gcra")
QUOTAS = ("1/1s", "2/1s", "3/4s", "5/10s", "10/60s", "7/3s", "4/5m", "12/1h",
          "3/1d", "13/7s", "1000/1h")
PLACES = ("1", "2", "3", "5")
ODD_PLACES = ("0", "unlimited", "nonsense")
# Of worlds where requests wait: what comes back before they have in vain.
WAITS_MS = (30, 500, 3_000, 20_000, 60_000)
QUEUES = (1, 1, 2, 4)
SHORT_QUOTAS = ("1/1s", "2/1s", "3/4s", "1/5s", "5/10s", "7/3s", "1/20s")
FEW_PLACES = ("1", "1", "2")
BANS_S = ((11,), (2, 29), (47, 3_700), (13, 610, 90_000))
MONTHS = ("20/1M", "5/3M", "9/12M")
ODD_QUOTAS = ("0/60s", "unlimited", "nonsense")
SCALES = ("50%", "200%", "33.3%", "0%", "10%", "nonsense")
CAPACITIES = ("1", "2", "5", "12", "40")
COSTS = ("0", "2", "3", "5", "1.5", "0.2", "2.0", "007", "-1", "many", "empty",
         "999999999", "1000000000", "999999999999999",
         "1000000000000000", "18446744073709551617")
SETTLES = ("0", "1", "2", "4", "9", "2.5", "-3", "many")
LARGE_SETTLES = ("1000000000", "4294967297", "123456789012345678901")
STATUSES = (200, 200, 200, 204, 304, 401, 403, 404, 500, 503)
ERROR_CODES = (401, 403, 404, 405, 429, 500, 503)
METHODS = ("GET", "GET", "GET", "HEAD", "POST", "DELETE")

# Layers: a redirect leads from one into a later one, so it ends.
LAYERS = (("/a", "/b", "/c", "/d", "/e", "/f"), ("/g", "/h", "@i", "@j"),
          ("/k", "@l", "@m"))
AFTER_RESPONSE = "@post"


@dataclass
class World:
    policies: tuple
    server_lines: tuple
    locations: tuple
    waits: bool = False      # some lines have wait=

    def location(self, path):
        return next(l for l in self.locations if l.name == path)

    @property
    def entries(self):
        return LAYERS[0]


class Dice(random.Random):
    def one_in(self, n):
        return self.randrange(n) == 0

    def some(self, values, most, least=0):
        return tuple(self.sample(values, self.randint(least, most)))


def make_key(dice):
    key = dice.choice([("$client",), ("$client",), ("$http_x_key",),
                       ("$arg_k",), ("$user",), ("$http_x_key", "$arg_k"),
                       ("everybody",)])
    assert all(source in KEYS for source in key)
    return key


def make_places(dice, name, key, calm, places):
    return Policy(name, key, "concurrent", dice.choice(places),
                  quota_varies=not calm and dice.one_in(3),
                  scale_varies=not calm and dice.one_in(4),
                  status=503 if dice.one_in(8) else 0,
                  hidden=dice.one_in(8),
                  keep=dice.one_in(5))


def make_policy(dice, name, calm, waits):
    """waits: without bans, which nginx refuses beside it, and `sliding`, of
    which no exact time is known."""
    if dice.one_in(4):
        return make_places(dice, name, make_key(dice), calm,
                           FEW_PLACES if waits else PLACES)
    algorithm = dice.choice(ALGORITHMS[1:] if waits else ALGORITHMS)
    key = make_key(dice)
    quota = dice.choice(SHORT_QUOTAS if waits else QUOTAS)
    if algorithm == "calendar" and not waits and dice.one_in(3):
        quota = dice.choice(MONTHS)
    capacity = dice.choice(CAPACITIES) \
        if algorithm == "gcra" and dice.one_in(2) else ""
    bans = not waits and dice.one_in(3)
    status = {"skip_status": dice.some(STATUSES[3:], 2),
              "count_status": dice.some(STATUSES[2:], 3)}
    return Policy(
        name, key, algorithm, quota,
        quota_varies=not calm and not bans
        and dice.one_in(4 if waits else 2),
        scale_varies=not calm and dice.one_in(3),
        capacity=capacity,
        capacity_varies=bool(capacity) and not calm and dice.one_in(2),
        tz_ms=dice.choice([0, 9 * 3_600_000, -210 * 60_000])
        if algorithm == "calendar" else 0,
        skip_status=status["skip_status"] if dice.one_in(4) else (),
        skip_if=dice.one_in(4),
        count_status=status["count_status"] if dice.one_in(6) else (),
        count_if=dice.one_in(10),
        status=503 if dice.one_in(8) else 0,
        hidden=dice.one_in(8),
        keep=dice.one_in(5),
        bans_ms=tuple(1000 * s for s in dice.choice(BANS_S)) if bans else (),
        ban_after=dice.choice([1, 1, 2, 3]),
        ban_restarts=bans and dice.one_in(3))


def make_line(dice, policy, waits):
    methods = dice.some(("GET", "POST", "DELETE"), 2) if dice.one_in(4) else ()
    return Line(policy,
                precontent=policy.key == ("$user",) or dice.one_in(3),
                methods=methods,
                methods_excluded=bool(methods) and dice.one_in(2),
                conditional=dice.one_in(6),
                cost_varies=dice.one_in(6 if waits else 3),
                settles=dice.choice(["response", "end"])
                if policy.algorithm != "concurrent" and dice.one_in(3)
                else "",
                dry_run=dice.choice(["on", "off", "varies"])
                if dice.one_in(8) else "",
                wait_ms=dice.choice(WAITS_MS) if waits else 0,
                queue=dice.choice(QUEUES) if waits else 0)


def make_lines(dice, policies, most, waits):
    return tuple(make_line(dice, policy, waits and not dice.one_in(4))
                 for policy in dice.some(policies, most, least=1))


def make_location(dice, name, targets, policies, server_lines, waits):
    def target():
        chosen = dice.choice(targets)
        return chosen + dice.choice(["", "?k=fixed"]) \
            if chosen.startswith("/") else chosen

    own_lines = make_lines(dice, policies, 3, waits)
    inherit = dice.choice(["on", "merge", "merge", "off"])
    lines = {"on": own_lines or server_lines,
             "merge": own_lines + server_lines,
             "off": own_lines}[inherit]
    location = Location(
        name, lines, own_lines, inherit,
        # (There is always one, which makes $user known.)
        auth=name == "/a" or dice.one_in(4),
        content="gif" if dice.one_in(3) else "backend",
        dry_run=dice.choice(["on", "varies"]) if dice.one_in(8) else "",
        status=dice.choice([429, 429, 403]),
        on_error=dice.choice(["pass", "pass", "refuse"]))
    if not targets:
        return location
    codes = dice.some(ERROR_CODES, 3) if dice.one_in(2) else ()
    return replace(
        location,
        try_files=target() if dice.one_in(6) else "",
        intercept=dice.one_in(2),
        error_pages=tuple((code, dice.choice(["", "=", "=200"]), target())
                          for code in codes),
        post_action=AFTER_RESPONSE if dice.one_in(8) else "")


def make_world(seed, calm=False):
    """calm: no shape changes from request to request."""
    dice = Dice(f"world {seed}")
    waits = dice.one_in(2)
    policies = tuple(make_policy(dice, f"p{i}", calm, waits)
                     for i in range(6))
    server_lines = make_lines(dice, policies, 1, waits)
    locations = []
    for depth, layer in enumerate(LAYERS):
        targets = [name for later in LAYERS[depth + 1:] for name in later]
        locations += [make_location(dice, name, targets, policies,
                                    server_lines, waits)
                      for name in layer]
    lines = make_lines(dice, policies, 3, waits)
    locations.append(Location(AFTER_RESPONSE, lines, lines, "off"))
    return World(policies, server_lines, tuple(locations), waits)


# ------------------------------------------------------------- requests

def policy_headers(dice, policy, calm):
    name = policy.name
    headers = {}
    if policy.quota_varies and dice.one_in(2):
        usual, odd = (PLACES, ODD_PLACES) \
            if policy.algorithm == "concurrent" else (QUOTAS, ODD_QUOTAS)
        text = dice.choice(odd if dice.one_in(8) else usual)
        headers["X-Quota-" + name] = text
    if policy.scale_varies and dice.one_in(2):
        headers["X-Scale-" + name] = dice.choice(SCALES)
    if policy.capacity_varies and dice.one_in(2):
        headers["X-Capacity-" + name] = dice.choice(CAPACITIES)
    if dice.one_in(2):
        headers["X-Cost-" + name] = dice.choice(COSTS)
    if dice.one_in(2):
        # (Sliding counts in blocks where there are more than 65,535 units.)
        large = policy.algorithm != "sliding" and dice.one_in(12)
        headers["X-Settle-" + name] = dice.choice(
            LARGE_SETTLES if large else SETTLES)
    return headers


def make_request(dice, world, step, calm=False):
    """(method, path, args, headers)"""
    # Debts for ever do not last for more than an epoch.
    epoch = step // 150
    headers = {"X-Step": str(step)}
    if not dice.one_in(6):
        headers["X-Key"] = f"key{epoch}-{dice.randrange(2)}"
    for name in ("X-If", "X-Skip", "X-Count", "X-Dry"):
        if dice.one_in(3):
            headers[name] = dice.choice(["1", "0", "on"])
    for policy in world.policies:
        headers.update(policy_headers(dice, policy, calm))
    args = {}
    if not dice.one_in(6):
        args["k"] = f"arg{epoch}-{dice.randrange(2)}"
    return dice.choice(METHODS), dice.choice(world.entries), args, headers


def make_auth_reply(dice, step):
    if dice.one_in(6):
        return Reply(dice.choice([401, 403]))
    return Reply(200, user=dice.choice(
        ["", f"ann{step // 150}", f"bob{step // 150}"]))


def make_reply(dice, location):
    later = [name for layer in LAYERS[1:] for name in layer]
    if location.name in LAYERS[0] and dice.one_in(5):
        target = dice.choice(later)
        if target.startswith("/"):
            target += dice.choice(["", "?k=accel"])
        return Reply(200, accel=target)
    return Reply(dice.choice(STATUSES))


def pause_ms(dice):
    """Until the next step: mostly nothing, at times a month."""
    if not dice.one_in(3):
        return 0
    return int(10 ** dice.uniform(0, dice.choice([3, 3, 4, 4, 5, 6, 7, 9])))


def make_override(dice, world, key_ids, stored, overrides):
    """(method, target, arguments of the API, row); a row of None removes.  Of
    the keys those that have counters can be named by their ids."""
    def arguments_of(target):
        if target == overrides.ZONE:
            return "zone=all"
        if isinstance(target, str):
            return f"policy={target}"
        return f"policy={target[0]}&id={key_ids[target]}"

    there = [t for t in overrides.rows if overrides.get(t)]
    if there and dice.one_in(2):
        target = dice.choice(there)
        return "DELETE", target, arguments_of(target), None
    targets = [overrides.ZONE] + [p.name for p in world.policies]
    recent = list(stored)[-8:]
    target = dice.choice(recent if recent and dice.one_in(2) else targets)
    if target == overrides.ZONE or dice.one_in(2):
        what, value = "scale", dice.choice(["50%", "0%", "300%", "100%"])
    else:
        what, value = "quota", dice.choice(["0", "1", "5", "50", "unlimited"])
    for_s = dice.choice([1, 10, 60, 600])
    until_ms = overrides.now() + for_s * 1000
    return ("PUT", target,
            f"{arguments_of(target)}&{what}={value.replace('%', '%25')}"
            f"&for={for_s}s", (what, value, until_ms))
