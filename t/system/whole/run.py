"""Steps of a random world, taken by the model and by a real nginx, until they
disagree.  See README.md."""

import argparse
import os
import sys
from itertools import cycle

from burst import burst_world, run_bursts
from compare import (Comparison, Disagreement, Told, ToldNothing,
                     expect)
from conf import nginx_conf
from decision import Counters
from life import Answer, Life, Wait
from policy import Client, Overrides
from server import Answered, Request, Server, reply
from waiting import Queues
from world import (Dice, make_auth_reply, make_override, make_reply,
                   make_request, make_world, pause_ms)

MOST_HELD = 4
BURST_WORKERS = 2


class Walk:
    """One request, as far as it has come: in nginx and in the model."""

    def __init__(self, run, method, path, args, headers):
        self.run = run
        query = "&".join(f"{name}={value}" for name, value in args.items())
        uri = path + ("?" + query if query else "")
        self.text = f"{method} {uri} {headers}"
        self.request = Request(run.server, run.some_worker(), method, uri,
                               headers)
        self.life = Life(run.world, run.counters, run.queues,
                         self.request.worker, Client(method, headers, args))
        self.steps = self.life.run(path)
        self.reply = None       # the back end's, which the model has not seen
        self.event = None       # of nginx, which the model does not know yet
        self.told = None
        self.asked = None       # the back end, which has not answered yet
        self.is_done = False

    def go_on(self):
        """To where the model and nginx wait: in line, or for the back end."""
        event = self.look()
        answered = isinstance(event, Answered)
        told = self.told
        self.life.witness = told or ToldNothing()
        right = self.steps.send(self.reply)
        self.reply = None
        if isinstance(right, Wait):
            return      # as yet: what nginx tells may come of what is next
        expect("what happens", self.describe(event), self.describe(right))
        self.event = self.told = None
        comparison = self.comparison(told, answered)
        comparison.run()
        if answered:
            if not self.life.ends_early:
                comparison.fields(event.fields)
            self.life.end()
            self.is_over()
        else:
            self.asked = event

    def look(self):
        """What nginx does, and what it tells of it; None: it waits."""
        if self.event is None:
            self.event = self.request.next(self.run.world.waits)
            if isinstance(self.event, Answered):
                self.told = self.told_in_log(self.event.status)
            elif self.event:
                self.told = Told(self.run.world,
                                 self.event.fields["x-standing"])
        return self.event

    @staticmethod
    def describe(event):
        if event is None or isinstance(event, Wait):
            return "it waits"
        if isinstance(event, (Answer, Answered)):
            return f"status {event.status}"
        return event.what

    def answer(self):
        """The back end does."""
        self.reply = make_auth_reply(self.run.dice, self.run.step) \
            if self.asked.what == "auth" \
            else make_reply(self.run.dice, self.life.location)
        fields = {}
        if self.reply.user:
            fields["X-User"] = self.reply.user
        if self.reply.accel:
            fields["X-Accel-Redirect"] = self.reply.accel
        self.text += f"\n    the back end: {self.reply}"
        reply(self.asked, self.reply.status, fields)
        self.asked = None
        self.go_on()

    def abort(self):
        """The client goes away while the back end works, or from the line."""
        self.text += "\n    the client goes away"
        self.request.client.close()
        if self.asked:
            self.asked.socket.recv(1)
            self.asked.socket.close()
            self.asked = None
        told = self.told_in_log()
        if self.life.location.post_action:
            self.life.end()
        self.comparison(told, at_answer=False).run()
        self.life.abort()
        # (The log is written first.)
        self.run.server.let_work(self.request.worker)
        self.is_over()

    def is_over(self):
        self.life.is_over()
        self.is_done = True

    def verdict(self):
        record = self.life.record
        if record and record.refused:
            return "refused"
        return "admitted" if record and record.items else "undecided"

    def told_in_log(self, answer=None):
        line = self.run.server.log_line(self.request.step)
        _, pid, standing = line.split(";")
        expect("worker in the log", pid, self.request.worker)
        return Told(self.run.world, standing, answer)

    def comparison(self, told, at_answer):
        return Comparison(self.run.world, self.run.counters, self.life, told,
                          self.run.key_ids, at_answer)


