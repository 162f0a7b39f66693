"""Steps of a random world, taken by the model and by a real nginx, until they
disagree.  See README.md."""

import argparse
import os
import sys
from itertools import cycle

from burst import burst_world, run_bursts
from compare import Comparison, Disagreement, Told, expect
from conf import nginx_conf
from decision import Counters
from life import Answer, Life
from policy import Client, Overrides
from server import Answered, Request, Server, reply
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
        self.life = Life(run.world, run.counters,
                         Client(method, headers, args))
        self.steps = self.life.run(path)
        self.request = Request(run.server, method, uri, headers)
        self.asked = None       # the back end, which has not answered yet
        self.status = None

    def go_on(self, may_wait):
        """To the end, or to where the back end lets it wait."""
        while True:
            event = self.request.next()
            right = self.compare(event)
            if isinstance(right, Answer):
                self.status = event.status
                return
            self.asked = event
            if right.what == "auth":
                self.answer(make_auth_reply(self.run.dice, self.run.step))
            elif may_wait and self.run.lets_wait():
                return
            else:
                self.answer_content()

    def answer_content(self):
        self.answer(make_reply(self.run.dice, self.life.location))

    def answer(self, answer):
        fields = {}
        if answer.user:
            fields["X-User"] = answer.user
        if answer.accel:
            fields["X-Accel-Redirect"] = answer.accel
        self.text += f"\n    the back end: {answer}"
        reply(self.asked, answer.status, fields)
        self.asked = answer

    def abort(self):
        """The client goes away while the back end works."""
        self.text += "\n    the client goes away"
        self.request.client.close()
        self.asked.socket.recv(1)
        self.asked.socket.close()
        told = self.told_in_log()
        if self.life.location.post_action:
            self.life.end()
        self.comparison(told, at_answer=False).run()
        self.life.abort()

    def verdict(self):
        record = self.life.record
        if record and record.refused:
            return "refused"
        return "admitted" if record and record.items else "undecided"

    def compare(self, event):
        answered = isinstance(event, Answered)
        told = self.told_in_log(event.status) if answered \
            else Told(self.run.world, event.fields["x-standing"])
        self.life.witness = told
        right = next(self.steps) if self.asked is None \
            else self.steps.send(self.asked)
        expect("what happens", self.describe(event),
               f"status {right.status}" if isinstance(right, Answer)
               else right.what)
        comparison = self.comparison(told, answered)
        comparison.run()
        if answered:
            if not self.life.ends_early:
                comparison.fields(event.fields)
            self.life.end()
        return right

    def told_in_log(self, answer=None):
        line = self.run.server.next_log_line()
        step, pid, standing = line.split(";")
        expect("step in the log", step, self.life.client.header("X-Step"))
        self.run.pids.add(pid)
        return Told(self.run.world, standing, answer)

    def comparison(self, told, at_answer):
        return Comparison(self.run.world, self.run.counters, self.life, told,
                          self.run.key_ids, at_answer)

    @staticmethod
    def describe(event):
        if isinstance(event, Answered):
            return f"status {event.status}"
        return "auth" if event.path == "/auth" else "content"


def start(options, name, world, workers):
    return Server(os.path.join(options.dir, name), options.nginx,
                  options.faketime, lambda port, directory: nginx_conf(
                      world, options.module, workers, port, directory))


class Run:
    def __init__(self, options, seed, workers):
        self.options = options
        self.world = make_world(seed, options.calm)
        self.dice = Dice(f"steps {seed}")
        self.server = start(options, f"seed{seed}", self.world, workers)
        self.overrides = Overrides(lambda: self.server.clock.now_ms)
        self.counters = Counters(self.server.clock, self.overrides)
        self.key_ids = {}
        self.pids = set()
        self.held = []
        self.step = 0
        self.doing = ""
        self.seen = {"admitted": 0, "refused": 0, "undecided": 0}

    def lets_wait(self):
        return len(self.held) < MOST_HELD and self.dice.one_in(3)

    def take_step(self):
        # (Looks of one request in one millisecond are one look.)
        self.server.clock.advance(pause_ms(self.dice) or bool(self.held))
        if self.dice.one_in(12):
            self.override()
        elif self.held and self.dice.one_in(4):
            self.release()
        elif self.held and self.dice.one_in(20):
            self.abort()
        else:
            self.send()

    def send(self):
        walk = Walk(self, *make_request(self.dice, self.world, self.step,
                                        self.options.calm))
        self.follow(walk, lambda: walk.go_on(may_wait=True))

    def release(self):
        walk = self.held.pop(self.dice.randrange(len(self.held)))

        def go_on():
            walk.answer_content()
            walk.go_on(may_wait=False)
        self.follow(walk, go_on)

    def abort(self):
        walk = self.held.pop(self.dice.randrange(len(self.held)))
        self.doing = walk
        walk.abort()

    def follow(self, walk, go_on):
        self.doing = walk
        go_on()
        if walk.status is None:
            self.held.append(walk)
        else:
            self.seen[walk.verdict()] += 1

    def override(self):
        method, target, arguments, row = make_override(
            self.dice, self.world, self.key_ids, self.counters.buckets,
            self.overrides)
        uri = "/ratelimit/overrides?" + arguments
        self.doing = f"{method} {uri}"
        event = Request(self.server, method, uri, {}).next()
        expect("status of the API", event.status, 200)
        if row:
            self.overrides.rows[target] = row
        else:
            del self.overrides.rows[target]

    def run(self):
        """The disagreement that ended it, or None."""
        try:
            while self.step < self.options.steps:
                self.step += 1
                self.take_step()
        except (Disagreement, TimeoutError) as error:
            return error
        finally:
            for walk in self.held:
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
