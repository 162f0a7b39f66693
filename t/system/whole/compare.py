"""What nginx tells of a request, held against what the model says."""

from math import ceil

from buckets import Span
from conf import OVERALL, PER_POLICY
from policy import NONSENSE, line_applies


class Disagreement(Exception):
    pass


class Told:
    """The variables of one moment, see conf.standing_format()."""

    def __init__(self, world, text, answer=None):
        self.answer = answer    # the response's status, once there is one
        overall, *groups = [group.split(",") for group in text.split("|")]
        clean = [[value if value != "-" else "" for value in group]
                 for group in (overall, *groups)]
        self.overall = dict(zip(OVERALL, clean[0]))
        self.policies = {policy.name: dict(zip(PER_POLICY, group))
                         for policy, group in zip(world.policies, clean[1:])}

    def refused(self, policy):
        return self.policies[policy.name]["status"].startswith("REJECTED")

    def tells_ban(self, policy, ban_ms):
        """That one of this length has begun."""
        told = self.policies[policy.name]
        return told["remaining"] == "0" and \
            told["reset"] == str(-(-ban_ms // 1000))

    def retry_rank(self, policy):
        """The greater, the longer it takes to admit again, as told."""
        told = self.policies[policy.name]
        return (int(told["retry_after"] or 0), policy.hidden
                or policy.name == self.overall["policy"])


class ToldNothing:
    """As nginx has the request wait, right or wrong."""
    answer = None

    @staticmethod
    def refused(_policy):
        return True

    @staticmethod
    def tells_ban(_policy, _ban_ms):
        return False

    @staticmethod
    def retry_rank(_policy):
        return ()


def expect(what, told, right):
    fits = told in right if isinstance(right, (set, Span)) else told == right
    if not fits:
        raise Disagreement(f"{what}: told {told!r}, right is {right}")


def seconds(span, elapsed_ms=0, least=0):
    """Rounded up, and drawn nearer since it was told."""
    return span.map(lambda ms: max(-(max(ms - elapsed_ms, 0) // -1000),
                                   least))


# Seconds: no client is told to wait longer.
MOST_RETRY_AFTER = 20 * 24 * 3600


def hull(*spans):
    return Span(min(s.low for s in spans), max(s.high for s in spans))


class Comparison:
    """Of one request at one moment.  Resets are told anew with the response
    only."""

    def __init__(self, world, counters, life, told, key_ids, at_answer):
        self.world = world
        self.counters = counters
        self.life = life
        self.record = life.record
        self.told = told
        self.key_ids = key_ids
        self.at_answer = at_answer

    def run(self):
        for policy in self.world.policies:
            item = self.record.item(policy) if self.record else None
            if item:
                self.decided(item)
            else:
                self.looked(policy)
        self.overall()

    def decided(self, item):
        name, told = item.policy.name, self.told.policies[item.policy.name]
        refused = not item.admitted and not item.dry_run
        expect(f"status of {name}", told["status"],
               self.passed if item.admitted
               else "REJECTED" if refused else "REJECTED_DRY_RUN")
        self.numbers(item, told)
        if self.at_answer:
            elapsed_ms = self.counters.now_ms - item.told_at_ms
            self.reset(item, told, seconds(item.reset_ms, elapsed_ms))
            self.retry(name, told, refused and seconds(
                item.retry_after_ms, elapsed_ms, least=1))

    def looked(self, policy):
        """What the variables of a policy that did not decide say: its standing
        for a request that costs 1."""
        name, told = policy.name, self.told.policies[policy.name]
        expect(f"status of {name}", told["status"],
               "" if self.record is None
               else "ERROR" if self.record.error else "BYPASSED")
        item = self.counters.ask(policy, None, self.life.location,
                                 self.life.client)
        if item in (None, NONSENSE):
            expect(f"limit of {name}", told["limit"], "")
            return
        self.numbers(item, told)
        if item.admitted is None:
            item.admitted = not told["retry_after"]
        self.reset(item, told, seconds(item.reset_ms if item.admitted
                                       else item.retry_after_ms))
        self.retry(name, told, not item.admitted and seconds(
            item.retry_after_ms, least=1))

    def numbers(self, item, told):
        name = item.policy.name
        expect(f"limit of {name}", told["limit"], str(item.shape.capacity))
        expect(f"remaining of {name}", int(told["remaining"]), item.remaining)
        key = (name, item.key)
        expect(f"key id of {key}", told["key_id"],
               self.key_ids.setdefault(key, told["key_id"]))

    @staticmethod
    def reset(item, told, right):
        """Of places nobody knows it."""
        name = f"reset of {item.policy.name}"
        if item.policy.algorithm == "concurrent":
            expect(name, told["reset"], "")
        else:
            expect(name, int(told["reset"]), right)

    @staticmethod
    def retry(name, told, right):
        text = told["retry_after"]
        if right:
            expect(f"retry_after of {name}", int(text or 0),
                   right.map(lambda seconds: min(seconds, MOST_RETRY_AFTER)))
        else:
            expect(f"retry_after of {name}", text, "")

    # --------------------------------------------------------- overall

    def overall(self):
        told = self.told.overall
        expect("status", told["status"], self.overall_status())
        expect("waited_ms", told["waited_ms"], str(self.record.waited_ms)
               if self.record and self.record.items else "")
        items = self.record.items if self.record else self.looked_here()
        possible = self.reported([i for i in items if not i.policy.hidden])
        expect("reported policy", told["policy"], possible or {""})
        policy = self.told.policies.get(told["policy"])
        if policy:
            for name in ("limit", "remaining", "reset"):
                expect(name, told[name], policy[name])
        if self.record:
            waits = [int(self.told.policies[i.policy.name]["retry_after"])
                     for i in self.record.refusing]
            if self.record.failed:
                waits = [1]
            expect("retry_after", told["retry_after"],
                   str(max(waits)) if waits else "")

    def overall_status(self):
        if self.record is None:
            return ""
        if self.record.failed or (self.record.error
                                  and not self.record.refused):
            return "ERROR"
        if not self.record.items:
            return "BYPASSED"
        if self.record.refused:
            return "REJECTED"
        if self.record.dry_run:
            return "REJECTED_DRY_RUN"
        return self.passed

    @property
    def passed(self):
        return "DELAYED" if self.record.waited_ms else "PASSED"

    def looked_here(self):
        """Without a decision the location's policies are told as they stand."""
        items = [self.counters.ask(line.policy, None, self.life.location,
                                   self.life.client)
                 for line in self.life.location.lines
                 if line_applies(line, self.life.client)]
        items = [item for item in items if item not in (None, NONSENSE)]
        for item in items:
            told = self.told.policies[item.policy.name]
            item.admitted = not told["retry_after"]
        return items

    def reported(self, items):
        """The names of those that may be reported: the refusal that takes
        longest to admit again, else the least remaining / cost, then the
        longest reset.  Refusals in dry run come behind those in earnest."""
        def urgency(item):
            return 0 if item.admitted else 1 if item.dry_run else 2

        def told(item, name):
            return int(self.told.policies[item.policy.name][name] or 0)

        def wait_s(item):
            """A refusal's reset is that; but of places, and of units that
            are there for those in line, drawn nearer as resets are."""
            if item.policy.algorithm != "concurrent" \
                    and item.reset_ms == item.retry_after_ms:
                return told(item, "reset")
            return seconds(item.retry_after_ms, self.at_answer
                           and self.counters.now_ms - item.told_at_ms).low

        def rank(item):
            if not item.admitted:
                return (wait_s(item),)
            return (-told(item, "remaining") / (item.cost or 1),
                    told(item, "reset"))

        most = max(map(urgency, items), default=None)
        ranks = {item.policy.name: rank(item) for item in items
                 if urgency(item) == most}
        return {name for name, r in ranks.items() if r == max(ranks.values())}

    # ---------------------------------------------------------- fields

    def fields(self, fields):
        """The response's."""
        told = self.told.overall
        decided = self.record and self.record.items and told["policy"]
        right = {name: told[name] for name in ("limit", "remaining", "reset")}
        if decided and told["reset"] == "0" and any(
                not i.admitted and i.policy.name == told["policy"]
                for i in self.record.items):
            right["reset"] = "1"    # as Retry-After
        for name, value in right.items():
            expect(f"field X-RateLimit-{name}",
                   fields.get(f"x-ratelimit-{name}", ""),
                   value if decided else "")
        expect("field Retry-After", fields.get("retry-after", ""),
               told["retry_after"]
               if self.record and self.record.refused else "")
