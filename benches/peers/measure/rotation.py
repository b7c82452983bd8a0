"""Samples in turn, so that noise hits all alike: one of each row, every round beginning with another.

What fails takes its row out, with the reason; the others go on.
"""

import dataclasses
import gc
import math

from .process import LONGEST_RUN, Unavailable, checked

# Fills caches; a spare that is made ahead is there after them, as on a server that has run for a while.
WARMING = 2
CLIENTS = (1, 32)
# How many requests of one of 32 clients are one turn: with fewer, turns are mostly their beginnings.
BATCH = 50


@dataclasses.dataclass
class Result:
    """What became of a row, with one number of clients; all times in nanoseconds."""

    row: object
    clients: int
    version: str = ""
    samples: list = dataclasses.field(default_factory=list)
    elapsed: int | None = None
    starts: dict = dataclasses.field(default_factory=dict)
    reason: str | None = None

    def percentile(self, percent):
        """By nearest rank."""
        ordered = sorted(self.samples)
        return ordered[max(0, math.ceil(len(ordered) * percent / 100) - 1)]

    def per_second(self):
        return None if self.elapsed is None else len(self.samples) * 1e9 / self.elapsed


def in_turn(opened, rounds, say):
    """`opened` is pairs of a result and what is sampled; their results are filled."""
    alive = list(opened)
    gc.disable()
    try:
        for number in range(-WARMING, rounds):
            if number >= 0 and number % 50 == 0:
                say(f"ephemeral: round {number} of {rounds}")
            shift = number % len(alive) if alive else 0
            for pair in alive[shift:] + alive[:shift]:
                result, row = pair
                try:
                    took = row.sample()
                except (Unavailable, OSError) as error:
                    result.samples, result.reason = [], str(error)
                    alive.remove(pair)
                    continue
                if number >= 0:
                    result.samples.append(took)
                elif number == -1:
                    row.starts.clear()
    finally:
        gc.enable()
    for result, row in opened:
        result.starts = dict(row.starts)


def under_load(load, results, rounds, clients, say):
    """The same for servers, which a program of ours asks: `results` is pairs of a result and a URL."""
    say(f"warm, {clients} clients: {rounds} rounds")
    batch = 1 if clients == 1 else BATCH
    # Each alone first: it fills caches, makes instances, and tells who cannot be asked.
    asked = []
    for result, url in results:
        try:
            ask(load, clients, 5, 20, [url])
            asked.append((result, url))
        except Unavailable as error:
            result.reason = str(error)
    try:
        measured = ask(load, clients, rounds, batch, [url for _, url in asked]) if asked else {}
    except Unavailable as error:
        for result, _ in asked:
            result.reason = f"the whole rotation failed: {error}"
        return
    for result, url in asked:
        result.elapsed, result.samples = measured[url]


def ask(load, clients, rounds, batch, urls):
    timeout = LONGEST_RUN + rounds * len(urls) * 10
    printed = checked([load, clients, rounds, batch, *urls], reason="the client", timeout=timeout)
    measured = {}
    for line in printed.splitlines():
        url, elapsed, *samples = line.split()
        measured[url] = int(elapsed), [int(sample) for sample in samples]
    return measured
