#!/usr/bin/env python3
"""Times the workloads in Swage, PyTorch (eager and compiled), JAX and DyNet on this machine, alternating, and prints medians and ratios.

Every system works on the same core (or cores, with --threads). Peers start once for a row and are asked for a measurement in
every round; Swage runs in a process of its own each time. A measurement lasts until its steps have taken --seconds, and its
figure is their median; a figure in the table is the median over the rounds. First the losses of the first steps (where there
are none, the root mean square of the outputs) are compared: a row whose systems do not do the same work is not reported.
Peers are installed from PyPI into BUILD/peers on first use; one that cannot be had is left out with a message.

A second table has the dynamic workloads and DyNet (dynamic.py); more is better there, unless the unit is of time. Those that read data
sets are skipped with a message where --data or SWAGE_DATA does not name their folder.
"""

import argparse
import json
import math
import os
import pathlib
import statistics
import subprocess
import sys
from dataclasses import dataclass

import dynamic
from installing import HERE, Unavailable, installed_dynet, installed_peers, message, python_of

TOLERANCE = 2e-5  # relative; float sums in another order


@dataclass(frozen=True)
class Case:
    """The words of a workload; what Swage is to reach, as a part of the best peer's time; how closely first values agree."""
    words: str
    wanted: float | None = None
    tolerance: float = TOLERANCE


CASES = {
    "chain": Case("chain", 0.37),
    "seed_rnn": Case("seed_rnn", 0.16),
    "mlp, SGD": Case("mlp --optimizer sgd", 0.80),
    "mlp, Adam": Case("mlp --optimizer adam", 0.87),
    "lennard_jones": Case("lennard_jones", 0.62),
    "convnet 32x32x3": Case("convnet --image 32x32x3", 0.53),
    "convnet 8x8x1": Case("convnet --image 8x8x1", 0.42),
    "lstm_lm": Case("lstm_lm", 0.64),
    "transformer": Case("transformer", 0.68),
    "pointwise 2^10": Case("pointwise --log2 10"),
    "pointwise 2^16": Case("pointwise --log2 16", 0.56),
    "pointwise 2^20": Case("pointwise --log2 20", 0.85),
    "pointwise 2^24": Case("pointwise --log2 24", 0.52),
    "softmax 2^20": Case("softmax --log2 20", 0.64),
    "softmax 2^24": Case("softmax --log2 24", 0.30),
    "layer_norm 2^20": Case("layer_norm --log2 20", 0.54),
    "layer_norm 2^24": Case("layer_norm --log2 24", 0.28),
    "gelu 2^20": Case("gelu --log2 20", 0.68),
    "sum 2^24": Case("sum --log2 24", 1.03, tolerance=1e-3),  # of normal numbers: they cancel
    "axpy 2^24": Case("axpy --log2 24", 0.28),
    "adam_update 2^16": Case("adam_update --log2 16", 0.45),
    "adam_update 2^24": Case("adam_update --log2 24", 0.31),
}
PEERS = {"torch": ("torch", "torch_peer.py"), "torch.compile": ("torch", "torch_peer.py", "--compile"),
         "jax": ("jax", "jax_peer.py")}  # column: the package it needs, the program and its options
TIERS = ("eager", "warm")
COLUMNS = (*PEERS, *(f"swage {tier}" for tier in TIERS))


class Peer:
    """A running peer: `first` is what its first steps gave, `measure()` one measurement."""

    def __init__(self, command, environment):
        self.process = subprocess.Popen(list(map(str, command)), stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                        stderr=subprocess.PIPE, text=True, env=environment)
        self.first = self._line()

    def _line(self):
        line = self.process.stdout.readline()
        if not line:
            raise Unavailable(self.process.communicate()[1].strip()[-600:])
        return json.loads(line)

    def measure(self):
        self.process.stdin.write("\n")
        self.process.stdin.flush()
        return self._line()

    def stop(self):
        self.process.communicate()


