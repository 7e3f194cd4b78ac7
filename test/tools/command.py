"""Runs the `swage` command for the tests beside this file. The first argument of a test is the path of the command."""

import os
import pathlib
import subprocess
import sys
import tempfile
import unittest

COMMAND = None
COLUMNS = 100
SANITIZED = "ASAN_OPTIONS" in os.environ  # tools/dev sets it for sanitized builds


class CommandTest(unittest.TestCase):
    """Every test has a folder of its own, where runs leave their logs."""

    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = pathlib.Path(folder.name)

    def swage(self, *arguments, code=0, **environment):
        """The finished process of `swage ARGUMENTS…`, which must end with this exit code."""
        done = subprocess.run([COMMAND, *map(str, arguments)], cwd=self.folder, env=self.surroundings(**environment), text=True,
                              capture_output=True, timeout=300)
        self.assertEqual(done.returncode, code, f"{arguments}\n{done.stdout}\n{done.stderr}")
        return done

    def surroundings(self, **environment):
        """The environment of a command: nothing of it is the user's."""
        surroundings = {**os.environ, "XDG_RUNTIME_DIR": str(self.folder),
                        "SWAGE_CACHE": str(self.folder / "cache"), **environment}
        if "SWAGE_LOG" not in environment:
            surroundings.pop("SWAGE_LOG", None)
        if "SWAGE_DATA" not in environment:
            surroundings.pop("SWAGE_DATA", None)
        return surroundings

    def error_of(self, *arguments, **environment):
        """The one line on stderr of a call that is refused."""
        done = self.swage(*arguments, code=2, **environment)
        self.assertEqual(done.stdout, "")
        self.assertEqual(done.stderr.count("\n"), 1, done.stderr)
        return done.stderr

    def assert_fits(self, text):
        for line in text.splitlines():
            self.assertLessEqual(len(line), COLUMNS, line)


def main():
    global COMMAND
    COMMAND = str(pathlib.Path(sys.argv.pop(1)).resolve())
    unittest.main(module="__main__")
