"""What is configured: policies and lines, and what a request makes of them.

Everything that may change from request to request is a variable that reads
a request header, so that a request carries all that the model has to know.
"""

import re
from dataclasses import dataclass, field
from fractions import Fraction

MAX_UNITS = 999_999_999_999_999
NONSENSE = object()          # what a variable must not yield
WINDOW_UNITS_MS = {"ms": 1, "s": 1000, "m": 60_000, "h": 3_600_000,
                   "d": 86_400_000}
MONTH_MS = 31 * 86_400_000          # a window of months is taken for so long
MAX_WINDOW_MS = 366 * 86_400_000


@dataclass(frozen=True)
class Shape:
    """What one request asks of a bucket: units in a window, and for gcra the
    bucket's size."""
    units: int
    window_ms: int
    months: int
    capacity: int


@dataclass(frozen=True)
class Policy:
    name: str
    key: tuple               # of Source names, see KEYS
    algorithm: str           # or "concurrent"
    quota: str               # or how many places
    quota_varies: bool = False
    scale_varies: bool = False
    capacity: str = ""
    capacity_varies: bool = False
    tz_ms: int = 0
    skip_status: tuple = ()
    skip_if: bool = False
    count_status: tuple = ()
    count_if: bool = False
    status: int = 0          # 0: the location's
    hidden: bool = False
    keep: bool = False
    bans_ms: tuple = ()      # ban=, shortest first
    ban_after: int = 0
    ban_restarts: bool = False

    @property
    def corrects(self):
        """Whether the response says if its units stay charged."""
        return bool(self.skip_status or self.skip_if or self.count_status
                    or self.count_if)


@dataclass(frozen=True)
class Line:
    """A `ratelimit` line: one policy, its conditions and costs."""
    policy: Policy
    precontent: bool = False
    methods: tuple = ()
    methods_excluded: bool = False
    conditional: bool = False
    cost_varies: bool = False
    settles: str = ""        # "", "response" or "end"
    dry_run: str = ""        # "", "on", "off" or "varies"
    wait_ms: int = 0
    queue: int = 0           # how many may wait


@dataclass
class Client:
    """What variables see of a request, at one moment of its life."""
    method: str
    headers: dict
    args: dict
    user: str = ""           # what auth_request found out

    def header(self, name):
        return self.headers.get(name, "")


# ---------------------------------------------------------------- keys

def _client_key(client):
    """ratelimit_key $client $user header=X-Key: the first that is there, with
    its tag."""
    if client.user:
        return "var:" + client.user
    key = client.header("X-Key")
    return "header:" + key if key else ""


KEYS = {
    "$client": _client_key,
    "$http_x_key": lambda client: client.header("X-Key"),
    "$arg_k": lambda client: client.args.get("k", ""),
    "$user": lambda client: client.user,
    "everybody": lambda client: "everybody",
}


def key_of(policy, client):
    """The parts of the key; None where one is empty: not counted."""
    parts = tuple(KEYS[source](client) for source in policy.key)
    return parts if all(parts) else None


# ------------------------------------------------------------- numbers

def parse_units(text):
    """`cost=` and `settle=`: any string of digits is a number, decimals round
    up, beyond the maximum it is the maximum.  None: nonsense."""
    match = re.fullmatch(r"([0-9]+)(?:\.([0-9]+))?", text)
    if not match:
        return None
    rounded_up = 1 if (match[2] or "").strip("0") else 0
    return min(int(match[1]) + rounded_up, MAX_UNITS)


def parse_quota(text):
    """(units, window_ms, months), "unlimited" or NONSENSE."""
    if text in ("", "unlimited"):
        return "unlimited"
    match = re.fullmatch(r"([0-9]+)/([0-9]+)(ms|s|m|h|d|M)", text)
    if not match:
        return NONSENSE
    units, count = int(match[1]), int(match[2])
    if match[3] == "M":
        return units, min(count * MONTH_MS, MAX_WINDOW_MS), count
    return units, count * WINDOW_UNITS_MS[match[3]], 0


def parse_places(text):
    """(units, window_ms, months) as well: no window gives a place back."""
    if text in ("", "unlimited"):
        return "unlimited"
    return (int(text), 0, 0) if text.isdigit() else NONSENSE


def scaled(units, percentages):
    """Rounded down once, at least 1 unless one of them is 0 %."""
    for percentage in percentages:
        units *= Fraction(percentage.rstrip("%")) / 100
    if units == 0:
        return 0
    return min(max(int(units), 1), MAX_UNITS)


def quota_of(policy, client):
    """(units, window_ms, months), scaled; "unlimited"; or NONSENSE."""
    text = client.header("X-Quota-" + policy.name) if policy.quota_varies \
        else ""
    parse = parse_places if policy.algorithm == "concurrent" else parse_quota
    quota = parse(text or policy.quota)
    if quota is NONSENSE or quota == "unlimited" or not policy.scale_varies:
        return quota
    scale = client.header("X-Scale-" + policy.name)
    if scale == "nonsense":
        return NONSENSE
    return scaled(quota[0], [scale] if scale else []), *quota[1:]


def shape_of(policy, client, quota, key, overrides):
    """The shape that a request gives its bucket; None: unlimited."""
    if quota == "unlimited":
        return None
    units, window_ms, months = quota
    units = overrides.apply(policy, key, units)
    if units is None:
        return None
    capacity = units
    if policy.capacity and units > 0:
        text = client.header("X-Capacity-" + policy.name) \
            if policy.capacity_varies else ""
        capacity = int(text or policy.capacity)
    return Shape(units, window_ms, months, capacity)


def line_applies(line, client):
    if line.methods:
        listed = client.method in line.methods or (
            client.method == "HEAD" and "GET" in line.methods)
        if listed == line.methods_excluded:
            return False
    return not line.conditional or is_true(client.header("X-If"))


def is_true(text):
    return text not in ("", "0")


def cost_of(line, client):
    """What is empty, negative or nonsense costs 1."""
    if not line.cost_varies:
        return 1
    units = parse_units(client.header("X-Cost-" + line.policy.name))
    return 1 if units is None else units


def dry_run_of(line, location, client):
    setting = line.dry_run or location.dry_run
    if setting == "varies":
        return client.header("X-Dry") in ("on", "1")
    return setting == "on"


# ----------------------------------------------------------- overrides

@dataclass
class Overrides:
    """What an operator has set by ratelimit_api, until its time is over."""
    now: callable
    rows: dict = field(default_factory=dict)  # target -> (what, value, until)

    ZONE = "the zone"

    def get(self, target):
        row = self.rows.get(target)
        return row if row and row[2] > self.now() else None

    def apply(self, policy, key, units):
        """A key's own quota beats everything; else scales multiply.  None:
        unlimited."""
        of_key = self.get((policy.name, key))
        of_policy = self.get(policy.name)
        row = of_key if of_key and of_key[0] == "quota" else of_policy
        if row and row[0] == "quota":
            if row[1] == "unlimited":
                return None
            units = int(row[1])
            if row is of_key:
                return units
        percentages = [row[1] for row in
                       (self.get(self.ZONE), of_policy, of_key)
                       if row and row[0] == "scale"]
        return scaled(units, percentages) if percentages else units
