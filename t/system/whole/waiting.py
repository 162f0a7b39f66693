"""Requests that wait (`wait=`, `queue=`): a queue for each key of a policy, in
each worker.

Of a queue the first one asks again, when its units are due or after a place
may have become free; the others stand behind it until they are the first, or
their time is over.  Where `gcra` alone decides, a request takes its units
when it comes, and is let in when they are due.

What happens at one time has an order: timers by their times, then those that
were woken, as they were.
"""

from dataclasses import dataclass, field

from buckets import exactly

# By then a place that another worker has given back is seen.
LOOK_AGAIN_MS = 10
PENDING = None


@dataclass(eq=False)
class Waiter:
    """One decision of a request that may wait."""
    items: list
    request: object          # whatever takes it up again
    worker: str
    queue: list = None       # that it stands in
    since_ms: int = 0
    until_ms: int = 0        # it waits in vain
    timer_ms: int = 0
    order: int = 0           # in which timers were set
    looks: bool = False      # its timer is no time that anybody told
    reserved: bool = False
    waited_ms: int = 0


@dataclass
class Queues:
    counters: object
    queues: dict = field(default_factory=dict)
    waiters: list = field(default_factory=list)
    woken: list = field(default_factory=list)
    timers: int = 0

    @property
    def now_ms(self):
        return self.counters.now_ms

    def queue_of(self, worker, item):
        return self.queues.setdefault(
            (worker, item.policy.name, item.key), [])

    # -------------------------------------------------------- attempts

    def attempt(self, waiter, witness):
        """True: it is let in.  False: it is refused, and told as its items
        say.  PENDING: it stands in a queue."""
        verdict = self.verdict(waiter, witness)
        if verdict is not PENDING:
            self.leave(waiter)
        return verdict

    def verdict(self, waiter, witness):
        if waiter.reserved:
            return self.use_reserved(waiter)
        items = waiter.items
        if len(items) == 1 and items[0].policy.algorithm == "gcra":
            return self.try_or_reserve(waiter, witness)
        if waiter.queue is not None:
            if self.now_ms < waiter.until_ms and waiter.queue[0] is not waiter:
                return self.wait(waiter, waiter.until_ms)
            left_ms = waiter.until_ms - self.now_ms
        else:
            left_ms = None
            for item in items:
                if self.is_asked_to_wait(item) \
                        and self.queue_of(waiter.worker, item):
                    return self.stand_behind(waiter, item)
        if self.counters.attempt(items, witness):
            return True
        return self.wait_for_slowest(waiter, left_ms)

    @staticmethod
    def is_asked_to_wait(item):
        return item.line.wait_ms and item.cost and not item.dry_run

    def stand_behind(self, waiter, item):
        """Nobody overtakes; and what is left is of those who are before."""
        if self.enter(waiter, item):
            return self.wait(waiter, waiter.until_ms)
        for other in waiter.items:
            self.counters.look(other)
            if not other.admitted:
                other.reset_ms = other.retry_after_ms
                if other.dry_run:
                    other.remaining = exactly(0)
        if item.admitted:
            item.admitted = False
            item.remaining = exactly(0)
            item.retry_after_ms = exactly(1)
            item.reset_ms = item.reset_ms.map(lambda ms: max(ms, 1))
        return False

    def wait_for_slowest(self, waiter, left_ms):
        refusing = [item for item in waiter.items
                    if not item.admitted and not item.dry_run]
        if any(not item.line.wait_ms or item.cost > item.shape.capacity
               for item in refusing):
            return False
        slowest = max(refusing, key=lambda item: item.retry_after_ms.low)
        looks = slowest.policy.algorithm == "concurrent"
        due_ms = LOOK_AGAIN_MS if looks else slowest.retry_after_ms.low
        if left_ms is None:
            left_ms = slowest.line.wait_ms
        if left_ms <= 0 or due_ms > left_ms:
            return False
        if waiter.queue is None and not self.enter(waiter, slowest):
            return False
        return self.wait(waiter, self.now_ms + max(due_ms, 1), looks)

    # ---------------------------------------------------- gcra, alone

    def try_or_reserve(self, waiter, witness):
        item, = waiter.items
        if self.counters.attempt(waiter.items, witness):
            return True
        due_ms = item.retry_after_ms.low
        if item.shape.units == 0 or item.cost > item.shape.capacity \
                or due_ms > item.line.wait_ms or not self.enter(waiter, item):
            return False
        self.counters.charge(item)
        waiter.reserved = True
        return self.wait(waiter, self.now_ms + due_ms)

    def use_reserved(self, waiter):
        if self.now_ms < waiter.timer_ms:
            return PENDING
        item, = waiter.items
        item.admitted = True
        item.remaining = exactly(0)
        # As if nobody stood behind it.
        item.reset_ms = exactly(-(-item.shape.capacity * item.shape.window_ms
                                  // item.shape.units))
        item.told_at_ms = self.now_ms
        waiter.reserved = False
        return True

    # ---------------------------------------------------------- queues

    def enter(self, waiter, item):
        queue = self.queue_of(waiter.worker, item)
        if len(queue) >= item.line.queue:
            return False
        queue.append(waiter)
        self.waiters.append(waiter)
        waiter.queue = queue
        waiter.since_ms = self.now_ms
        waiter.until_ms = self.now_ms + item.line.wait_ms
        return True

    def wait(self, waiter, timer_ms, looks=False):
        self.timers += 1
        waiter.timer_ms, waiter.order = timer_ms, self.timers
        waiter.looks = looks
        return PENDING

    def leave(self, waiter):
        """It is decided, or its client has gone: the next one is the first."""
        if waiter.queue is None:
            return
        if waiter.reserved:
            self.counters.give_back_last(waiter.items[0])
            waiter.reserved = False
        waiter.waited_ms = self.now_ms - waiter.since_ms
        waiter.queue.remove(waiter)
        self.waiters.remove(waiter)
        if waiter in self.woken:
            self.woken.remove(waiter)
        if waiter.queue and not waiter.queue[0].reserved:
            self.wake(waiter.queue[0])
        waiter.queue = None

    def wake(self, waiter):
        if waiter not in self.woken:
            self.woken.append(waiter)

    def place_is_free(self, worker, item):
        queue = self.queue_of(worker, item)
        if queue:
            self.wake(queue[0])

    # ---------------------------------------------------------- timers

    def next_timer(self, worker):
        """Of those whose time has come the first one."""
        return min((w for w in self.waiters
                    if w.worker == worker and w.timer_ms <= self.now_ms),
                   key=lambda w: (w.timer_ms, w.order), default=None)

    def next_time_ms(self):
        """When something may change by itself."""
        return min((w.until_ms if w.looks else w.timer_ms
                    for w in self.waiters), default=None)
