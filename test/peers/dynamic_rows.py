#!/usr/bin/env python3
"""The rows of dynamic workloads that `bench/peers/dynamic.py` measures, with scripts in place of Swage and of its peers."""

import contextlib
import io
import json
import os
import pathlib
import sys
import tempfile
import types
import unittest
from unittest import mock

PEERS = pathlib.Path(__file__).resolve().parents[2] / "bench" / "peers"
sys.path.insert(0, str(PEERS))
import compare  # noqa: E402
import dynamic  # noqa: E402

LOSSES = [126.0, 120.0, 125.0]
CALL = 'echo "$0 $* PYTHONPATH=$PYTHONPATH" >> "{log}"\n'


class DynamicRows(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = pathlib.Path(folder.name)
        self.log = self.folder / "calls"
        self.data = self.folder / "data"
        for case in dynamic.CASES.values():
            if case.data:
                (self.data / case.data).parent.mkdir(parents=True, exist_ok=True)
                (self.data / case.data).touch()
        # Every program of a peer is run by this "Python", which prints the file of the program's name and options.
        self.script(self.folder / "peers" / "bin" / "python", 'name=$(basename "$1" _torch.py)\n'
                    f'for word in "$@"; do case $word in --compile|--no-autobatch) name=$name$word;; esac; done\ncat "{self.folder}/$name"\n')

    def script(self, path, body):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("#!/bin/sh\n" + CALL.format(log=self.log) + body)
        path.chmod(0o755)

    def swage(self, report):
        (self.folder / "swage.json").write_text(json.dumps(report) + "\n")
        self.script(self.folder / "bin" / "swage", f'echo "a first line"\ncat "{self.folder}/swage.json"\n')

    def peer(self, name, report):
        (self.folder / name).write_text(json.dumps(report) + "\n")

    def measure(self, name, packages=("torch", "jax", "dynet"), rounds=3):
        arguments = types.SimpleNamespace(build=self.folder, threads=1, seconds=0.5, rounds=rounds)
        self.said = io.StringIO()
        with contextlib.redirect_stderr(self.said):
            return dynamic.measure(name, arguments, self.folder / "peers", self.data, packages)

    def cells(self, row):
        return [dict(zip(dynamic.HEADER, line)) for line in dynamic.lines_of(row)]

    def calls(self):
        return self.log.read_text().splitlines()

    def trees(self, losses, units=64):
        """Swage's report of one step of so many units, and DyNet's with and without autobatching."""
        self.swage({"units_per_s": 2000.0, "step_us": {"p50": units / 2000 * 1e6}, "first_losses": [60.0 * units]})
        self.peer("treelstm_dynet.py", {"units_per_s": 1600, "first_losses": [losses], "first_units": units, "version": "2.2"})
        self.peer("treelstm_dynet.py--no-autobatch", {"units_per_s": 800, "first_losses": [losses], "first_units": units})

    def test_two_passes_are_two_rows_and_less_is_better(self):
        self.swage({"first_pass_ms": 0.4, "later_pass_ms": 0.3, "first_losses": LOSSES})
        self.peer("varlen", {"first_pass_ms": 3.2, "later_pass_ms": 3.0, "first_losses": LOSSES})
        self.peer("varlen--compile", {"first_pass_ms": 990, "later_pass_ms": 1.0, "first_losses": LOSSES})
        first, second = self.cells(self.measure("varlen"))
        self.assertEqual((first["dynamic"], first["best peer"], first["swage / best"]), ("varlen, first pass", "torch", "0.12"))
        self.assertEqual((second["best peer"], second["swage / best"], second["dynet"]), ("torch.compile", "0.30", "–"))
        self.assertEqual(sum("--compile" in call for call in self.calls()), 1)  # it takes minutes
        self.assertIn("jax does not run", self.said.getvalue())

    def test_more_sentences_a_second_are_better(self):
        self.trees(3900)
        row = self.measure("treelstm --bulk 64")
        cells, = self.cells(row)
        self.assertEqual((cells["dynet"], cells["dynet autobatch"], cells["best peer"]), ("800", "1,600", "dynet autobatch"))
        self.assertEqual((cells["swage"], cells["swage / best"], cells["wanted"]), ("2,000", "1.25", "2.70"))
        self.assertEqual(len(row["runs"]["swage"]), 3)
        self.assertEqual(row["versions"]["dynet autobatch"], "2.2")

    def test_dynet_has_a_numpy_of_its_own_and_others_do_not(self):
        self.trees(3900)
        with mock.patch.dict(os.environ):
            os.environ.pop("PYTHONPATH", None)
            self.measure("treelstm --bulk 64", rounds=1)
        for call in self.calls():
            self.assertEqual(call.endswith(f"PYTHONPATH={self.folder / 'peers' / 'dynet'}"), "treelstm_dynet.py" in call, call)

    def test_data_are_named_to_every_program(self):
        self.trees(3900)
        self.measure("treelstm --bulk 64", rounds=1)
        self.assertTrue(all(str(self.data) in call for call in self.calls()), self.calls())

    def test_rounds_alternate(self):
        self.trees(3900)
        self.measure("treelstm", rounds=2)
        of = lambda call: "swage" if "bin/swage" in call else "dynet" if "--no-autobatch" in call else "autobatch"
        self.assertEqual([of(call) for call in self.calls()], ["dynet", "autobatch", "swage", "swage", "autobatch", "dynet"])

    def test_other_initial_values_may_lose_about_as_much(self):
        self.trees(60 * 64 * 1.2)
        self.assertNotIn("refused", self.measure("treelstm --bulk 64"))
        self.trees(60 * 64 * 1.5)
        self.assertIn("dynet begins with", self.measure("treelstm --bulk 64")["refused"])

    def test_a_single_tree_is_not_compared(self):
        self.trees(1.0, units=1)
        self.assertFalse(self.measure("treelstm")["compared"])

    def test_same_values_lose_the_same(self):
        self.swage({"first_pass_ms": 0.4, "later_pass_ms": 0.3, "first_losses": LOSSES})
        self.peer("varlen", {"first_pass_ms": 3.2, "later_pass_ms": 3.0, "first_losses": [126.0, 120.1, 125.0]})
        row = self.measure("varlen")
        self.assertIn("torch begins with", row["refused"])
        self.assertIn("refused", self.cells(row)[0]["unit"])

    def test_a_peer_that_is_missing_leaves_its_column_empty(self):
        self.trees(3900)
        cells, = self.cells(self.measure("treelstm --bulk 64", packages=()))
        self.assertEqual((cells["dynet"], cells["best peer"], cells["swage / best"]), ("–", "–", "–"))

    def test_a_row_without_data_is_skipped_with_a_message(self):
        for data in (None, self.folder / "elsewhere"):
            said = io.StringIO()
            with contextlib.redirect_stderr(said):
                self.assertFalse(dynamic.available("tagger", data))
                self.assertTrue(dynamic.available("varlen", data))
            self.assertIn("tagger: skipped", said.getvalue())

    def test_the_command_prints_the_second_table_and_keeps_its_rows(self):
        self.trees(3900)
        kept = self.folder / "rows"
        command = ["compare.py", "--build", str(self.folder), "--data", str(self.data), "--rounds", "1", "--append", str(kept)]

        def printed(*words):
            out = io.StringIO()
            with mock.patch.object(sys, "argv", [*command, *words]), contextlib.redirect_stdout(out), \
                 mock.patch.object(compare, "installed_peers", lambda folder: []), \
                 mock.patch.object(compare, "installed_dynet", lambda folder: True):
                self.assertEqual(compare.main(), 0)
            return out.getvalue()

        measured = printed("treelstm --bulk")
        self.assertIn("| treelstm --bulk 64 |", measured)
        self.assertIn("| dynet autobatch |", measured)
        self.assertNotIn("µs a step", measured)
        self.assertEqual(printed("--table", str(kept)), measured)


if __name__ == "__main__":
    unittest.main()
