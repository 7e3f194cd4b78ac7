"""What the tests of the house share: the floors, the files of the project and the compiler's flags for a floor."""

import argparse
import json
import pathlib
import re
import shlex
import subprocess
import sys

FLOORS = ["runtime", "kernels", "jit", "frontend", "bench", "tools"]  # bottom up

# The folder in `#include <folder/...>` that stands for each floor.
INCLUDE_FOLDER = {floor: floor for floor in FLOORS} | {"frontend": "swage"}


def parse(description, *extra_flags):
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("--source", type=pathlib.Path, required=True)
    parser.add_argument("--build", type=pathlib.Path, required=True)
    for flag in extra_flags:
        parser.add_argument(flag, action="store_true")
    arguments = parser.parse_args()
    arguments.source, arguments.build = arguments.source.resolve(), arguments.build.resolve()
    return arguments


def project_files(source):
    """All files that are or could be committed."""
    listing = subprocess.run(["git", "-C", source, "ls-files", "--cached", "--others", "--exclude-standard"],
                             capture_output=True, text=True)
    if listing.returncode == 0:
        files = [source / name for name in sorted(set(listing.stdout.splitlines()))]
    else:  # an unpacked archive
        files = [file for file in sorted(source.rglob("*")) if not file.relative_to(source).parts[0].startswith("build")]
    return [file for file in files if file.is_file()]


def headers(source, floor):
    return [file for file in project_files(source) if file.suffix == ".hpp" and file.is_relative_to(source / floor)]


def include_name(source, floor, header):
    """How other files spell an include of this header."""
    return str(header.relative_to(source / "frontend" if floor == "frontend" else source))


def includes_llvm(source, header, seen=None):
    """Whether a header includes MLIR or LLVM, itself or through other headers of the project."""
    seen = set() if seen is None else seen
    if header in seen or not header.exists():
        return False
    seen.add(header)
    for name in re.findall(r"^\s*#\s*include\s*<([^>]+)>", header.read_text(), re.MULTILINE):
        folder = source / "frontend" if name.startswith("swage/") else source
        if name.startswith(("mlir/", "llvm/")) or includes_llvm(source, folder / name, seen):
            return True
    return False


def compile_command(build, floor):
    """The compiler and its flags for sources of a floor, or None where the floor has none."""
    target = f"{floor}/CMakeFiles/swage_{'tool' if floor == 'tools' else floor}.dir/"
    for entry in json.loads((build / "compile_commands.json").read_text()):
        words = shlex.split(entry["command"])
        output = words.index("-o")
        if words[output + 1].startswith(target):
            words = words[:output] + words[output + 2:]
            return [word for word in words if not word.endswith("ccache") and word not in ("-c", entry["file"])]
    return None


def finish(problems, checked):
    """Ends the test: the problems and status 1, or one line that says how much was looked at."""
    for problem in problems:
        print(problem)
    if not checked:
        print("nothing was checked")
    print(f"{checked} checked, {len(problems)} problems")
    sys.exit(1 if problems or not checked else 0)
