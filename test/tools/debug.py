#!/usr/bin/env python3
"""SWAGE_DEBUG=1…4: what the engine decides, on stderr while the program runs; each level has those before it."""

import re

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

    def test_other_levels_are_named(self):
        for level in ("5", "all", "11", "-1"):
            done = self.swage("run", "seed_rnn", "--steps", 5, SWAGE_DEBUG=level)
            self.assertIn(f"SWAGE_DEBUG is '{level}', which is none of 1 (trouble)", done.stderr)


if __name__ == "__main__":
    command.main()
