#!/usr/bin/env python3
"""What the documentation names exists: files and folders in backquotes, and every environment variable that is read.

A variable counts as read where a source file asks getenv for it; the README's table must have each, and no other.
"""

import re

import house

PAGES = ["README.md", "ARCHITECTURE.md", "CONTRIBUTING.md"]
MADE_BY_BUILD = ("build/",)


def missing_paths(source):
    for page in PAGES:
        for path in re.findall(r"`([\w.-]+/[\w./-]*)`", (source / page).read_text()):
            if not path.startswith(MADE_BY_BUILD) and not (source / path).exists():
                yield f"{page} names {path}, which does not exist"


def variables_read(source):
    for file in house.project_files(source):
        if file.suffix in (".cpp", ".hpp") and file.relative_to(source).parts[0] != "test":
            yield from re.findall(r'getenv\("(SWAGE_\w+)"\)', file.read_text())


def main():
    arguments = house.parse(__doc__)
    problems = list(missing_paths(arguments.source))
    documented = set(re.findall(r"^\| `(SWAGE_\w+)` \|", (arguments.source / "README.md").read_text(), re.MULTILINE))
    read = set(variables_read(arguments.source))
    problems += [f"{name} is read, but the README's table does not have it" for name in sorted(read - documented)]
    problems += [f"{name} is in the README's table, but nothing reads it" for name in sorted(documented - read)]
    house.finish(problems, len(PAGES) + len(read))


if __name__ == "__main__":
    main()
