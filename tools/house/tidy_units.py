#!/usr/bin/env python3
"""Prints the translation units that clang-tidy should read, one a line.

All units of the compilation database but the few that include MLIR or LLVM (their headers take clang-tidy a minute
each). With --since REV, only units of which the source or one of its headers has changed since that revision. What a
unit includes is known from the last build.
"""

import argparse
import json
import pathlib
import subprocess


def included_files(build):
    """Source file -> the set of files that its compilation read, as the build recorded them."""
    listing = subprocess.run(["ninja", "-C", build, "-t", "deps"], capture_output=True, text=True, check=True).stdout
    includes, current = {}, []
    for line in listing.splitlines():
        if line.startswith("    "):
            current.append(line.strip())
        elif current:
            includes.setdefault(current[0], set()).update(current)
            current = []
    if current:
        includes.setdefault(current[0], set()).update(current)
    return includes


def changed_files(source, revision):
    run = lambda *args: subprocess.run(["git", "-C", source, *args], capture_output=True, text=True, check=True).stdout
    names = run("diff", "--name-only", revision).splitlines()
    names += run("ls-files", "--others", "--exclude-standard").splitlines()
    return {(source / name).resolve() for name in names}


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("source", type=pathlib.Path)
    parser.add_argument("build", type=pathlib.Path)
    parser.add_argument("--since")
    arguments = parser.parse_args()

    source, build = arguments.source.resolve(), arguments.build.resolve()
    includes = included_files(build)
    changed = changed_files(source, arguments.since) if arguments.since else None
    commands = json.loads((build / "compile_commands.json").read_text())
    for file in sorted({command["file"] for command in commands}):
        read = includes.get(file, {file})
        if build in pathlib.Path(file).parents or any("/llvm-22/include/" in name for name in read):
            continue
        if changed is None or changed & {(build / name).resolve() for name in read}:
            print(pathlib.Path(file).relative_to(source))


if __name__ == "__main__":
    main()
