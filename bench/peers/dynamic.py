"""The second table: workloads whose structure changes from step to step, beside PyTorch, JAX and DyNet.

Every measurement is a process of its own, of a peer as of Swage; rounds alternate between the columns, every second one backwards, and a
figure is the median over the rounds. A peer that compiles for a minute and more is measured in the first round only. What a peer's first
step loses must agree with what Swage's does: exactly (but for the order of sums) where both begin with the same values, else by `tolerance`
of the loss a unit; a row where it does not is not reported. `varlen` takes two passes over its lengths in a process that knows nothing.
"""

import json
import math
import os
import statistics
import subprocess
from dataclasses import dataclass

import installing
from installing import HERE, Unavailable, message

COLUMNS = ("torch", "torch.compile", "jax", "dynet", "dynet autobatch", "swage")
PACKAGES = {"torch": "torch", "torch.compile": "torch", "jax": "jax", "dynet": "dynet", "dynet autobatch": "dynet"}
LONGEST = 600  # seconds of one process


@dataclass(frozen=True)
class Figure:
    """A row of the table: what it is called, its key in the report, its unit, what Swage is to reach as a part of the best peer's."""
    name: str
    key: str
    unit: str
    wanted: float
    less_is_better: bool = False


@dataclass(frozen=True)
class Case:
    """`peers`: the program and options of each column. `data`: a file of the data folder without which nothing is measured.
    `tolerance`: of the first losses; None: of other samples, not compared. `once`: columns that are measured once."""
    words: str
    tier: str
    figures: tuple
    peers: dict
    tolerance: float | None
    same_values: bool = False
    data: str | None = None
    once: tuple = ()


def in_dynet(program, options=""):
    return {"dynet": f"{program} DATA {options} --json --no-autobatch", "dynet autobatch": f"{program} DATA {options} --json"}


def speed(name, unit, wanted):
    return (Figure(name, "units_per_s", f"{unit}/s", wanted),)


# One sentence is no sample whose loss could be compared with another's, and trees of 64 sentences differ in size.
CASES = {
    "varlen": Case("varlen --steps 120", "cold",
                   (Figure("varlen, first pass", "first_pass_ms", "ms a step", 0.16, True),
                    Figure("varlen, second pass", "later_pass_ms", "ms a step", 0.33, True)),
                   {"torch": "varlen_torch.py varlen", "torch.compile": "varlen_torch.py varlen --compile", "jax": "varlen_jax.py varlen"},
                   tolerance=2e-5, same_values=True, once=("torch.compile", "jax")),
    "treelstm": Case("treelstm", "warm", speed("treelstm", "sentences", 2.0), in_dynet("treelstm_dynet.py"), None,
                     data="trees/train.txt"),
    "treelstm --bulk 64": Case("treelstm --bulk 64", "warm", speed("treelstm --bulk 64", "sentences", 2.7),
                               in_dynet("treelstm_dynet.py", "--bulk 64"), 0.25, data="trees/train.txt"),
    "tagger": Case("tagger", "warm", speed("tagger", "words", 3.0), in_dynet("tagger_dynet.py"), None, data="tags/dev.txt"),
    "tagger --bulk 64": Case("tagger --bulk 64", "warm", speed("tagger --bulk 64", "words", 3.5),
                             in_dynet("tagger_dynet.py", "--bulk 64"), 0.15, data="tags/dev.txt"),
    "rnnlm --batch 64": Case("rnnlm --batch 64", "warm", speed("rnnlm --batch 64", "words", 1.7),
                             in_dynet("rnnlm_dynet.py", "--batch 64"), 0.05, data="text/dev.txt"),
}


def report_of(command, environment):
    """What a process says in the last line it prints."""
    try:
        done = subprocess.run(list(map(str, command)), capture_output=True, text=True, env=environment, timeout=LONGEST)
    except (OSError, subprocess.TimeoutExpired) as error:
        raise Unavailable(str(error)) from error
    if done.returncode != 0:
        raise Unavailable(done.stderr.strip()[-600:])
    return json.loads(done.stdout.splitlines()[-1])


