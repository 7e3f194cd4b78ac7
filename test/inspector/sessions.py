"""Runs the sessions of docs/inspector.md and compares what is printed with what stands there: `sessions.py SWAGE PROGRAMS PAGE`. With
--update the page gets what was printed.

A session is a ```console block; those of a section share a folder. Numbers may differ, and the widths that depend on them; words, lines
of programs and the number of lines may not.
"""

import difflib
import os
import pathlib
import re
import shlex
import subprocess
import sys
import tempfile

BLOCK = re.compile(r"(?<=^```console\n).*?(?=^```$)", re.MULTILINE | re.DOTALL)
VERDICTS = re.compile(r"(has paid: .*|not yet: pays after .*|losing: .*|not known: .*)$")
PLACE = re.compile(r"[\w./-]+\.cpp:\d+")


def masked(line: str) -> str:
    """The line without what differs from run to run: numbers but those of source lines, and widths."""
    places = PLACE.findall(line)
    line = VERDICTS.sub("VERDICT", PLACE.sub("PLACE", line))
    line = re.sub(r"-?\d+(\.\d+)?(e[-+]?\d+)?", "#", line)
    for place in places:
        line = line.replace("PLACE", place, 1)
    return re.sub(r"\s+", " ", line).strip()


def unwrapped(text: str) -> list:
    """Masked lines; one that was broken because it is long is one again, for where it breaks depends on its numbers."""
    lines = []
    for line in text.splitlines():
        if lines and line.startswith("    ") and not re.match(r"\s+(%|\d)", line):
            lines[-1] += " " + masked(line)
        else:
            lines.append(masked(line))
    return lines


def run_session(session: str, commands: dict, folder: pathlib.Path) -> str:
    printed = ""
    environment = {**os.environ, "XDG_RUNTIME_DIR": str(folder), "SWAGE_CACHE": "off"}
    environment.pop("SWAGE_LOG", None)
    for line in session.splitlines():
        if not line.startswith("$ "):
            continue
        words = shlex.split(line[2:])
        done = subprocess.run([commands[words[0]], *words[1:]], cwd=folder, env=environment, text=True, stdout=subprocess.PIPE,
                              stderr=subprocess.STDOUT, timeout=120)
        printed += line + "\n" + done.stdout
    return printed


def main() -> int:
    update = "--update" in sys.argv
    swage, programs, page_path = [argument for argument in sys.argv[1:] if argument != "--update"]
    commands = {"build/bin/swage": os.path.abspath(swage), "build/bin/programs": os.path.abspath(programs)}
    page = pathlib.Path(page_path)
    text = page.read_text()
    wrong = 0
    sections = re.split(r"(?m)^(?=## )", text)
    for number, section in enumerate(sections):
        with tempfile.TemporaryDirectory() as folder:
            for session in BLOCK.findall(section):
                printed = run_session(session, commands, pathlib.Path(folder))
                difference = list(difflib.unified_diff(unwrapped(session), unwrapped(printed), "docs/inspector.md", "printed", "", "", 2))
                if difference and not update:
                    wrong += 1
                    print("\n".join(difference) + "\n\nin full:\n" + printed)
                sections[number] = sections[number].replace(session, printed, 1)
    if update:
        page.write_text("".join(sections))
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
