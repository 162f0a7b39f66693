"""The four algorithms, slow and exact, by what README promises of them.

A bucket answers stand() without changing anything.  charge() is of a request
that was admitted (or settled), touch() of one that was not, and give_back()
corrects later what was charged.  `fixed`, `calendar` and `gcra` are exact to
the millisecond; of `sliding` a span is known: a unit counts for a window, and
is gone a sixteenth of a window and 1 ms later.
"""

from copy import deepcopy
from dataclasses import dataclass, replace
from datetime import datetime, timedelta, timezone
from fractions import Fraction
from math import ceil, floor

EPOCH = datetime(1970, 1, 1, tzinfo=timezone.utc)


@dataclass(frozen=True)
class Span:
    """A value that is known to lie from `low` to `high`."""
    low: int
    high: int

    def __contains__(self, value):
        return self.low <= value <= self.high

    def map(self, function):
        return Span(function(self.low), function(self.high))

    def __str__(self):
        return str(self.low) if self.low == self.high \
            else f"{self.low}..{self.high}"


def exactly(value):
    return Span(value, value)


def left_of(quota, used):
    """What remains of a quota, never negative."""
    return Span(max(quota - used.high, 0), max(quota - used.low, 0))


@dataclass(frozen=True)
class Standing:
    """An answer: `admits` is None where either is right."""
    admits: bool
    remaining: Span
    reset_ms: Span
    retry_after_ms: Span     # of a refusal


@dataclass
class Charge:
    """Units that a request took and may get back."""
    time_ms: int
    taken: int               # units at first,
    units: int               # and not given back since (nor drained: gcra)
    late_ms: int = 0         # sliding: counts as if taken so late
    surely: bool = True      # sliding: still counted for certain
    window: int = 0          # gcra: which window was kept then
    window_ms: int = 0       # sliding: the request's own


def admits(cost, remaining):
    if cost <= remaining.low:
        return True
    return None if cost <= remaining.high else False


