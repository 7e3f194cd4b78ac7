"""Compares docs/dynamic.md with the programs that it shows: `page.py DYNAMIC PAGE`. Each ```cpp block must stand in the file that the page
names above it, line for line, and each ```console block must be what the program prints."""

import os
import pathlib
import re
import subprocess
import sys

BLOCK = re.compile(r"^`(test/dynamic/\w+\.cpp)`[^\n]*\n\n```cpp\n(.*?)^```$", re.MULTILINE | re.DOTALL)
SESSION = re.compile(r"(?<=^```console\n).*?(?=^```$)", re.MULTILINE | re.DOTALL)


def main() -> int:
    dynamic, page_path = sys.argv[1:]
    page = pathlib.Path(page_path).read_text()
    root = pathlib.Path(page_path).parent.parent
    problems = []
    blocks, sessions = BLOCK.findall(page), SESSION.findall(page)
    for name, code in blocks:
        source = [line.strip() for line in (root / name).read_text().splitlines()]
        wanted = [line.strip() for line in code.splitlines()]
        if not any(source[i:i + len(wanted)] == wanted for i in range(len(source))):
            problems.append(f"{name} has no such lines as the page shows:\n{code}")
    for session in sessions:
        command, _, expected = session.partition("\n")
        words = command.split()
        if words[:2] != ["$", "build/bin/dynamic"]:
            problems.append(f"not a command of the page's: {command}")
            continue
        environment = {**os.environ, "SWAGE_CACHE": "off", "SWAGE_LOG": "off"}
        done = subprocess.run([dynamic, *words[2:]], env=environment, text=True, capture_output=True, timeout=120)
        if done.stdout != expected or done.returncode != 0:
            problems.append(f"{command}\nprints\n{done.stdout}{done.stderr}in place of\n{expected}")
    print("\n".join(problems) or f"{len(blocks)} pieces and {len(sessions)} sessions are as the page has them")
    return 1 if problems or not blocks or not sessions else 0


if __name__ == "__main__":
    sys.exit(main())
