#!/usr/bin/env python3
"""A floor that includes a header from a floor above does not compile; its own headers and those below do.

For every pair of floors one line, `#include <a header of the other floor>`, is given to the compiler with the flags of
the first floor.
"""

import subprocess

import house


def preprocess(command, include):
    return subprocess.run([*command, "-E", "-x", "c++", "-o", "/dev/null", "-"], input=f"#include <{include}>\n",
                          capture_output=True, text=True)


def main():
    arguments = house.parse(__doc__)
    # The smallest header of each floor stands for it.
    samples = {}
    for floor in house.FLOORS:
        headers = house.headers(arguments.source, floor)
        if headers:
            header = min(headers, key=lambda file: file.stat().st_size)
            samples[floor] = house.include_name(arguments.source, floor, header)

    problems, checked = [], 0
    for level, floor in enumerate(house.FLOORS):
        command = house.compile_command(arguments.build, floor)
        if command is None:
            continue
        for other_level, other in enumerate(house.FLOORS):
            if other not in samples:
                continue
            result = preprocess(command, samples[other])
            climbs = other_level > level
            missing = f"{samples[other]}: No such file" in result.stderr
            checked += 1
            if climbs and not missing:
                problems.append(f"{floor} can include <{samples[other]}>, which is on a floor above")
            if not climbs and result.returncode != 0:
                problems.append(f"{floor} cannot include <{samples[other]}>:\n{result.stderr}")
    house.finish(problems, checked)


if __name__ == "__main__":
    main()
