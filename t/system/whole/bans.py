"""Bans of one policy and key: `ban=`, `after=`, `ban_restarts`.

A refusal counts for a window, and is gone a sixteenth of it and 1 ms later;
what lies between may be either.  During a ban nothing is counted.
"""

from buckets import Span


class Bans:
    def __init__(self, policy):
        self.policy = policy
        self.refused_ms = []     # when, since the last ban began
        self.until_ms = 0
        self.forget_ms = 0       # a ban before that is the next duration
        self.level = 0

    def left_ms(self, now_ms):
        return max(self.until_ms - now_ms, 0)

    def restart(self, now_ms):
        self.until_ms = now_ms + self.policy.bans_ms[self.level]
        self.forget_ms = self.until_ms + self.policy.bans_ms[-1]

    def refuse(self, window_ms, now_ms):
        """Counts one.  How many there are now."""
        self.refused_ms.append(now_ms)
        surely = [t for t in self.refused_ms if now_ms - t < window_ms]
        self.refused_ms = [t for t in self.refused_ms if now_ms - t
                           < window_ms + -(-window_ms // 16) + 1]
        return Span(len(surely), len(self.refused_ms))

    def would_last_ms(self, now_ms):
        return self.policy.bans_ms[self.next_level(now_ms)]

    def next_level(self, now_ms):
        if now_ms >= self.forget_ms:
            return 0
        return min(self.level + 1, len(self.policy.bans_ms) - 1)

    def begin(self, now_ms):
        self.level = self.next_level(now_ms)
        self.refused_ms = []
        self.restart(now_ms)
