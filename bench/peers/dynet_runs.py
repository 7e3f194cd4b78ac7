"""What the programs in DyNet share: options, the clock, and what is printed in the end."""

import argparse
import importlib.metadata
import json
import statistics
import time

import _dynet as dy

WARM_UP_SECONDS = 1


def parse_arguments(description, megabytes, size="--bulk", flags=()):
    """The options, after DyNet has been started as they say."""
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("data")
    parser.add_argument(size, type=int, default=64 if size == "--batch" else 1, help="sentences a step")
    parser.add_argument("--seconds", type=float, default=5)
    parser.add_argument("--no-autobatch", action="store_true")
    parser.add_argument("--json", action="store_true", help="a line of JSON in place of text")
    for flag, options in flags:
        parser.add_argument(flag, **options)
    settings = parser.parse_args()
    options = dy.DynetParams()
    options.set_autobatch(not settings.no_autobatch)
    options.set_mem(megabytes)
    options.set_random_seed(1)
    options.init()
    return settings


def measure(learn, unit, settings):
    """`learn()` takes one step and gives its units and its loss."""
    times, counted, first, last, start = [], 0, None, [], time.perf_counter()
    while not times or time.perf_counter() - start < settings.seconds + WARM_UP_SECONDS:
        began = time.perf_counter()
        units, loss = learn()
        took = time.perf_counter() - began
        first = first or (units, loss)
        last = (last + [loss / units])[-20:]
        if began - start > WARM_UP_SECONDS:
            times.append(took)
            counted += units
    speed, step = counted / sum(times), statistics.median(times)
    if settings.json:
        print(json.dumps({"units_per_s": round(speed, 2), "unit": unit, "step_us": {"p50": round(1e6 * step, 3)}, "steps": len(times),
                          "first_units": first[0], "first_losses": [first[1]], "version": importlib.metadata.version("dynet38")}))
    else:
        print(f"{speed:.1f} {unit}/s, {1e6 * step:.0f} us a step in the median, "
              f"loss of one of the {unit} {statistics.mean(last):.3f}")
