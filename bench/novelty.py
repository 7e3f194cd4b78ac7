#!/usr/bin/env python3
"""Speed against the share of steps whose structure is new to the run: a table, and with --svg a plot.

    python3 bench/novelty.py [--build BUILD] [--rounds N] [--seconds S] [--svg FILE] [--append FILE] [WORKLOAD…]

Rounds alternate between the shares; medians. A row is printed, and the plot drawn anew, when its workload is done; --append keeps every run at once,
a line of JSON each. Ratios are to the same workload with no novelty. SWAGE_DATA names the public data sets, as for
`swage run`. Nothing else should run meanwhile.
"""

import argparse
import json
import statistics
import subprocess

SHARES = (0, 1, 10, 50, 100)
WORKLOADS = {"treelstm": "treelstm", "treelstm, 64 a step": "treelstm --bulk 64", "reroute": "reroute", "reroute, 32 a step": "reroute --bulk 32",
             "mlp, random widths": "mlp"}
COLOURS = ("#4269d0", "#97bbf5", "#3ca951", "#a4d8b1", "#ff725c")


def units_per_s(build: str, words: str, tier: str, share: float, seconds: float) -> float:
    command = [f"{build}/bin/swage", "run", *words.split(), "--tier", tier, "--novelty", str(share), "--seconds", str(seconds), "--json"]
    out = subprocess.run(command, check=True, text=True, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL).stdout
    return json.loads(out.splitlines()[-1])["units_per_s"]


def measure(build: str, name: str, rounds: int, seconds: float, append: str | None) -> dict:
    runs = [("warm", share) for share in SHARES] + [("eager", 0), ("eager", 100)]
    found = {run: [] for run in runs}
    for i in range(rounds):
        for tier, share in runs if i % 2 == 0 else runs[::-1]:
            speed = units_per_s(build, WORKLOADS[name], tier, share, seconds)
            found[tier, share].append(speed)
            if append:
                with open(append, "a", encoding="utf-8") as file:
                    print(json.dumps({"workload": name, "tier": tier, "novelty": share, "round": i, "units_per_s": speed}), file=file)
    return {run: statistics.median(times) for run, times in found.items()}


def header() -> str:
    return ("| units per second | " + " | ".join(f"{share} %" for share in SHARES) + " | 100 % to 0 % | eager, 0 % | eager, 100 % |\n"
            "| --- |" + " ---: |" * (len(SHARES) + 3))


def row(name: str, found: dict) -> str:
    speeds = [found["warm", share] for share in SHARES]
    cells = [f"{speed:,.0f}" for speed in speeds] + [f"{speeds[-1] / speeds[0]:.2f}"]
    return f"| {name} | " + " | ".join(cells + [f"{found['eager', share]:,.0f}" for share in (0, 100)]) + " |"


def plot(results: dict) -> str:
    """Each curve relative to its own speed without novelty; the shares stand at equal distances."""
    left, top, width, height, most = 52, 16, 420, 210, 1.25
    x = lambda i: left + width * i / (len(SHARES) - 1)
    y = lambda ratio: top + height * (1 - min(ratio, most) / most)
    parts = [f'<svg xmlns="http://www.w3.org/2000/svg" width="700" height="{top + height + 48}" font-family="sans-serif" font-size="12">',
             '<rect width="100%" height="100%" fill="white"/>']
    for ratio in (0, 0.25, 0.5, 0.75, 1, 1.25):
        parts.append(f'<line x1="{left}" x2="{left + width}" y1="{y(ratio):.1f}" y2="{y(ratio):.1f}" stroke="#ddd"/>'
                     f'<text x="{left - 8}" y="{y(ratio) + 4:.1f}" text-anchor="end" fill="#444">{ratio:g}</text>')
    for i, share in enumerate(SHARES):
        parts.append(f'<text x="{x(i):.1f}" y="{top + height + 18}" text-anchor="middle" fill="#444">{share} %</text>')
    parts.append(f'<text x="{left + width / 2}" y="{top + height + 38}" text-anchor="middle" fill="#444">steps whose structure is new to the run</text>')
    for k, (name, found) in enumerate(results.items()):
        speeds = [found["warm", share] for share in SHARES]
        points = " ".join(f"{x(i):.1f},{y(speed / speeds[0]):.1f}" for i, speed in enumerate(speeds))
        parts.append(f'<polyline points="{points}" fill="none" stroke="{COLOURS[k]}" stroke-width="2"/>'
                     f'<line x1="{left + width + 18}" x2="{left + width + 38}" y1="{top + 16 + 22 * k}" y2="{top + 16 + 22 * k}" stroke="{COLOURS[k]}" stroke-width="2"/>'
                     f'<text x="{left + width + 46}" y="{top + 20 + 22 * k}" fill="#222">{name}</text>')
    return "\n".join(parts + ["</svg>"]) + "\n"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--build", default="build")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=float, default=2)
    parser.add_argument("--svg", help="where the plot goes")
    parser.add_argument("--append", help="a file that gets a line for every run as it ends")
    parser.add_argument("workloads", nargs="*", default=[], help=", ".join(f"'{name}'" for name in WORKLOADS))
    options = parser.parse_args()
    unknown = [name for name in options.workloads if name not in WORKLOADS]
    if unknown:
        parser.error(f"there is no '{unknown[0]}' here; there are {', '.join(WORKLOADS)}")
    print(header(), flush=True)
    results = {}
    for name in options.workloads or WORKLOADS:
        results[name] = measure(options.build, name, options.rounds, options.seconds, options.append)
        print(row(name, results[name]), flush=True)
        if options.svg:
            with open(options.svg, "w", encoding="utf-8") as file:
                file.write(plot(results))


if __name__ == "__main__":
    main()
