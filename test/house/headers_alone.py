#!/usr/bin/env python3
"""Every header compiles alone, and twice in one file.

Headers that include MLIR or LLVM are left out: they take ten seconds each, and the build compiles all of them.
"""

import concurrent.futures
import os
import subprocess

import house


def compile_alone(command, include):
    line = f"#include <{include}>\n"
    result = subprocess.run([*command, "-O0", "-g0", "-fsyntax-only", "-x", "c++", "-"], input=line + line,
                            capture_output=True, text=True)
    return None if result.returncode == 0 else f"<{include}> does not compile alone:\n{result.stderr}"


def main():
    arguments = house.parse(__doc__)
    jobs = []
    for floor in house.FLOORS:
        command = house.compile_command(arguments.build, floor)
        for header in house.headers(arguments.source, floor):
            if command and not house.includes_llvm(arguments.source, header):
                jobs.append((command, house.include_name(arguments.source, floor, header)))
    with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
        problems = [problem for problem in pool.map(lambda job: compile_alone(*job), jobs) if problem]
    house.finish(problems, len(jobs))


if __name__ == "__main__":
    main()
