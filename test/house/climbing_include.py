#!/usr/bin/env python3
"""A floor that includes a header from a floor above does not compile; its own headers and those below do.

For every pair of floors the compiler gets one line, with the flags of the first floor: `#include <a header of the floor
above>`, which must fail, or the question whether it finds a header of a floor below.
"""

import subprocess

import house


def preprocess(command, text):
    return subprocess.run([*command, "-E", "-x", "c++", "-o", "/dev/null", "-"], input=text, capture_output=True,
                          text=True)


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
            sample = samples[other]
            checked += 1
            if other_level > level:
                result = preprocess(command, f"#include <{sample}>\n")
                if f"{sample}: No such file" not in result.stderr:
                    problems.append(f"{floor} can include <{sample}>, which is on a floor above")
            else:
                result = preprocess(command, f"#if !__has_include(<{sample}>)\n#error not found\n#endif\n")
                if result.returncode != 0:
                    problems.append(f"{floor} cannot include <{sample}>:\n{result.stderr}")
    house.finish(problems, checked)


if __name__ == "__main__":
    main()