def start(options, name, world, workers):
    return Server(os.path.join(options.dir, name), options.nginx,
                  options.faketime, workers,
                  lambda port, directory: nginx_conf(
                      world, options.module, workers, port, directory))


class Run:
    def __init__(self, options, seed, workers):
        self.options = options
        self.world = make_world(seed, options.calm)
        self.dice = Dice(f"steps {seed}")
        self.server = start(options, f"seed{seed}", self.world, workers)
        self.overrides = Overrides(lambda: self.server.clock.now_ms)
        self.counters = Counters(self.server.clock, self.overrides)
        self.queues = Queues(self.counters)
        self.key_ids = {}
        self.walks = []
        self.held = []          # of them, by the back end
        self.step = 0
        self.doing = ""
        self.seen = {"admitted": 0, "refused": 0, "undecided": 0,
                     "delayed": 0, "gone": 0}

    # ----------------------------------------------------------- steps

    def take_step(self):
        # (Looks of one request in one millisecond are one look.)
        rests = self.queues.waiters and self.dice.one_in(2)
        self.pass_time((0 if rests else pause_ms(self.dice))
                       or bool(self.walks))
        self.forget_done()
        if self.dice.one_in(12):
            self.override()
        elif self.held and self.dice.one_in(4):
            self.release()
        elif self.walks and self.dice.one_in(20):
            self.abort()
        else:
            self.send()
        self.react()

    def some_worker(self):
        return self.dice.choice(list(self.server.workers))

    def send(self):
        self.doing = walk = Walk(self, *make_request(
            self.dice, self.world, self.step, self.options.calm))
        self.walks.append(walk)
        walk.request.send()
        walk.go_on()

    def release(self):
        self.doing = walk = self.held.pop(self.dice.randrange(len(self.held)))
        walk.answer()

    def abort(self):
        self.doing = walk = self.dice.choice(self.walks)
        walk.abort()
        if walk in self.held:
            self.held.remove(walk)
        self.seen["gone"] += 1

    def override(self):
        method, target, arguments, row = make_override(
            self.dice, self.world, self.key_ids, self.counters.buckets,
            self.overrides)
        uri = "/ratelimit/overrides?" + arguments
        self.doing = f"{method} {uri}"
        request = Request(self.server, self.some_worker(), method, uri, {})
        request.send()
        expect("status of the API", request.next().status, 200)
        if row:
            self.overrides.rows[target] = row
        else:
            del self.overrides.rows[target]

    # ------------------------------------------------- what comes of it

    def react(self):
        """Until all that there is waits: in line, or for the back end."""
        while True:
            self.forget_done()
            asked = [walk for walk in self.walks
                     if walk.asked and walk not in self.held]
            walk = next(iter(asked), None)
            if self.queues.woken:
                self.take_up(self.queues.woken.pop(0))
            elif walk is None:
                break
            elif walk.asked.what == "content" and self.lets_wait():
                self.held.append(walk)
            else:
                if len(asked) > 1:
                    self.pass_time(1)
                self.doing = walk
                walk.answer()
        self.expect_silence()

    def lets_wait(self):
        return len(self.held) < MOST_HELD and self.dice.one_in(3)

    def forget_done(self):
        for walk in self.walks:
            if walk.is_done:
                self.seen[walk.verdict()] += 1
                self.seen["delayed"] += bool(
                    walk.life.record and walk.life.record.waited_ms)
        self.walks = [walk for walk in self.walks if not walk.is_done]

    def take_up(self, waiter):
        self.doing = next(walk for walk in self.walks
                          if walk.life is waiter.request)
        self.doing.go_on()

    def expect_silence(self):
        for waiter in self.queues.waiters:
            walk = next(w for w in self.walks if w.life is waiter.request)
            event = walk.look()
            if event:
                self.doing = walk
            expect("what happens", walk.describe(event), "it waits")

    # ------------------------------------------------------------ time

    def pass_time(self, ms):
        """Where somebody waits, from one time when something happens to the
        next one."""
        clock = self.server.clock
        until_ms = clock.now_ms + ms
        while clock.now_ms < until_ms:
            time_ms = self.queues.next_time_ms()
            if time_ms is None:
                clock.move_to(until_ms)
            else:
                self.move_to(min(time_ms, until_ms))

    def move_to(self, now_ms):
        """One worker after the other sees it."""
        server = self.server
        for worker in server.workers:
            server.stop_worker(worker)
        server.clock.move_to(now_ms)
        for worker in server.workers:
            server.continue_worker(worker)
            server.look_at_clock(worker)
            while waiter := self.queues.next_timer(worker):
                self.take_up(waiter)
            while self.queues.woken:
                self.take_up(self.queues.woken.pop(0))
            server.stop_worker(worker)
        for worker in server.workers:
            server.continue_worker(worker)

    def run(self):
        """The disagreement that ended it, or None."""
        try:
            while self.step < self.options.steps:
                self.step += 1
                self.take_step()
        except (Disagreement, TimeoutError) as error:
            return error
        finally:
            for walk in self.walks:
                walk.request.client.close()
            self.server.stop()
        complaints = self.server.complaints()
        return complaints[0] if complaints else None


