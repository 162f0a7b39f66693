"""Deciding, correcting and telling: the counters of all keys, and what one
request's record says of them."""

from dataclasses import dataclass, field

from buckets import Span, exactly, new_bucket
from policy import (NONSENSE, cost_of, dry_run_of, key_of, line_applies,
                    quota_of, shape_of)


@dataclass
class Item:
    """What one policy decided of one request.  Its units are in `charges`
    and may be given back by a later refusal while `returnable`, or by a
    response that does not count; their number is final once `settled`."""
    policy: object
    line: object
    key: tuple
    shape: object
    cost: int
    dry_run: bool
    admitted: bool = True
    charges: list = field(default_factory=list)
    returnable: bool = True
    settled: bool = False
    remaining: Span = None
    reset_ms: Span = None
    retry_after_ms: Span = None
    told_at_ms: int = 0

    def tell(self, standing, now_ms):
        self.remaining = standing.remaining
        self.reset_ms = standing.reset_ms
        if self.policy.algorithm != "gcra":
            self.reset_ms = self.reset_ms.map(
                lambda ms: min(ms, self.shape.window_ms))
        self.told_at_ms = now_ms


@dataclass
class Record:
    """Of one request: every policy that decided it, at most once each."""
    items: list = field(default_factory=list)
    refusing: list = field(default_factory=list)
    dry_run: bool = False
    error: bool = False           # a policy could not decide it,
    failed: bool = False          # and so it is refused

    @property
    def refused(self):
        return bool(self.refusing) or self.failed

    def item(self, policy):
        return next((i for i in self.items if i.policy is policy), None)

    def slowest(self, witness):
        """The refusals that may be the one that takes longest to admit again;
        where spans leave that open, those that nginx says."""
        longest = max(i.retry_after_ms.low for i in self.refusing)
        possible = [i for i in self.refusing
                    if i.retry_after_ms.high >= longest]
        ranks = [witness.retry_rank(i.policy) for i in possible]
        return [i for i, rank in zip(possible, ranks) if rank == max(ranks)]


class Counters:
    """Every bucket there is, shared by all workers."""

    def __init__(self, clock, overrides):
        self.clock = clock
        self.overrides = overrides
        self.buckets = {}

    @property
    def now_ms(self):
        return self.clock.now_ms

    def bucket(self, item):
        """Only a charge makes a bucket; until then it is a fresh one."""
        return self.buckets.get((item.policy.name, item.key)) \
            or new_bucket(item.policy)

    def kept_bucket(self, item):
        bucket = self.bucket(item)
        self.buckets[item.policy.name, item.key] = bucket
        return bucket

    # -------------------------------------------------------- deciding

    def ask(self, policy, line, location, client):
        """The item of a policy and a request; None: it does not apply;
        NONSENSE: nobody can tell what it allows."""
        quota = quota_of(policy, client)
        if quota is NONSENSE:
            return NONSENSE
        key = key_of(policy, client)
        if key is None:
            return None
        shape = shape_of(policy, client, quota, key, self.overrides)
        if shape is None:
            return None
        cost = cost_of(line, client) if line else 1
        dry_run = bool(line) and dry_run_of(line, location, client)
        item = Item(policy, line, key, shape, cost, dry_run)
        standing = self.bucket(item).stand(shape, cost, self.now_ms)
        item.tell(standing, self.now_ms)
        item.admitted = True if cost == 0 else standing.admits
        item.retry_after_ms = standing.retry_after_ms
        return item

    def collect(self, record, lines, location, client):
        """An item for every policy that applies and has not decided this
        request; of a policy's lines the first that applies counts."""
        items = []
        for line in lines:
            known = any(i.policy is line.policy for i in record.items + items)
            if known or not line_applies(line, client):
                continue
            item = self.ask(line.policy, line, location, client)
            if item is NONSENSE:
                self.undecided(record, line, location, client)
            elif item:
                items.append(item)
        return items

    @staticmethod
    def undecided(record, line, location, client):
        """`ratelimit_on_error`; a line that refuses nothing does not refuse
        this."""
        record.error = True
        if location.on_error == "refuse" and cost_of(line, client) > 0 \
                and not dry_run_of(line, location, client):
            record.failed = True

    def decide(self, record, lines, location, client, witness):
        """All or none.  True: the request goes on."""
        if record.refused:
            return True
        items = self.collect(record, lines, location, client)
        if record.failed:
            self.return_charges(record)
            return False
        for item in items:
            if item.admitted is None:
                item.admitted = not witness.refused(item.policy)
            if not item.admitted:
                item.reset_ms = item.retry_after_ms
        enforced = all(i.admitted or i.dry_run for i in items)
        everything = all(i.admitted for i in items)
        for item in items:
            admitted = everything if item.dry_run else enforced
            if not item.admitted and item.dry_run:
                item.remaining = exactly(0)
            if admitted and item.cost > 0:
                self.charge(item)
            else:
                self.bucket(item).touch(item.shape, self.now_ms)
        if not enforced:
            self.return_charges(record)
            record.refusing = [i for i in items
                               if not i.admitted and not i.dry_run]
        record.items += items
        record.dry_run |= enforced and not everything
        return enforced

    def charge(self, item):
        item.charges = [self.kept_bucket(item).charge(item.shape, item.cost,
                                                      self.now_ms)]
        item.returnable = not item.policy.keep
        self.tell_anew(item)

    def return_charges(self, record):
        """A refusal: what was charged before, and is not kept, goes back."""
        for item in record.items:
            if item.returnable:
                self.give_back(item)
                item.settled = True

    # ------------------------------------------------------ correcting

    def give_back(self, item):
        if item.charges:
            self.take_off(item, item.cost)

    def take_off(self, item, units):
        for charge in reversed(item.charges):
            back = min(units, charge.taken)
            self.kept_bucket(item).give_back(charge, back, self.now_ms)
            units -= back
            item.charges = [c for c in item.charges
                            if c is not charge or back < charge.taken]
        self.tell_anew(item)

    def settle(self, item, units):
        """The final cost: the difference is given back or charged, into debt
        if need be."""
        if not item.charges and item.cost > 0:
            return                      # in dry run, refused
        if units < item.cost:
            self.take_off(item, item.cost - units)
        elif units > item.cost:
            item.charges.append(self.kept_bucket(item).charge(
                item.shape, units - item.cost, self.now_ms))
        item.cost = units
        self.tell_anew(item)

    def tell_anew(self, item):
        bucket = self.bucket(item)
        item.tell(bucket.stand(bucket.kept(item.shape), 0, self.now_ms),
                  self.now_ms)
