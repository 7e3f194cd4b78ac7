#!/usr/bin/env python3
"""Colour is for terminals: a pipe, a file, NO_COLOR and --json never see any, and it changes no word."""

import json
import os
import pty
import re
import subprocess

import command

COLOUR = re.compile(r"\x1b\[[0-9;]*m")


class Colour(command.CommandTest):
    def on_a_terminal(self, *arguments, code=0, **environment):
        """What `swage ARGUMENTS…` writes to a terminal."""
        surroundings = {**self.surroundings(), "TERM": "xterm-256color", **environment}
        if "NO_COLOR" not in environment:
            surroundings.pop("NO_COLOR", None)
        terminal, other_end = pty.openpty()
        process = subprocess.Popen([command.COMMAND, *map(str, arguments)], stdout=other_end, stderr=subprocess.PIPE, cwd=self.folder,
                                   env=surroundings)
        os.close(other_end)
        written = b""
        while True:
            try:
                part = os.read(terminal, 65536)
            except OSError:  # the other end was closed
                break
            if not part:
                break
            written += part
        os.close(terminal)
        error = process.stderr.read().decode()
        process.stderr.close()
        self.assertEqual(process.wait(), code, error)
        return written.decode().replace("\r\n", "\n")

    def test_on_a_terminal_only(self):
        self.swage("run", "digits", "--tier", "warm", "--steps", 60)
        hottest = json.loads(self.swage("trace", "top", "--json").stdout)["traces"][0]["id"]
        for arguments in (["top"], ["show", hottest], ["why"], ["lost"], ["break-even"], ["fusion", hottest], ["memory", hottest],
                          ["map", hottest], ["diff", hottest, "t1"], ["check", hottest]):
            plain = self.swage("trace", *arguments).stdout
            self.assertNotIn("\x1b", plain, arguments)
            coloured = self.on_a_terminal("trace", *arguments)
            self.assertRegex(coloured, COLOUR, arguments)
            self.assertEqual(COLOUR.sub("", coloured), plain, arguments)
        for environment in ({"NO_COLOR": "1"}, {"TERM": "dumb"}):
            self.assertNotIn("\x1b", self.on_a_terminal("trace", "top", **environment))
        self.assertIn("\x1b", self.on_a_terminal("trace", "top", NO_COLOR=""))
        self.assertNotIn("\x1b", self.on_a_terminal("trace", "top", "--json"))

    def test_ids_headings_gains_and_losses(self):
        self.swage("run", "digits", "--tier", "warm", "--steps", 60)
        top = self.on_a_terminal("trace", "top")
        traces = json.loads(self.swage("trace", "top", "--json").stdout)["traces"]
        self.assertRegex(top, r"\x1b\[1m +trace .*state\x1b\[0m\n")
        for trace in traces[:3]:
            self.assertIn(f"\x1b[36m{trace['id']}\x1b[0m ", top)
        for trace in traces:
            if trace["speed_up"] > 0:
                colour = 32 if round(trace["speed_up"], 2) >= 1 else 31
                self.assertIn(f"\x1b[{colour}m{trace['speed_up']:.2f}x\x1b[0m", top)
        hottest = traces[0]["id"]
        self.assertIn("\x1b[32msame\x1b[0m", self.on_a_terminal("trace", "check", hottest))
        self.assertIn("\x1b[31mdiffers\x1b[0m", self.on_a_terminal("trace", "check", hottest, "--plant", "tail", code=1))

    def test_a_log_gives_the_terminal_no_orders(self):
        log = self.folder / "hostile.swagelog"
        subprocess.run([b"\x1b]0;owned\x07\x1b[2J", b"run", b"seed_rnn", b"--tier", b"warm", b"--steps", b"60"],
                       executable=command.COMMAND, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
                       env=self.surroundings(SWAGE_LOG=str(log)))
        for written in (self.swage("trace", "top", log).stdout, COLOUR.sub("", self.on_a_terminal("trace", "top", log))):
            self.assertIn("?]0;owned??[2J", written)
            self.assertNotIn("\x1b", written)


if __name__ == "__main__":
    command.main()