class Swage:
    """As a peer, but every measurement is a run."""

    def __init__(self, command):
        self.command = list(map(str, command))
        self.first = self._run("--steps", "5")

    def _run(self, *options):
        result = subprocess.run([*self.command, *options], capture_output=True, text=True)
        if result.returncode != 0:
            raise Unavailable(result.stderr.strip()[-600:])
        return json.loads(result.stdout.splitlines()[-1])

    def measure(self):
        return self._run("--seconds", str(self.seconds))

    def stop(self):
        pass


def start_systems(case, arguments, python, columns):
    """Column → system, for those that start."""
    cores = sorted(os.sched_getaffinity(0))[-arguments.threads:]
    pinned = ["taskset", "-c", ",".join(map(str, cores))]
    words = [*case.words.split(), "--threads", arguments.threads]
    environment = {**os.environ, "OMP_NUM_THREADS": str(arguments.threads)}
    systems = {}
    for column in COLUMNS:
        try:
            if column in columns:
                _, program, *options = PEERS[column]
                systems[column] = Peer([*pinned, python, HERE / program, *words, *options, "--serve",
                                        "--seconds", arguments.seconds], environment)
            elif column not in PEERS:
                tier = column.split()[1]
                binary = arguments.build / "bin" / "swage"
                systems[column] = Swage([*pinned, binary, "run", *words, "--tier", tier, "--json"])
                systems[column].seconds = arguments.seconds
        except Unavailable as error:
            message(f"{case.words}: {column} does not run: {error}")
    return systems


def values_of(first):
    return first["first_losses"] or [first["first_output"]]


def disagreement(case, systems):
    """What differs in the first steps, in words, or None."""
    wanted = values_of(systems["swage eager"].first)
    for column, system in systems.items():
        values = values_of(system.first)
        close = len(values) == len(wanted) and all(math.isclose(value, other, rel_tol=case.tolerance)
                                                   for value, other in zip(values, wanted))
        if not close:
            return f"{column} begins with {values}, swage eager with {wanted}"
    return None


def measure(name, case, arguments, python, columns):
    """The row of a case: medians and all rounds of each system; or why there is none."""
    systems = start_systems(case, arguments, python, columns)
    try:
        if not all(f"swage {tier}" in systems for tier in TIERS):
            return {"case": name, "refused": "Swage does not run it"}
        difference = disagreement(case, systems)
        if difference:
            return {"case": name, "refused": difference}
        runs = {column: [] for column in systems}
        for _ in range(arguments.rounds):
            for column, system in systems.items():
                runs[column].append(system.measure())
    finally:
        for system in systems.values():
            system.stop()
    figures = {column: {"p50": statistics.median(run["step_us"]["p50"] for run in those),
                        "p99": statistics.median(run["step_us"]["p99"] for run in those),
                        "steps": sum(run["steps"] for run in those),
                        "rounds": [run["step_us"]["p50"] for run in those],
                        **{key: those[-1][key] for key in ("version", "first_call_ms", "compiled_op_share", "allocs_per_step",
                                                           "minor_faults_per_step", "digest") if key in those[-1]}}
               for column, those in runs.items()}
    return {"case": name, "threads": arguments.threads, "seconds": arguments.seconds, "wanted": case.wanted, "figures": figures}


HEADER = ["", *COLUMNS, "best peer", "warm / best", "wanted", "eager / torch", "warm / eager"]


def cells_of(row):
    """The cells of a row in the order of HEADER."""
    if "refused" in row:
        return [row["case"], f"refused: {row['refused']}"]
    times = {column: figures["p50"] for column, figures in row["figures"].items()}
    peers = {column: times[column] for column in PEERS if column in times}
    best = min(peers, key=peers.get, default=None)
    ratio = lambda above, below: f"{times[above] / times[below]:.2f}" if below in times else "–"
    text = lambda time: "–" if time is None else f"{time:,.0f}" if time >= 1000 else f"{time:.1f}"
    return [row["case"], *(text(times.get(column)) for column in COLUMNS), best or "–", ratio("swage warm", best),
            "–" if row["wanted"] is None else f"{row['wanted']:.2f}", ratio("swage eager", "torch"),
            ratio("swage warm", "swage eager")]


