"""`varlen` for the peers: its values, and its two passes over the lengths, timed apart in a process that knows nothing at first.

A tanh cell with biases, 64 inputs and 64 units, batch 8; sequence i has 5 + (7919·i mod 40) elements. See bench/workloads/varlen.cpp.
"""

import json
import time
from types import SimpleNamespace as Values

from definitions import N_COMPARED, linear
from draws import Draws

BATCH, UNITS, LONGEST = 8, 64, 44
LENGTHS = [5 + 7919 * i % 40 for i in range(60)]


def varlen(options):
    draws = Draws(options.seed)
    cell, hidden = linear(draws, UNITS, UNITS), linear(draws, UNITS, UNITS)
    return Values(parameters=[*cell, *hidden], x=draws.randn(LONGEST, BATCH, UNITS))


def run(step, version):
    """`step(length)` does all the work and gives the loss. Prints a line of JSON: milliseconds a step of the first pass and of the second."""
    times, losses = [], []
    for length in [*LENGTHS, *LENGTHS]:
        start = time.perf_counter()
        loss = step(length)
        times.append(1e3 * (time.perf_counter() - start))
        if len(losses) < N_COMPARED:
            losses.append(float(loss))
    n = len(LENGTHS)
    print(json.dumps({"first_pass_ms": sum(times[:n]) / n, "later_pass_ms": sum(times[n:]) / n, "first_losses": losses,
                      "version": version}))
