"""Deciding, correcting and telling: the counters of all keys, and what one
request's record says of them."""

from dataclasses import dataclass, field

from bans import Bans
from buckets import Calendar, Fixed, Gcra, Sliding, Span, exactly
from places import Places
from policy import (NONSENSE, cost_of, dry_run_of, key_of, line_applies,
                    quota_of, shape_of)


def new_bucket(policy):
    if policy.algorithm == "calendar":
        return Calendar(policy.tz_ms)
    return {"sliding": Sliding, "gcra": Gcra, "fixed": Fixed,
            "concurrent": Places}[policy.algorithm]()


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
    banned: bool = False
    remaining: Span = None
    reset_ms: Span = None
    retry_after_ms: Span = None
    told_at_ms: int = 0

    def tell(self, standing, now_ms):
        self.remaining = standing.remaining
        self.reset_ms = standing.reset_ms
        if self.policy.algorithm in ("sliding", "fixed", "calendar"):
            self.reset_ms = self.reset_ms.map(
                lambda ms: min(ms, self.shape.window_ms))
        self.told_at_ms = now_ms

    def tell_banned(self, left_ms):
        self.admitted = False
        self.remaining = exactly(0)
        self.reset_ms = self.retry_after_ms = exactly(left_ms)

    @property
    def can_be_banned(self):
        return bool(self.policy.bans_ms) and self.cost > 0


@dataclass
class Record:
    """Of one request: every policy that decided it, at most once each."""
    items: list = field(default_factory=list)
    refusing: list = field(default_factory=list)
    dry_run: bool = False
    waited_ms: int = 0
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
        self.bans = {}

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

    def bans_of(self, item):
        return self.bans.setdefault((item.policy.name, item.key),
                                    Bans(item.policy))

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
        self.look(item)
        return item

    def look(self, item):
        standing = self.bucket(item).stand(item.shape, item.cost, self.now_ms)
        item.tell(standing, self.now_ms)
        item.admitted = True if item.cost == 0 else standing.admits
        item.retry_after_ms = standing.retry_after_ms
        self.look_at_ban(item)

    def look_at_ban(self, item):
        """Whatever units are back."""
        if not item.can_be_banned:
            return
        left_ms = self.bans_of(item).left_ms(self.now_ms)
        if left_ms:
            item.banned = True
            item.tell_banned(left_ms)

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

    def attempt(self, items, witness):
        """All or none.  True: the request goes on."""
        for item in items:
            self.look(item)
            if item.banned and item.policy.ban_restarts:
                self.bans_of(item).restart(self.now_ms)
                self.look_at_ban(item)
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
            elif not self.is_only_looked_at(item, items):
                self.bucket(item).touch(item.shape, self.now_ms)
        for item in items:
            if not item.admitted and not item.banned and item.can_be_banned:
                self.count_refusal(item, witness)
        return enforced

    def conclude(self, record, items, enforced):
        """The request is told."""
        if not enforced:
            self.return_charges(record)
            record.refusing = [i for i in items
                               if not i.admitted and not i.dry_run]
        record.items += items
        record.dry_run |= enforced and not all(i.admitted for i in items)

    @staticmethod
    def is_only_looked_at(item, items):
        """A ban has refused the request, or would in dry run."""
        return any(i.banned and (item.dry_run or not i.dry_run)
                   for i in items)

    def count_refusal(self, item, witness):
        """The policy's own: one that is enough begins a ban."""
        bans, now_ms = self.bans_of(item), self.now_ms
        refusals = bans.refuse(item.shape.window_ms, now_ms)
        after = item.policy.ban_after
        begins = refusals.low >= after or (
            refusals.high >= after
            and witness.tells_ban(item.policy, bans.would_last_ms(now_ms)))
        if begins:
            bans.begin(now_ms)
            item.tell_banned(bans.left_ms(now_ms))

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

    def end(self, record):
        """The request is over.  Yields items whose places are free now."""
        for item in record.items:
            if item.policy.algorithm == "concurrent" and item.charges:
                for charge in item.charges:
                    self.bucket(item).give_back(charge, charge.units,
                                                self.now_ms)
                yield item

    def give_back_last(self, item):
        """Units that were taken ahead of their time, and are not used: those
        who stand behind them keep their times."""
        bucket = self.kept_bucket(item)
        bucket.advance(self.now_ms)
        for charge in item.charges:
            if bucket.queue and bucket.queue[-1] is charge:
                bucket.give_back(charge, charge.taken, self.now_ms)
        item.charges = []

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
