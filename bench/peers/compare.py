#!/usr/bin/env python3
"""Times the workloads in Swage and in PyTorch on this machine, alternating, and prints medians and ratios.

Every round runs each system once, in a process of its own, with the same steps and threads. A figure is the median over
the rounds of the median step time. PyTorch is installed into BUILD/peers on first use.
"""

import argparse
import json
import pathlib
import statistics
import subprocess
import sys

HERE = pathlib.Path(__file__).parent

# Name in the table: the workload and its options, and how many steps one run counts.
CASES = {
    "seed_rnn": (["seed_rnn"], 5000),
    "chain": (["chain"], 2000),
    "mlp, SGD": (["mlp", "--optimizer", "sgd"], 200),
    "mlp, Adam": (["mlp", "--optimizer", "adam"], 200),
    "convnet 32x32x3": (["convnet", "--image", "32x32x3"], 40),
    "convnet 8x8x1": (["convnet", "--image", "8x8x1"], 200),
    "pointwise 2^10": (["pointwise", "--log2", "10"], 2000),
    "pointwise 2^16": (["pointwise", "--log2", "16"], 500),
    "pointwise 2^20": (["pointwise", "--log2", "20"], 50),
    "pointwise 2^24": (["pointwise", "--log2", "24"], 10),
    "digits": (["digits"], 600),
}


def install_torch(folder):
    python = folder / "bin" / "python"
    if subprocess.run([python, "-c", "import torch"], capture_output=True).returncode if python.exists() else True:
        print(f"installing PyTorch into {folder} (about 3 GB)", file=sys.stderr)
        subprocess.run([sys.executable, "-m", "venv", folder], check=True)
        subprocess.run([python, "-m", "pip", "install", "--quiet", "--no-deps", "-r", HERE / "requirements.txt"],
                       check=True)
    return python


def systems(arguments, torch_python):
    """Column of the table -> the command that a workload's words are added to."""
    commands = {"torch": [torch_python, HERE / "torch_peer.py"]}
    if arguments.compile:
        commands["torch.compile"] = [torch_python, HERE / "torch_peer.py", "--compile"]
    swage = arguments.build / "bin" / "swage"
    for tier in ("eager", "warm") if swage.exists() else ():
        commands[f"swage {tier}"] = [swage, "run", "--tier", tier, "--json"]
    return commands


def step_time(command):
    """The median step time in µs that a run reports, or None if it failed."""
    result = subprocess.run(list(map(str, command)), capture_output=True, text=True)
    if result.returncode != 0:
        print(f"{' '.join(map(str, command))}:\n{result.stderr[-800:]}", file=sys.stderr)
        return None
    return json.loads(result.stdout.splitlines()[-1])["step_us"]["p50"]


def measure(case, commands, rounds, threads):
    words, steps = CASES[case]
    options = [*words, "--steps", steps, "--threads", threads]
    times = {name: [] for name in commands}
    for _ in range(rounds):
        for name, command in commands.items():
            times[name].append(step_time([*command, *options]))
    return {name: None if None in values else statistics.median(values) for name, values in times.items()}


def row(case, medians):
    text = lambda value, form: "–" if value is None else format(value, form)
    base = medians["torch"]
    ratios = [None if base is None or value is None else value / base
              for name, value in medians.items() if name != "torch"]
    cells = [text(value, ",.1f") for value in medians.values()] + [text(ratio, ".2f") for ratio in ratios]
    return f"| {case:<16} | " + " | ".join(f"{cell:>13}" for cell in cells) + " |"


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("cases", nargs="*", help=f"first words of: {', '.join(CASES)}")
    parser.add_argument("--build", type=pathlib.Path, required=True)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--compile", action="store_true", help="time torch.compile too")
    arguments = parser.parse_args()
    chosen = [case for case in CASES if not arguments.cases or case.startswith(tuple(arguments.cases))]
    if not chosen:
        parser.error(f"no workload begins with {' or '.join(arguments.cases)}")

    commands = systems(arguments, install_torch(arguments.build / "peers"))
    others = [name for name in commands if name != "torch"]
    columns = list(commands) + [f"{name} / torch" for name in others]
    print(f"µs a step, median of {arguments.rounds} rounds, {arguments.threads} thread(s); ratios to PyTorch eager\n")
    print(f"| {'':<16} | " + " | ".join(f"{column:>13}" for column in columns) + " |")
    print(f"| {'---':<16} | " + " | ".join(f"{'---:':>13}" for _ in columns) + " |", flush=True)
    for case in chosen:
        print(row(case, measure(case, commands, arguments.rounds, arguments.threads)), flush=True)


if __name__ == "__main__":
    main()
