"""Requests at once (`concurrent=`): a unit is a place, held from the decision
until the request has ended, in whatever way."""

from buckets import Charge, Standing, admits, exactly, left_of

# Nobody knows when a request ends, so this is said: the shortest there is.
RETRY_AFTER_MS = 1000


class Places:
    def __init__(self):
        self.charges = []

    def used(self):
        return sum(charge.units for charge in self.charges)

    def kept(self, shape):
        return shape

    def stand(self, shape, cost, _now_ms):
        remaining = left_of(shape.units, exactly(self.used()))
        return Standing(admits(cost, remaining), remaining, exactly(0),
                        exactly(RETRY_AFTER_MS))

    def charge(self, _shape, cost, now_ms):
        charge = Charge(now_ms, cost, cost)
        self.charges.append(charge)
        return charge

    def touch(self, shape, now_ms):
        """Whoever is refused, or only looks, leaves nothing behind."""

    def give_back(self, charge, units, _now_ms):
        charge.units -= min(units, charge.units)
        if charge.units == 0 and charge in self.charges:
            self.charges.remove(charge)
