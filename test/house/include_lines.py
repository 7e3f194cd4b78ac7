#!/usr/bin/env python3
"""No include line names a floor above, climbs with `..`, or uses quotes."""

import re

import house

INCLUDE = re.compile(r'^\s*#\s*include\s*([<"])([^>"]+)[>"]')


def main():
    arguments = house.parse(__doc__)
    level_of = {house.INCLUDE_FOLDER[floor]: level for level, floor in enumerate(house.FLOORS)}
    problems, checked = [], 0
    for file in house.project_files(arguments.source):
        name = file.relative_to(arguments.source)
        if file.suffix not in (".cpp", ".hpp", ".cu") or name.parts[0] not in house.FLOORS:
            continue
        level = house.FLOORS.index(name.parts[0])
        checked += 1
        for number, line in enumerate(file.read_text().splitlines(), 1):
            match = INCLUDE.match(line)
            if not match:
                continue
            quote, path = match.groups()
            if quote == '"' or ".." in path:
                problems.append(f"{name}:{number}: write <floor/folder/file.hpp>, not {quote}{path}")
            elif level_of.get(path.split("/")[0], 0) > level:
                problems.append(f"{name}:{number}: <{path}> is on a floor above")
    house.finish(problems, checked)


if __name__ == "__main__":
    main()