def table_line(cells):
    return "| " + " | ".join(f"{cell:<16}" if i == 0 else f"{cell:>13}" for i, cell in enumerate(cells)) + " |"


def print_header(rounds, threads, seconds):
    print(f"µs a step, median of {rounds} rounds of at least {seconds:g} s, {threads} thread(s)\n")
    print(table_line(HEADER))
    print(table_line(["---", *["---:"] * (len(HEADER) - 1)]), flush=True)


def print_dynamic_header(rounds):
    print(f"\nmedian of {rounds} rounds, each in processes of their own\n")
    print(table_line(dynamic.HEADER))
    print(table_line(["---", *["---:"] * (len(dynamic.HEADER) - 1)]), flush=True)


def print_dynamic(row):
    for cells in dynamic.lines_of(row):
        print(table_line(cells), flush=True)


def print_kept(rows):
    """The tables of rows that were kept with --append."""
    static = [row for row in rows if "case" in row]
    measured = next((row for row in static if "figures" in row), None)
    if measured:
        print_header(len(next(iter(measured["figures"].values()))["rounds"]), measured["threads"], measured["seconds"])
    for row in static:
        print(table_line(cells_of(row)))
    kept = [row for row in rows if "dynamic" in row]
    if kept:
        print_dynamic_header(max(len(row.get("runs", {}).get("swage", [])) for row in kept))
    for row in kept:
        print_dynamic(row)


def parse_arguments():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("cases", nargs="*", help=f"first words of: {', '.join([*CASES, *dynamic.CASES])}")
    parser.add_argument("--build", type=pathlib.Path, required=True)
    parser.add_argument("--peers", type=pathlib.Path, help="the virtual environment (BUILD/peers)")
    parser.add_argument("--data", type=pathlib.Path, help="the folder of data sets (SWAGE_DATA)")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=1)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--append", type=pathlib.Path, help="add the rows to this file, a line of JSON each")
    parser.add_argument("--table", type=pathlib.Path, help="measure nothing; print the rows of such a file")
    arguments = parser.parse_args()
    begins = lambda name: not arguments.cases or name.startswith(tuple(arguments.cases))
    arguments.static, arguments.dynamic = list(filter(begins, CASES)), list(filter(begins, dynamic.CASES))
    if not arguments.static and not arguments.dynamic:
        parser.error(f"no workload begins with {' or '.join(arguments.cases)}")
    if arguments.data is None and os.environ.get("SWAGE_DATA"):
        arguments.data = pathlib.Path(os.environ["SWAGE_DATA"])
    return arguments


def main():
    arguments = parse_arguments()
    if arguments.table:
        print_kept([json.loads(line) for line in arguments.table.read_text().splitlines()])
        return 0
    folder = arguments.peers or arguments.build / "peers"
    chosen = [name for name in arguments.dynamic if dynamic.available(name, arguments.data)]
    packages = installed_peers(folder)
    if any("dynet" in dynamic.CASES[name].peers for name in chosen) and installed_dynet(folder):
        packages.append("dynet")
    refused = 0

    def keep(row):
        nonlocal refused
        refused += "refused" in row
        if arguments.append:
            with arguments.append.open("a") as file:
                file.write(json.dumps(row) + "\n")

    if arguments.static:
        print_header(arguments.rounds, arguments.threads, arguments.seconds)
    columns = [column for column, (package, *_) in PEERS.items() if package in packages]
    for name in arguments.static:
        row = measure(name, CASES[name], arguments, python_of(folder), columns)
        print(table_line(cells_of(row)), flush=True)
        keep(row)
    if chosen:
        print_dynamic_header(arguments.rounds)
    for name in chosen:
        row = dynamic.measure(name, arguments, folder, arguments.data, packages)
        print_dynamic(row)
        keep(row)
    return 1 if refused else 0


if __name__ == "__main__":
    sys.exit(main())
