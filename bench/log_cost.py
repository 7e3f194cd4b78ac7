#!/usr/bin/env python3
"""What the event log costs: the same runs with it and with SWAGE_LOG=off.

    python3 bench/log_cost.py [--build BUILD] [--rounds N] [--seconds S] [--instructions] [WORKLOAD…]

By time: pairs of runs that alternate, the ratio of each pair's median steps, and the median of the ratios. By instructions (valgrind's callgrind,
kernels and code for AVX2, which is all that it knows): callgrind counts for a while once the run is warm, inside steps alone.
Nothing else should run meanwhile; instructions do not mind.
"""

import argparse
import glob
import json
import os
import re
import statistics
import subprocess
import tempfile
import time

# The words of a workload and the function that is a step of it.
WORKLOADS = {"seed_rnn": ("seed_rnn", "SeedRnn"), "mlp": ("mlp --optimizer sgd", "Mlp"), "digits": ("digits", "Digits")}

# Under valgrind, which takes seconds for the arithmetic of a step: until the runner's warm-up (20 seconds at most) is surely over, and those of the
# measured part, at whose end counting ends.
WARM_AFTER, MEASURED = 50, 200


def start(build: str, words: str, log: str, *more: str, tool: tuple = (), **environment: str) -> subprocess.Popen:
    command = [*tool, f"{build}/bin/swage", "run", *words.split(), "--tier", "warm", "--json", *more]
    env = {**os.environ, "SWAGE_LOG": log, **environment}
    return subprocess.Popen(command, env=env, text=True, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)


def result(process: subprocess.Popen) -> dict:
    out, _ = process.communicate()
    if process.returncode != 0:
        raise SystemExit(f"log_cost: {' '.join(process.args)} ended with {process.returncode}")
    return json.loads(out.splitlines()[-1])


def step_us(build: str, words: str, log: str, seconds: float) -> float:
    return result(start(build, words, log, "--seconds", str(seconds), SWAGE_CACHE="off"))["step_us"]["p50"]


# From the dump that holds what was counted: all of it, over the calls of the step.
def of_a_step(folder: str, step: str) -> float:
    for dump in glob.glob(os.path.join(folder, "callgrind.out*")):
        with open(dump, encoding="utf-8") as file:
            text = file.read()
        total = int(re.search(r"^totals: (\d+)", text, re.MULTILINE).group(1))
        named = re.search(rf"fn=\((\d+)\) .*::{step}::step\(\)$", text, re.MULTILINE)  # later on by its number alone
        calls = named and sum(int(n) for n in re.findall(rf"^cfn=\({named.group(1)}\).*\ncalls=(\d+)", text, re.MULTILINE))
        if total and calls:
            return total / calls
    raise SystemExit(f"log_cost: callgrind saw no step of {step}")


def instructions(build: str, words: str, step: str, log: str, folder: str) -> float:
    out = os.path.join(folder, "callgrind.out")
    function = f"*::{step}::step()"
    tool = ("valgrind", "--tool=callgrind", "--instr-atstart=no", f"--toggle-collect={function}", f"--callgrind-out-file={out}")
    # Compilers take too long there: a run without valgrind fills a plan cache first.
    environment = {"SWAGE_ISA": "avx2", "SWAGE_CACHE": os.path.join(folder, "cache")}
    result(start(build, words, "off", "--steps", "1000", **environment))
    process = start(build, words, log, "--seconds", str(MEASURED), tool=tool, **environment)
    time.sleep(WARM_AFTER)
    subprocess.run(["callgrind_control", "-i", "on", str(process.pid)], check=True, stdout=subprocess.DEVNULL,
                   stderr=subprocess.DEVNULL)
    if result(process)["compiled_op_share"] < 0.99:
        raise SystemExit(f"log_cost: {words} was not warm")
    return of_a_step(folder, step)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--build", default="build")
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--seconds", type=float, default=1)
    parser.add_argument("--instructions", action="store_true", help="count these instead of taking times")
    parser.add_argument("workloads", nargs="*", default=[], help=", ".join(WORKLOADS))
    options = parser.parse_args()
    for name in options.workloads or WORKLOADS:
        words, step = WORKLOADS[name]
        with tempfile.TemporaryDirectory() as folder:
            log = os.path.join(folder, "run.swagelog")
            if options.instructions:
                a_step = {}
                for kind, where in (("on", log), ("off", "off")):
                    dumps = os.path.join(folder, kind)
                    os.mkdir(dumps)
                    a_step[kind] = instructions(options.build, words, step, where, dumps)
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
