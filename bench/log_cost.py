#!/usr/bin/env python3
"""What the event log costs: the same runs with it and with SWAGE_LOG=off.

    python3 bench/log_cost.py [--build BUILD] [--rounds N] [--seconds S] [--instructions] [WORKLOAD…]

By time: pairs of runs that alternate, the ratio of each pair's median steps, and the median of the ratios. By instructions (valgrind's callgrind,
kernels and code for AVX2, which is all that it knows): two runs of different length on each side; the difference is what the steps between take.
Nothing else should run meanwhile; instructions do not mind.
"""

import argparse
import json
import os
import re
import statistics
import subprocess
import tempfile

# Words of a workload; steps of the short and the long run under callgrind.
WORKLOADS = {"seed_rnn": ("seed_rnn", 2000, 12000), "mlp": ("mlp --optimizer sgd", 40, 140), "digits": ("digits", 150, 650)}


def run(build: str, words: str, log: str, *more: str, tool: tuple = (), **environment: str) -> subprocess.CompletedProcess:
    command = [*tool, f"{build}/bin/swage", "run", *words.split(), "--tier", "warm", "--json", *more]
    env = {**os.environ, "SWAGE_LOG": log, "SWAGE_CACHE": "off", **environment}
    return subprocess.run(command, env=env, check=True, text=True, capture_output=True)


def step_us(build: str, words: str, log: str, seconds: float) -> float:
    out = run(build, words, log, "--seconds", str(seconds)).stdout
    return json.loads(out.splitlines()[-1])["step_us"]["p50"]


def instructions(build: str, words: str, log: str, steps: int) -> int:
    tool = ("valgrind", "--tool=callgrind", "--callgrind-out-file=/dev/null")
    err = run(build, words, log, "--steps", str(steps), tool=tool, SWAGE_ISA="avx2").stderr
    return int(re.search(r"Collected : (\d+)", err).group(1))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--build", default="build")
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--seconds", type=float, default=1)
    parser.add_argument("--instructions", action="store_true", help="count these instead of taking times")
    parser.add_argument("workloads", nargs="*", default=[], help=", ".join(WORKLOADS))
    options = parser.parse_args()
    for name in options.workloads or WORKLOADS:
        words, short, long = WORKLOADS[name]
        with tempfile.TemporaryDirectory() as folder:
            log = os.path.join(folder, "run.swagelog")
            if options.instructions:
                a_step = {kind: (instructions(options.build, words, where, long) - instructions(options.build, words, where, short)) / (long - short)
                          for kind, where in (("on", log), ("off", "off"))}
                print(f"{name}: {a_step['on']:.0f} instructions a step with the log, {a_step['off']:.0f} without: "
                      f"{100 * (a_step['on'] / a_step['off'] - 1):+.2f} %", flush=True)
                continue
            pairs = []
            for i in range(options.rounds):
                order = [("on", log), ("off", "off")]
                us = {kind: step_us(options.build, words, where, options.seconds) for kind, where in (order if i % 2 == 0 else order[::-1])}
                pairs.append((us["on"], us["off"]))
            ratio = statistics.median(on / off for on, off in pairs)
            print(f"{name}: {statistics.median(on for on, _ in pairs):.2f} us a step with the log, "
                  f"{statistics.median(off for _, off in pairs):.2f} us without: {100 * (ratio - 1):+.2f} %", flush=True)


if __name__ == "__main__":
    main()
