#!/usr/bin/env python3
"""SWAGE_DEBUG=1…4: what the engine decides, on stderr while the program runs; each level has those before it."""

import os
import re
import subprocess
import time

import command

LINE = re.compile(r"^swage +\d+\.\d{3} ms  (\w+): ")


class Debug(command.CommandTest):
    def kinds_at(self, level, *run):
        """The kinds of events that are shown, and all that is."""
        shown = self.swage(*run, SWAGE_DEBUG=level, SWAGE_CACHE="off").stderr
        return {match.group(1) for match in map(LINE.match, shown.splitlines()) if match}, shown

    def test_each_level_shows_more(self):
        run = ("run", "digits", "--tier", "warm", "--steps", 300)
        one, _ = self.kinds_at("1", *run)
        two, losses = self.kinds_at("2", *run)
        three, _ = self.kinds_at("3", *run)
        four, everything = self.kinds_at("4", *run)
        self.assertLessEqual(one, {"remark", "failed", "refused", "shelved", "storm", "evicted"})
        self.assertIn("missed", two)
        self.assertRegex(losses, r"missed: a window .*; at \w+\.cpp:\d+")
        self.assertLessEqual({"missed", "kept", "requested", "compiled", "adopted"}, three)
        self.assertNotIn("hit", three)
        self.assertIn("hit", four)
        self.assertIn("trace {\n  %0 = ", everything)

    def test_without_it_nothing_is_shown(self):
        run = ("run", "seed_rnn", "--tier", "cold", "--steps", 200)
        for level in ("", "0"):
            self.assertNotIn("swage ", self.swage(*run, SWAGE_DEBUG=level).stderr)

    def test_it_shows_the_same_without_a_log(self):
        kinds, _ = self.kinds_at("4", "run", "digits", "--tier", "warm", "--steps", 300)
        without = self.swage("run", "digits", "--tier", "warm", "--steps", 300, SWAGE_DEBUG="4", SWAGE_LOG="off", SWAGE_CACHE="off").stderr
        self.assertLessEqual({"missed", "compiled", "hit"}, {match.group(1) for match in map(LINE.match, without.splitlines()) if match})
        self.assertIn("hit", kinds)

    def test_a_closed_stderr_harms_neither_the_program_nor_its_log(self):
        log = self.folder / "closed.swagelog"
        for level in ("", "4"):
            done = subprocess.run([command.COMMAND, "run", "seed_rnn", "--tier", "warm", "--steps", "200"], stdout=subprocess.DEVNULL, timeout=120,
                                  env=self.surroundings(SWAGE_DEBUG=level, SWAGE_LOG=str(log)), preexec_fn=lambda: os.close(2))
            self.assertEqual(done.returncode, 0)
            top = self.swage("trace", "top", log)
            self.assertEqual(top.stderr, "")
            self.assertIn("run seed_rnn", top.stdout)

    def test_a_log_that_is_damaged_meanwhile_does_not_end_the_program(self):
        log = self.folder / "damaged.swagelog"
        run = subprocess.Popen([command.COMMAND, "run", "seed_rnn", "--tier", "warm", "--seconds", "2"], stdout=subprocess.DEVNULL,
                               stderr=subprocess.DEVNULL, env=self.surroundings(SWAGE_DEBUG="4", SWAGE_LOG=str(log)))
        while not log.exists() and run.poll() is None:
            time.sleep(0.01)
        with open(log, "r+b") as file:
            file.seek(20)
            file.write(b"X")
        self.assertEqual(run.wait(timeout=120), 0)

    def test_other_levels_are_named(self):
        for level in ("5", "all", "11", "-1"):
            done = self.swage("run", "seed_rnn", "--steps", 5, SWAGE_DEBUG=level)
            self.assertIn(f"SWAGE_DEBUG is '{level}', which is none of 1 (trouble)", done.stderr)


if __name__ == "__main__":
    command.main()