class Commands:
    """What is run for a case in each column, pinned to the same cores."""

    def __init__(self, case, arguments, folder, data, programs):
        cores = sorted(os.sched_getaffinity(0))[-arguments.threads:]
        self.pinned = ["taskset", "-c", ",".join(map(str, cores))]
        self.case, self.arguments, self.folder, self.data, self.programs = case, arguments, folder, data, programs
        self.environment = {**os.environ, "OMP_NUM_THREADS": str(arguments.threads)}

    def swage(self, *options):
        where = ["--data", self.data] if self.case.data else []
        words = [*self.case.words.split(), "--threads", self.arguments.threads, *where, "--json", *options]
        return report_of([*self.pinned, self.arguments.build / "bin" / "swage", "run", *words], self.environment)

    def measure(self, column):
        seconds = [] if self.case.same_values else ["--seconds", self.arguments.seconds]
        if column == "swage":
            return self.swage("--tier", self.case.tier, *seconds)
        program, *options = self.case.peers[column].split()
        options = [self.data if option == "DATA" else option for option in options]
        environment = self.environment
        if PACKAGES[column] == "dynet":
            environment = installing.dynet_environment(self.folder, environment)
        return report_of([*self.pinned, installing.python_of(self.folder), self.programs / program, *options, *seconds], environment)

    def first_losses(self):
        """Swage's, to be compared: of the first steps, or of the first step with its units."""
        if self.case.same_values:
            return self.swage("--tier", "eager", "--steps", "5")["first_losses"]
        first = self.swage("--tier", "eager", "--steps", "1")
        return [first["first_losses"][0] / (first["units_per_s"] * first["step_us"]["p50"] / 1e6)]


def disagreement(case, wanted, column, report):
    """How a peer's first losses differ from Swage's, in words, or None."""
    if case.tolerance is None:
        return None
    values = [loss / report.get("first_units", 1) for loss in report["first_losses"]]
    close = len(values) == len(wanted) and all(math.isclose(a, b, rel_tol=case.tolerance) for a, b in zip(values, wanted))
    return None if close else f"{column} begins with {values}, swage with {wanted} (tolerance {case.tolerance:g})"


def measure(name, arguments, folder, data, packages, programs=HERE):
    """The row of a case: every run's figures in every column; or why there is none."""
    case = CASES[name]
    commands = Commands(case, arguments, folder, data, programs)
    columns = [column for column in COLUMNS if column == "swage" or column in case.peers and PACKAGES[column] in packages]
    runs, versions, wanted = {column: [] for column in columns}, {}, None
    for i in range(arguments.rounds):
        for column in columns if i % 2 == 0 else columns[::-1]:
            if i > 0 and (column in case.once or not runs[column]):
                continue
            try:
                wanted = wanted or (case.tolerance and commands.first_losses())
                report = commands.measure(column)
                runs[column].append([report[figure.key] for figure in case.figures])
            except (Unavailable, KeyError, ValueError, IndexError) as error:
                message(f"{name}: {column} does not run: {error}")
                continue
            difference = None if column == "swage" else disagreement(case, wanted, column, report)
            if difference:
                return {"dynamic": name, "refused": difference}
            versions[column] = report.get("version")
    if not runs["swage"]:
        return {"dynamic": name, "refused": "Swage does not run it"}
    return {"dynamic": name, "threads": arguments.threads, "seconds": arguments.seconds, "compared": case.tolerance is not None,
            "versions": versions, "runs": {column: those for column, those in runs.items() if those}}


HEADER = ["dynamic", "unit", *COLUMNS, "best peer", "swage / best", "wanted"]


def text(value):
    return f"{value:,.0f}" if value >= 100 else f"{value:.3g}"


def lines_of(row):
    """The cells of a case's rows, in the order of HEADER."""
    case = CASES[row["dynamic"]]
    if "refused" in row:
        return [[row["dynamic"], f"refused: {row['refused']}"]]
    lines = []
    for i, figure in enumerate(case.figures):
        medians = {column: statistics.median(run[i] for run in those) for column, those in row["runs"].items()}
        peers = {column: median for column, median in medians.items() if column != "swage"}
        best = (min if figure.less_is_better else max)(peers, key=peers.get, default=None)
        lines.append([figure.name, figure.unit, *(text(medians[column]) if column in medians else "–" for column in COLUMNS), best or "–",
                      f"{medians['swage'] / peers[best]:.2f}" if best else "–", f"{figure.wanted:.2f}"])
    return lines


def available(name, data):
    """Whether a case has its data; says so where it has not."""
    file = CASES[name].data
    if file is None or data is not None and (data / file).exists():
        return True
    message(f"{name}: skipped, {data / file if data else f'{file} (SWAGE_DATA or --data names its folder)'} is not there")
    return False
