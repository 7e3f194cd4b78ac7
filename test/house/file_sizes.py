#!/usr/bin/env python3
"""A file is one idea: no source, script or page has more than 600 lines."""

import house

LIMIT = 600
SUFFIXES = {".cpp", ".hpp", ".h", ".cu", ".py", ".cmake", ".txt", ".md", ".sh", ".html", ".css", ".js", ""}


def main():
    arguments = house.parse(__doc__)
    problems, checked = [], 0
    for file in house.project_files(arguments.source):
        name = file.relative_to(arguments.source)
        if file.suffix not in SUFFIXES or str(name) == "LICENSE" or name.parts[:2] == ("bench", "results"):
            continue
        checked += 1
        lines = file.read_bytes().count(b"\n")
        if lines > LIMIT:
            problems.append(f"{name}: {lines} lines, the limit is {LIMIT}")
    house.finish(problems, checked)


if __name__ == "__main__":
    main()
