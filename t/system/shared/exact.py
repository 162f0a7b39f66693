"""Whether uses of a quota were too many, by the time of each: the most that were
beyond it in any window.  Uses are (time_s, end of the window in ms) in order;
times are right to slack_s."""


def beyond_window(times, quota, window_s, slack_s):
    """In any interval that is a little shorter than the window."""
    worst = first = 0
    for last, at in enumerate(times):
        while at - times[first] >= window_s - slack_s:
            first += 1
        worst = max(worst, last - first + 1 - quota)
    return worst


def beyond_bucket(times, quota, window_s, slack_s):
    """Of a bucket that holds the quota, and leaks it in a window."""
    rate = quota / window_s
    debt = at = worst = 0.0
    for now in times:
        debt = max(0.0, debt - (now - at) * rate) + 1
        at, worst = now, max(worst, debt - quota - slack_s * rate)
    return worst


def beyond_ends(ends_ms, quota):
    """In windows that are known by their ends."""
    by_end = {}
    for end in sorted(ends_ms):
        known = next((e for e in by_end if abs(e - end) < 1000), end)
        by_end[known] = by_end.get(known, 0) + 1
    return max(by_end.values(), default=0) - quota
