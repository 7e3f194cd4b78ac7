"""What all peers share: options, the clock, and one JSON line with the keys of `swage run --json`."""

import argparse
import json
import math
import statistics
import sys
import time
from dataclasses import dataclass
from typing import Any, Callable

from definitions import N_COMPARED

WARM_UP_SECONDS, WARM_UP_STEPS = 0.5, 10
FEWEST_STEPS = 5


@dataclass
class Workload:
    """`step()` does all the work and returns when it is done; what it returns is given to `loss` or `outputs`."""
    step: Callable[[], Any]
    unit: str
    units_per_step: int
    loss: Callable[[Any], float] | None = None  # where there is one
    outputs: Callable[[Any], list] | None = None  # else NumPy arrays
    # Steps that begin with random numbers do so with Swage's here, to be compared.
    first_step: Callable[[], Any] | None = None


def parse_arguments(description, flags=()):
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("workload")
    parser.add_argument("--seconds", type=float, default=1, help="measure steps until their times sum to this")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--optimizer", choices=["sgd", "adam"], default="sgd")
    parser.add_argument("--image", default="32x32x3", help="height x width x channels")
    parser.add_argument("--log2", type=int, default=16, help="kernels: 2^log2 elements")
    parser.add_argument("--serve", action="store_true", help="measure once for every line on stdin")
    for flag, text in flags:
        parser.add_argument(flag, action="store_true", help=text)
    return parser.parse_args()


def percentile(ordered, fraction):
    return ordered[min(len(ordered) - 1, math.ceil(fraction * len(ordered)) - 1)]


def root_mean_square(arrays):
    return math.sqrt(sum(float((a.astype("float64")**2).sum()) for a in arrays) / sum(a.size for a in arrays))


def timed(step):
    start = time.perf_counter_ns()
    result = step()
    return (time.perf_counter_ns() - start) / 1000, result


def first_steps(workload):
    """The report's part about the first steps: how long the first call took, losses or outputs."""
    losses, output = [], None
    microseconds, result = timed(workload.first_step or workload.step)
    if workload.loss:
        losses.append(workload.loss(result))
        losses += [workload.loss(workload.step()) for _ in range(N_COMPARED - 1)]
    else:
        output = root_mean_square(workload.outputs(result))
    return {"first_call_ms": round(microseconds / 1000, 3), "first_losses": losses, "first_output": output}


def warm_up(workload):
    begun, steps = time.perf_counter(), 0
    while steps < WARM_UP_STEPS or time.perf_counter() - begun < WARM_UP_SECONDS:
        workload.step()
        steps += 1


def measure(workload, seconds):
    times, total = [], 0
    while len(times) < FEWEST_STEPS or total < seconds * 1e6:
        result = None  # what the last step gave is dropped outside the times
        microseconds, result = timed(workload.step)
        times.append(microseconds)
        total += microseconds
    del result
    ordered = sorted(times)
    return {
        "steps": len(times),
        "unit": workload.unit,
        "units_per_s": round(workload.units_per_step * len(times) / total * 1e6, 2),
        "step_us": {"p50": round(statistics.median(ordered), 3), "p99": round(percentile(ordered, 0.99), 3),
                    "max": round(ordered[-1], 3)},
    }


def run(workload, arguments, peer, version):
    """Prints a line of JSON; with --serve first what the first steps gave, then a line for every line read."""
    head = {"workload": arguments.workload, "peer": peer, "version": version, "threads": arguments.threads,
            "seed": arguments.seed}
    first = first_steps(workload)
    warm_up(workload)
    if arguments.serve:
        print(json.dumps({**head, **first}), flush=True)
    for _ in sys.stdin if arguments.serve else [None]:
        print(json.dumps({**head, **measure(workload, arguments.seconds), **first}), flush=True)
