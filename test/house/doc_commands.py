#!/usr/bin/env python3
"""Every command in the documentation is run by something: doc_commands.txt says what, and this test holds it to that."""

import fnmatch
import pathlib
import re
import subprocess

import house

PAGES = ["README.md", "ARCHITECTURE.md", "CONTRIBUTING.md"]
BLOCK = re.compile(r"^```sh\n(.*?)^```", re.MULTILINE | re.DOTALL)


def doc_commands(page):
    """The commands of a page: lines of its sh blocks, without comments and prompts, `a && b` taken apart."""
    for block in BLOCK.findall(page.read_text()):
        for line in block.replace("\\\n", " ").splitlines():
            line = re.sub(r"(^|\s)#.*", "", line).removeprefix("$ ")
            yield from (part.strip() for part in line.split("&&") if part.strip())


def known_commands(list_file):
    """Pairs of a pattern and what runs the commands that match it; the first match counts."""
    for line in list_file.read_text().splitlines():
        if line and not line.startswith("#"):
            command, runner = line.split(" = ", 1)
            yield command, runner.strip()


def matches(command, pattern):
    if pattern.endswith(" …"):
        return command == pattern[:-2] or command.startswith(pattern[:-1])
    return command == pattern


def test_names(build):
    listing = subprocess.run(["ctest", "--test-dir", build, "-N"], capture_output=True, text=True).stdout
    return re.findall(r"Test\s+#\d+: (\S+)", listing)


def problem_with(command, runner, arguments, tests):
    kind, _, rest = runner.partition(" ")
    if kind == "ci":
        verb = rest or " ".join(command.split()[:2])
        return None if verb in (arguments.source / ".ci" / "run").read_text() else f".ci/run does not have `{verb}`"
    if kind == "ctest":
        return None if fnmatch.filter(tests, rest) else f"`{command}` is said to be run by {rest}, which is no test"
    if kind == "skip":
        return None if rest.strip() else f"`{command}` is skipped without a reason"
    if kind == "run":
        if arguments.list:
            return None
        result = subprocess.run(command, shell=True, cwd=arguments.source, capture_output=True, text=True)
        return None if result.returncode == 0 else f"`{command}` failed:\n{result.stdout}{result.stderr}"
    return f"doc_commands.txt: `{runner}` is neither run, ci, ctest nor skip"


def main():
    arguments = house.parse(__doc__, "--list")  # --list: look everything up, run nothing
    known = list(known_commands(pathlib.Path(__file__).with_name("doc_commands.txt")))
    tests = test_names(arguments.build)
    problems, commands = [], {}
    for name in PAGES:
        page = arguments.source / name
        for command in doc_commands(page) if page.exists() else []:
            commands.setdefault(command, name)
    for command, page in commands.items():
        runner = next((runner for pattern, runner in known if matches(command, pattern)), None)
        problem = problem_with(command, runner, arguments, tests) if runner else "not in test/house/doc_commands.txt"
        if problem:
            problems.append(f"{page}: {command}: {problem}")
    if not commands:
        print("SKIPPED: the documentation has no commands yet")
        raise SystemExit(0 if arguments.list else 77)
    house.finish(problems, len(commands))


if __name__ == "__main__":
    main()