def options_of(arguments):
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--nginx", default="/usr/sbin/nginx")
    parser.add_argument("--module", default="")
    parser.add_argument("--faketime", required=True, help="libfaketime.so.1")
    parser.add_argument("--dir", required=True, help="for nginx's files")
    parser.add_argument("--seeds", default="1", help="1,2,7 or 1-20")
    parser.add_argument("--steps", type=int, default=500)
    parser.add_argument("--workers", default="1,2",
                        help="of the first seed, the second, and so on")
    parser.add_argument("--bursts", type=int, default=0)
    parser.add_argument("--calm", action="store_true",
                        help="no shape changes from request to request")
    options = parser.parse_args(arguments)
    options.dir = os.path.abspath(options.dir)
    options.module = options.module and os.path.abspath(options.module)
    return options


def numbers(text):
    first, dash, last = text.partition("-")
    return range(int(first), int(last) + 1) if dash \
        else [int(number) for number in text.split(",")]


def burst(options, seed):
    world = burst_world(Dice(f"world {seed}"))
    server = start(options, f"burst{seed}", world, BURST_WORKERS)
    try:
        run_bursts(server, world, seed, options.bursts)
    except (Disagreement, TimeoutError) as error:
        return error
    finally:
        server.stop()
    return next(iter(server.complaints()), None)


class Tap:
    """Test Anything Protocol."""

    def __init__(self):
        self.count = 0
        self.failed = 0

    def result(self, name, error, *notes):
        self.count += 1
        self.failed += bool(error)
        print(f"{'not ' * bool(error)}ok {self.count} - {name}", flush=True)
        for note in (error, *notes) if error else ():
            for line in str(note).splitlines():
                print("# " + line, file=sys.stderr)


def main(arguments):
    options = options_of(arguments)
    tap = Tap()
    for seed, workers in zip(numbers(options.seeds),
                             cycle(numbers(options.workers))):
        run = Run(options, seed, workers)
        error = run.run()
        seen = ", ".join(f"{count} {what}" for what, count
                         in run.seen.items())
        tap.result(f"seed {seed}, {workers} worker(s), {run.step} steps: "
                   + seen, error, f"step {run.step}",
                   getattr(run.doing, "text", run.doing),
                   f"overrides: {run.overrides.rows}",
                   f"files: {run.server.directory}")
    if options.bursts:
        tap.result(f"{options.bursts} bursts", burst(options, 1))
    print(f"1..{tap.count}")
    return tap.failed > 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