class Sliding:
    def __init__(self):
        self.charges = []
        self.window_ms = None

    # A unit counts until `leaves` at the earliest and `left` at the latest.
    @staticmethod
    def leaves_ms(charge, window_ms):
        return charge.time_ms + window_ms

    @staticmethod
    def left_ms(charge, window_ms):
        return charge.late_ms + window_ms + -(-window_ms // 16) + 1

    def live(self, shape, now_ms):
        """The charges that may count, as a request of this shape sees them:
        what is too old for the window that is kept, or for its own, is
        gone."""
        live = []
        for charge in self.charges:
            kept_ms = self.window_ms
            if charge.units == 0 or now_ms >= min(
                    self.left_ms(charge, kept_ms),
                    self.left_ms(charge, shape.window_ms)
                    + self.known_ms(shape)):
                continue
            surely = charge.surely and now_ms < self.leaves_ms(
                charge, min(kept_ms, shape.window_ms))
            live.append((charge, surely))
        return live

    def used(self, shape, now_ms):
        live = self.live(shape, now_ms)
        return Span(sum(c.units for c, surely in live if surely),
                    sum(c.units for c, _ in live))

    def known_ms(self, shape):
        """By how much a charge may seem later, seen through another window."""
        if self.window_ms in (None, shape.window_ms):
            return 0
        return self.window_ms // 16 + 1

    def stand(self, shape, cost, now_ms):
        remaining = left_of(shape.units, self.used(shape, now_ms))
        window_ms, slack_ms = shape.window_ms, self.known_ms(shape)
        live = self.live(shape, now_ms)
        # When all have left, and when so many that the cost fits.
        reset = [0, 0]
        retry = [0, 0]
        must_leave = [sum(c.units for c, surely in live if surely)
                      + cost - shape.units,
                      sum(c.units for c, _ in live) + cost - shape.units]
        for charge, surely in live:
            times = (self.leaves_ms(charge, window_ms) - now_ms,
                     self.left_ms(charge, window_ms) + slack_ms - now_ms)
            if surely:
                reset[0] = max(reset[0], times[0])
            reset[1] = max(reset[1], times[1])
            for i in (0, 1):
                if must_leave[i] > 0 and (surely or i == 1):
                    must_leave[i] -= charge.units
                    retry[i] = max(retry[i], times[i])
        if cost > shape.units:
            retry = [window_ms, window_ms]
        # (What may or may not be gone can be the newest there is.)
        return Standing(admits(cost, remaining), remaining,
                        Span(*reset), Span(*retry))

    def adopt(self, shape, now_ms):
        """The window is kept, and what is older than that is forgotten."""
        slack_ms = self.known_ms(shape)
        kept = []
        for charge, surely in self.live(shape, now_ms):
            charge.surely = surely
            charge.late_ms += slack_ms
            kept.append(charge)
        self.charges = kept
        self.window_ms = shape.window_ms

    def kept(self, shape):
        return shape if self.window_ms is None \
            else replace(shape, window_ms=self.window_ms)

    def charge(self, shape, cost, now_ms):
        self.adopt(shape, now_ms)
        charge = Charge(now_ms, cost, cost, now_ms,
                        window_ms=shape.window_ms)
        self.charges.append(charge)
        return charge

    def touch(self, shape, now_ms):
        """A longer window holds from whoever comes with it."""
        if self.window_ms is not None and shape.window_ms > self.window_ms:
            self.adopt(shape, now_ms)

    def give_back(self, charge, units, now_ms):
        """What has been seen through another window since may not be found, and
        what is older than its own is not looked for."""
        back = min(units, charge.units)
        charge.units -= back
        if charge.late_ms > charge.time_ms or \
                now_ms >= charge.time_ms + charge.window_ms:
            self.charges.append(replace(charge, units=back, surely=False))


class Fixed:
    """A window that opens with a charge, or on the clock (Calendar).  It
    begins where it began, and ends as the request's quota says; a longer one
    is kept from whoever comes with it, a shorter one from the next charge."""

    def __init__(self):
        self.charges = []
        self.begin_ms = 0
        self.window_ms = None    # that is kept,
        self.months = 0          # calendar: and if it is of months, how many

    def begin(self, shape, now_ms):
        return now_ms

    def end(self, shape):
        return self.begin_ms + shape.window_ms

    def kept(self, shape):
        return shape if self.window_ms is None else replace(
            shape, window_ms=self.window_ms, months=self.months)

    def keep(self, shape):
        self.window_ms, self.months = shape.window_ms, shape.months

    def used(self, shape, now_ms):
        if self.window_ms is None:
            return 0
        end_ms = min(self.end(shape), self.end(self.kept(shape)))
        # (A longer window does not bring back what has ended.)
        if now_ms >= end_ms:
            return 0
        return sum(charge.units for charge in self.charges)

    def stand(self, shape, cost, now_ms):
        used = self.used(shape, now_ms)
        remaining = left_of(shape.units, exactly(used))
        reset_ms = self.end(shape) - now_ms if used else 0
        retry_ms = shape.window_ms if cost > shape.units else reset_ms
        return Standing(admits(cost, remaining), remaining,
                        exactly(reset_ms), exactly(retry_ms))

    def charge(self, shape, cost, now_ms):
        if self.used(shape, now_ms) == 0:
            self.charges = []
            self.begin_ms = self.begin(shape, now_ms)
        self.keep(shape)
        charge = Charge(now_ms, cost, cost)
        self.charges.append(charge)
        return charge

    def touch(self, shape, now_ms):
        if self.used(shape, now_ms) and \
                self.end(shape) > self.end(self.kept(shape)):
            self.keep(shape)

    def give_back(self, charge, units, now_ms):
        charge.units -= min(units, charge.units)


class Calendar(Fixed):
    def __init__(self, tz_ms):
        super().__init__()
        self.tz_ms = tz_ms

    def span(self, shape, time_ms):
        """The window on the clock that holds this time: its begin and end."""
        local_ms = time_ms + self.tz_ms
        if not shape.months:
            begin_ms = local_ms // shape.window_ms * shape.window_ms
            return (begin_ms - self.tz_ms,
                    begin_ms + shape.window_ms - self.tz_ms)
        date = EPOCH + timedelta(milliseconds=local_ms)
        month = (date.year - 1970) * 12 + date.month - 1
        month = month // shape.months * shape.months
        return tuple((datetime(1970 + m // 12, m % 12 + 1, 1,
                               tzinfo=timezone.utc) - EPOCH)
                     // timedelta(milliseconds=1) - self.tz_ms
                     for m in (month, month + shape.months))

    def begin(self, shape, now_ms):
        return self.span(shape, now_ms)[0]

    def end(self, shape):
        return self.span(shape, self.begin_ms)[1]


class Gcra:
    """A queue of charges, whose oldest drains first, by the rate (units in a
    window) that is kept: the one of the last request that was charged, or a
    faster one that came since.  Debt is counted in units a window's
    milliseconds, rounded up where that changes.

    A refund that is late, with newer charges behind it, may find less than
    there is: then the debt is from what is in the queue to `most`."""

    MOST_UNITS = 2 ** 52 - 1

    def __init__(self):
        self.queue = []
        self.most = Fraction(0)
        self.then_ms = 0
        self.units = None
        self.window_ms = None
        self.windows = 0         # that have been kept so far

    # ---------------------------------------------------------- the debt

    def kept(self, shape):
        if self.window_ms is None:
            return shape
        return replace(shape, units=self.units, window_ms=self.window_ms)

    def is_faster(self, shape):
        return self.window_ms is not None and \
            shape.units * self.window_ms > self.units * shape.window_ms

    def advance(self, now_ms):
        """Lets what has drained by now leave the queue."""
        if self.window_ms is None:
            return
        gone = Fraction((now_ms - self.then_ms) * self.units, self.window_ms)
        self.then_ms = now_ms
        self.most = max(self.most - gone, Fraction(0))
        while self.queue and gone > 0:
            drained = min(self.queue[0].units, gone)
            self.queue[0].units -= drained
            gone -= drained
            if self.queue[0].units == 0:
                self.queue.pop(0)

    def debt(self):
        return Span(sum(charge.units for charge in self.queue), self.most)

    def adopt(self, shape):
        self.units = shape.units
        if self.window_ms == shape.window_ms:
            return
        self.window_ms = shape.window_ms
        self.windows += 1
        if self.queue:
            debt = self.debt().low
            self.queue[0].units += self.rounded_up(debt) - debt
        self.most = self.rounded_up(self.most)

    def rounded_up(self, debt):
        return Fraction(ceil(debt * self.window_ms), self.window_ms)

    # --------------------------------------------------------- questions

    def stand(self, shape, cost, now_ms):
        seen = deepcopy(self)
        seen.advance(now_ms)
        if self.window_ms is None or self.is_faster(shape):
            seen.adopt(shape)
        debt = seen.debt()
        remaining = exactly(0) if shape.units == 0 else Span(
            max(floor(shape.capacity - debt.high), 0),
            max(floor(shape.capacity - debt.low), 0))
        if shape.units == 0 or cost > shape.capacity:
            retry_ms = exactly(shape.window_ms)
        else:
            retry_ms = debt.map(lambda d: seen.drain_ms(
                d + cost - shape.capacity))
        return Standing(admits(cost, remaining), remaining,
                        debt.map(seen.drain_ms), retry_ms)

    def drain_ms(self, debt):
        if debt <= 0:
            return 0
        if self.units == 0:
            return self.window_ms
        return min(ceil(debt * self.window_ms / self.units), 2 ** 62)

    # ----------------------------------------------------------- changes

    def charge(self, shape, cost, now_ms):
        if self.window_ms is None:
            self.then_ms = now_ms
        self.advance(now_ms)
        if self.window_ms is None or shape.units > 0:
            self.adopt(shape)
        units = min(cost, self.MOST_UNITS - self.most)
        charge = Charge(now_ms, units, Fraction(units), window=self.windows)
        self.queue.append(charge)
        self.most += units
        return charge

    def touch(self, shape, now_ms):
        if self.is_faster(shape):
            self.advance(now_ms)
            if self.most > 0:
                self.adopt(shape)

    def give_back(self, charge, units, now_ms):
        self.advance(now_ms)
        is_newest = self.queue and self.queue[-1] is charge
        if is_newest and charge.window == self.windows:
            self.most -= min(units, charge.taken, self.most)
        charge.units -= min(units, charge.units)
        self.queue = [c for c in self.queue if c.units > 0]
