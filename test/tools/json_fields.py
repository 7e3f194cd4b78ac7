#!/usr/bin/env python3
"""docs/inspector-json.md names every field of every `swage trace COMMAND --json`, with its type: no field more, none less."""

import json
import pathlib
import re
import subprocess

import command

PAGE = pathlib.Path(__file__).parents[2] / "docs" / "inspector-json.md"
TYPES = {str: "string", bool: "boolean", int: "integer", float: "number", type(None): "null"}


def fields_of(value, path=""):
    """Pairs of a field's path and its type. Of objects that are keyed by data (ci's plans), the keys are a star."""
    if isinstance(value, dict):
        for name, part in value.items():
            name = "*" if re.fullmatch(r"[0-9a-f]{16}", name) else name
            yield from fields_of(part, f"{path}.{name}" if path else name)
    elif isinstance(value, list):
        for part in value:
            yield from fields_of(part, f"{path}[]")
    else:
        yield path, TYPES[type(value)]


def documented(page=PAGE):
    """By command: the fields of its table, each with the set of its types."""
    commands = {}
    for heading, body in re.findall(r"^## `(\S+)`\n(.*?)(?=^## |\Z)", page.read_text(), re.MULTILINE | re.DOTALL):
        rows = re.findall(r"^\| `([^`]+)` \| ([^|]+) \| ([^|]+) \|$", body, re.MULTILINE)
        commands[heading] = {field: set(types.strip().split(" or ")) for field, types, _ in rows}
    return commands


class JsonFields(command.CommandTest):
    def setUp(self):
        super().setUp()
        self.swage("run", "digits", "--tier", "warm", "--steps", 60)
        self.seen = {}
        top = self.ask("top")
        self.hottest = top["traces"][0]["id"]
        self.other = top["traces"][1]["id"]

    def ask(self, name, *arguments, code=0):
        printed = self.swage("trace", name, *arguments, "--json", code=code).stdout
        self.assertEqual(printed.count("\n"), 1, name)
        answer = json.loads(printed)
        for field, kind in fields_of(answer):
            self.seen.setdefault(name, {}).setdefault(field, set()).add(kind)
        return answer

    def commands_with_json(self):
        listed = re.findall(r"^  ([a-z-]+) ", self.swage("trace", "--help").stdout.split("Subcommands:")[1].split("Examples")[0], re.MULTILINE)
        return {name for name in listed if "--json" in self.swage("trace", name, "--help").stdout}

    def test_every_field_is_documented_and_every_documented_field_is_there(self):
        for name in ("why", "lost", "break-even", "check"):
            self.ask(name)
        for name in ("show", "map", "fusion", "memory", "ir", "replay"):
            self.ask(name, self.hottest)
        self.ask("diff", self.hottest, self.other)
        baseline = self.folder / "plans.json"
        self.swage("trace", "ci", "--baseline", baseline, "--update")
        baseline.write_text(json.dumps({**json.loads(baseline.read_text()), "misses": 0}))
        self.ask("ci", "--baseline", baseline, code=1)

        # A program that needs advice, of test/inspector/.
        programs = pathlib.Path(command.COMMAND).parent / "programs"
        subprocess.run([programs, "host_read_in_loop"], env=self.surroundings(SWAGE_LOG=str(self.folder / "ill")), check=True, timeout=120)
        self.ask("advice", self.folder / "ill")

        pages = documented()
        self.assertEqual(set(pages), self.commands_with_json())
        self.assertEqual(set(self.seen), set(pages))
        for name, fields in self.seen.items():
            with self.subTest(command=name):
                self.assertEqual(sorted(set(fields) - set(pages[name])), [], "not documented")
                self.assertEqual(sorted(set(pages[name]) - set(fields)), [], "documented, but never seen")
                for field, types in fields.items():
                    # What may be nothing need not be nothing here.
                    self.assertLessEqual(types, pages[name][field], field)
                    self.assertLessEqual(pages[name][field] - types, {"null"}, field)


if __name__ == "__main__":
    command.main()
