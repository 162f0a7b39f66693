"""The life of a request in nginx: its phases, redirects and response, and when
its policies decide.

life() is a generator.  It yields a Contact wherever nginx asks a back end and
is sent the Reply, and a Wait as long as it stands in line; the last thing
that it yields is the Answer to the client.
"""

from dataclasses import dataclass, replace
from urllib.parse import parse_qsl

from decision import Record
from policy import is_true, parse_units
from waiting import PENDING, Waiter


@dataclass(frozen=True)
class Contact:
    """nginx asks the back end."""
    what: str               # "auth" or "content"


@dataclass(frozen=True)
class Wait:
    """The request waits until it is taken up."""


@dataclass(frozen=True)
class Reply:
    """What the back end says."""
    status: int
    user: str = ""          # X-User, of auth
    accel: str = ""         # X-Accel-Redirect


@dataclass(frozen=True)
class Answer:
    status: int


@dataclass(frozen=True)
class Location:
    """Where a request is handled; name is "/x" or "@x"."""
    name: str
    lines: tuple = ()       # that hold here
    own_lines: tuple = ()   # that stand here, with `ratelimit_inherit`
    inherit: str = "on"
    auth: bool = False
    try_files: str = ""     # a target
    content: str = "gif"    # or "backend"
    intercept: bool = False
    error_pages: tuple = ()  # of (status, overwrite, target), overwrite being
                             # "", "=" or "=200"
    post_action: str = ""   # a target
    dry_run: str = ""       # ratelimit_dry_run
    status: int = 429       # ratelimit_status
    on_error: str = "pass"  # ratelimit_on_error


@dataclass(frozen=True)
class Redirect:
    target: str
    is_get: bool = False    # it makes the method GET


@dataclass(frozen=True)
class Send:
    status: int


class Life:
    def __init__(self, world, counters, queues, worker, client):
        self.world = world
        self.counters = counters
        self.queues = queues
        self.worker = worker
        self.waiter = None
        self.client = client
        self.record = None
        self.witness = None       # what nginx told of itself, see Item
        self.status = 0
        self.err_status = 0
        self.had_error_page = False
        self.had_upstream = False
        self.location = None
        self.sent = False
        self.ends_early = False   # before nginx writes its log line

    def run(self, path):
        self.location = self.world.location(path)
        while True:
            outcome = yield from self.one_pass()
            if isinstance(outcome, Send):
                break
            self.redirect(outcome)
        self.status = outcome.status
        self.respond()
        if self.location.post_action:
            self.ends_early = True
            self.end()
            self.redirect(Redirect(self.location.post_action))
        yield Answer(self.status)

    def redirect(self, redirect):
        """Named locations keep the arguments, others have their own."""
        target, _, args = redirect.target.partition("?")
        if not target.startswith("@"):
            self.client = replace(self.client, args=dict(parse_qsl(args)))
        if redirect.is_get and self.client.method != "HEAD":
            self.client = replace(self.client, method="GET")
        self.location = self.world.location(target)
        if self.record and not self.sent:
            self.keep_charges()

    # ---------------------------------------------------------- phases

    def one_pass(self):
        """Through a location's phases, to a Redirect or a Send."""
        if not (yield from self.decide(precontent=False)):
            return self.error(self.refusal_status())
        if self.location.auth:
            reply = yield Contact("auth")
            self.client = replace(self.client, user=reply.user)
            if reply.status != 200:
                return self.error(reply.status)
        if not (yield from self.decide(precontent=True)):
            return self.error(self.refusal_status())
        if self.location.try_files:
            return Redirect(self.location.try_files)
        if self.location.content == "gif":
            return self.gif()
        reply = yield Contact("content")
        self.had_upstream = True
        if reply.status >= 300 and self.location.intercept and any(
                status == reply.status
                for status, _, _ in self.location.error_pages):
            return self.error(reply.status)
        if reply.accel:
            return Redirect(reply.accel, is_get=reply.accel[0] == "/")
        return Send(self.err_status or reply.status)

    def decide(self, precontent):
        lines = [line for line in self.location.lines
                 if line.precontent == precontent]
        if not lines:
            return True
        if self.record is None:
            self.record = Record()
        record, counters = self.record, self.counters
        if record.refused:
            return True
        items = counters.collect(record, lines, self.location, self.client)
        if record.failed:
            counters.return_charges(record)
            return False
        if any(item.line.wait_ms for item in items):
            enforced = yield from self.in_line(items)
        else:
            enforced = counters.attempt(items, self.witness)
        counters.conclude(record, items, enforced)
        return enforced

    def in_line(self, items):
        self.waiter = waiter = Waiter(items, self, self.worker)
        while True:
            verdict = self.queues.attempt(waiter, self.witness)
            if verdict is not PENDING:
                self.record.waited_ms += waiter.waited_ms
                return verdict
            yield Wait()

    def refusal_status(self):
        if self.record.failed:
            return 503
        possible = [item.policy.status or self.location.status
                    for item in self.record.slowest(self.witness)]
        return self.witness.answer if self.witness.answer in possible \
            else possible[0]

    def gif(self):
        if self.client.method in ("GET", "HEAD"):
            return Send(self.err_status or 200)
        return self.error(405)

    def error(self, status):
        """nginx's own error page, or what error_page says, once."""
        self.err_status = status
        if self.location.error_pages and not self.had_error_page:
            self.had_error_page = True
            for code, overwrite, target in self.location.error_pages:
                if code == status:
                    if overwrite:
                        self.err_status = int(overwrite[1:] or 0)
                    return Redirect(target, is_get=target[0] == "/")
        return Send(status)

    # --------------------------------------------------------- charges

    def keep_charges(self):
        """At a redirect: a refusal behind it gives back nothing of what was
        charged before, for that may have been worked for; and the final cost
        is settled that came with a back end's response."""
        for item in self.record.items:
            item.returnable = False
            if self.had_upstream and not self.record.refused:
                self.settle(item, "response")

    def respond(self):
        """The headers are about to be sent: charges that depend on them are
        corrected, and after them nothing is."""
        self.sent = True
        for item in self.record.items if self.record else ():
            if not self.stays_charged(item.policy):
                item.settled = True
                self.counters.give_back(item)
            elif not self.record.refused:
                self.settle(item, "response")

    def abort(self):
        """The request ends without a response: what was charged stays so, at
        its final cost where that is known."""
        for item in self.record.items if self.record else ():
            if not self.record.refused:
                self.settle(item, "response")
        self.end()

    def end(self):
        """With a response or without one, and before a post_action: what is
        known only then.  nginx has written its log line already, but behind a
        post_action."""
        for item in self.record.items if self.record else ():
            if not self.record.refused:
                self.settle(item, "end")

    def is_over(self):
        """Nothing of it is left in nginx."""
        if self.waiter:
            self.queues.leave(self.waiter)
        if self.record:
            for item in self.counters.end(self.record):
                self.queues.place_is_free(self.worker, item)

    def settle(self, item, when):
        """By the first value that there is.  After a refusal nothing is
        settled."""
        text = self.client.header("X-Settle-" + item.policy.name) \
            if item.line.settles == when and not item.settled else ""
        units = parse_units(text)
        if units is not None:
            item.settled = True
            self.counters.settle(item, units)

    def stays_charged(self, policy):
        if policy.count_status or policy.count_if:
            counts = self.status in policy.count_status or (
                policy.count_if and is_true(self.client.header("X-Count")))
            if not counts:
                return False
        skips = self.status in policy.skip_status or (
            policy.skip_if and is_true(self.client.header("X-Skip")))
        return not skips
