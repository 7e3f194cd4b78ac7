#!/usr/bin/env python3
"""`swage trace report`: one page, written whole or not at all, and what a browser makes of it."""

import json
import re
import resource
import signal
import subprocess
import unittest

import browser
import command

needs_browser = unittest.skipUnless(browser.executable(), browser.MISSING)


class Report(command.CommandTest):
    def run_workload(self, *arguments):
        self.swage("run", *arguments)

    def report(self):
        page = self.folder / "run.html"
        self.assertIn("run.html", self.swage("trace", "report", "--html", page).stdout)
        return page

    def answer(self, *arguments):
        return json.loads(self.swage("trace", *arguments, "--json").stdout)

    def edited(self, page, script):
        """A copy of the page with one more script at its end."""
        copy = self.folder / "edited.html"
        copy.write_text(page.read_text().replace("</body>", f"<script>{script}</script></body>"))
        return copy

    def look_without_a_word(self, page, *arguments, **flags):
        tree, console = browser.look(page, *arguments, **flags)
        self.assertEqual(console, [])
        return tree

    def assert_shows_everything(self, page):
        tree = self.look_without_a_word(page)
        top = self.answer("top")
        hottest = top["traces"][0]["id"]
        self.assertEqual(len(list(tree.by_id("top").all("tr"))), len(top["traces"]) + 1)

        self.swage("trace", "timeline", "--out", self.folder / "timeline.json")
        events = [event for event in json.loads((self.folder / "timeline.json").read_text())["traceEvents"] if event["ph"] != "M"]
        marks = list(tree.by_id("time-plot").all("rect", "mark"))
        self.assertEqual(sum(int(mark.attributes["data-n"]) for mark in marks), len(events))
        self.assertEqual({mark.classes[1] for mark in marks} & {"compile", "decision", "trouble"},
                         {event["cat"] for event in events} - {"hit"})
        line = next(tree.by_id("balance-plot").all("polyline")).attributes["points"].split()
        self.assertGreater(len(line), 3)

        plans = [plan for plan in self.answer("break-even")["plans"] if plan["gain_us"] != 0 or plan["hits"] > 1]
        drawn = [plot.attributes["data-plan"] for plot in tree.all("svg", "break-even")]
        self.assertEqual(drawn, [plan["plan"] for plan in plans][:12])
        self.assertTrue(drawn)

        section = tree.by_id(hottest)
        self.assertEqual(len(list(section.all("rect", "buffer"))), len(self.answer("memory", hottest)["buffers"]))
        groups = self.answer("fusion", hottest)["groups"]
        self.assertEqual(len(list(section.all("g", "node"))), len(groups))
        self.assertGreater(len(list(section.all("path", "edge"))), len(groups) / 2)
        # The first row of a fusion group's table, the code and the events are made when somebody opens them.
        opened = self.look_without_a_word(self.edited(page, "document.querySelectorAll('.trace[open] .fold').forEach("
                                                            "fold => { fold.open = true; });"
                                                            "setTimeout(() => document.querySelectorAll('.trace[open] .fold .fold').forEach("
                                                            "fold => { fold.open = true; }), 100);"))
        text = opened.by_id(hottest).text
        for part in ("library call", "@group_0(", "define ", "ret", "__global__", "compiled in"):
            self.assertTrue(part in text, part)

    @needs_browser
    def test_digits(self):
        self.run_workload("digits", "--tier", "warm", "--steps", 60)
        self.assert_shows_everything(self.report())

    @needs_browser
    def test_lstm_lm(self):
        self.run_workload("lstm_lm", "--size", "small", "--tier", "warm", "--steps", 60)
        self.assert_shows_everything(self.report())

    @needs_browser
    def test_search(self):
        self.run_workload("digits", "--tier", "warm", "--steps", 20)
        page = self.report()
        traces = {trace["id"]: self.answer("show", trace["id"])["records"] for trace in self.answer("top")["traces"]}
        found = {name: [record for record in records if "matmul" in record["text"]] for name, records in traces.items()}
        tree = self.look_without_a_word(page, "#q=matmul")
        sections = {name: tree.by_id(name) for name in traces}
        self.assertEqual({name for name, section in sections.items() if section.visible}, {name for name in traces if found[name]})
        self.assertTrue(any(not section.visible for section in sections.values()))
        opened = next(name for name, section in sections.items() if "open" in section.attributes and section.visible)
        rows = [row for row in sections[opened].all("tr", "op") if row.visible]
        self.assertEqual([next(row.all("td")).text for row in rows], [f"%{record['record']}" for record in found[opened]])
        self.assertEqual(tree.by_id("found").text.split(",")[0],
                         f"{sum(map(len, found.values()))} ops in {sum(map(bool, found.values()))} traces")
        # Lines are found too, and two words must both be there.
        line = self.answer("why")["causes"][0]["site"]
        tree = self.look_without_a_word(page, f"#q={line}%20missed")
        rows = [row for row in tree.by_id("causes").all("tr") if row.visible][1:]
        self.assertTrue(rows)
        for row in rows:
            self.assertIn(line, row.text)
        nothing = self.look_without_a_word(page, "#q=nowhere%20at%20all")
        self.assertEqual(nothing.by_id("found").text, "0 ops in 0 traces")
        self.assertFalse(any(section.visible for section in nothing.all("details", "trace")))

    @needs_browser
    def test_headings_sort(self):
        self.run_workload("digits", "--tier", "warm", "--steps", 20)
        page = self.edited(self.report(), "document.querySelector('#top th:nth-child(3) button').click();")
        rows = list(self.look_without_a_word(page).by_id("top").all("tr"))[1:]
        ops = [int(list(row.all("td"))[2].text.replace(",", "")) for row in rows]
        self.assertEqual(ops, sorted(ops, reverse=True))
        self.assertEqual(ops, sorted((trace["ops"] for trace in self.answer("top")["traces"]), reverse=True))

    @needs_browser
    def test_light_and_dark(self):
        self.run_workload("seed_rnn", "--tier", "warm", "--steps", 60)
        page = self.edited(self.report(), "document.body.dataset.ground = getComputedStyle(document.body).backgroundColor;")

        def brightness(*flags):
            ground = next(self.look_without_a_word(page, flags=flags).all("body")).attributes["data-ground"]
            return sum(map(int, re.findall(r"\d+", ground)))

        self.assertGreater(brightness(), 600)
        self.assertLess(brightness("--blink-settings=preferredColorScheme=0"), 150)

    @needs_browser
    def test_errors_would_be_seen(self):
        self.run_workload("seed_rnn", "--tier", "warm", "--steps", 60)
        page = self.report()
        for script in ("throw new Error('oh')", "new Image().src = 'http://127.0.0.1:1/x.png'", "fetch('http://127.0.0.1:1/x')"):
            self.assertTrue(browser.look(self.edited(page, script))[1], script)

    def test_nothing_is_fetched(self):
        self.run_workload("seed_rnn", "--tier", "warm", "--steps", 60)
        text = self.report().read_text()
        self.assertIn("default-src 'none'", text)
        for reference in (r"<(script|img|iframe|link|object|embed)[^>]*\b(src|href|data)\s*=\s*[\"']?(?!data:|[\"'])",
                          r"url\(", r"@import", r"\b(fetch|XMLHttpRequest|WebSocket|EventSource|sendBeacon|import)\("):
            found = re.search(reference, text)
            self.assertIsNone(found, reference)

    def hostile_run(self):
        """A run whose program is named like markup, and with bytes that are no text."""
        name = "</script><script>document.title = 'owned'</script><img src=x onerror=owned()>&lt;b&gt;"
        log = self.folder / "hostile.swagelog"
        subprocess.run([name.encode() + b"\xff\xfe", b"run", b"seed_rnn", b"--tier", b"warm", b"--steps", b"60"],
                       executable=command.COMMAND, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
                       env=self.surroundings(SWAGE_LOG=str(log)))
        return name, log

    @needs_browser
    def test_a_hostile_log_is_only_text(self):
        name, log = self.hostile_run()
        page = self.folder / "hostile.html"
        self.swage("trace", "report", "--html", page, log)
        tree = self.look_without_a_word(page)
        self.assertEqual(list(tree.all("img")), [])
        self.assertEqual(len(list(tree.all("script"))), 2)
        self.assertIn(name, next(tree.all("h1")).attributes["title"])
        self.assertIn("onerror=owned()>&lt;b&gt;", next(tree.all("h1")).text)

    def test_bytes_that_are_no_text_are_replaced(self):
        _, log = self.hostile_run()
        self.assertIn("??", json.loads(self.swage("trace", "top", "--json", log).stdout)["command"])

    @needs_browser
    def test_a_run_with_nothing_in_it(self):
        self.run_workload("seed_rnn", "--tier", "eager", "--steps", 1)
        self.assertEqual(self.answer("top")["traces"], [])
        tree = self.look_without_a_word(self.report())
        self.assertIn("has kept no trace", tree.by_id("empty").text)

    def test_names_that_cannot_be_written(self):
        self.run_workload("seed_rnn", "--tier", "warm", "--steps", 60)
        self.assertIn("'-'", self.error_of("trace", "report", "--html", "-"))
        self.assertIn("no folder", self.error_of("trace", "report", "--html", self.folder / "none" / "run.html"))
        self.assertIn("a folder", self.error_of("trace", "report", "--html", self.folder))
        self.assertIn("/dev/null", self.error_of("trace", "report", "--html", "/dev/null"))
        self.assertIn("--html", self.error_of("trace", "report"))

    def test_written_whole_or_not_at_all(self):
        self.run_workload("seed_rnn", "--tier", "warm", "--steps", 60)
        page = self.folder / "run.html"
        page.write_text("what was there")
        before = sorted(self.folder.iterdir())

        def no_room():
            signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
            resource.setrlimit(resource.RLIMIT_FSIZE, (4096, 4096))

        done = subprocess.run([command.COMMAND, "trace", "report", "--html", page], preexec_fn=no_room, capture_output=True,
                              text=True, env=self.surroundings(), cwd=self.folder)
        self.assertEqual(done.returncode, 2, done.stderr)
        self.assertIn("could not be written", done.stderr)
        self.assertEqual(page.read_text(), "what was there")
        self.assertEqual(sorted(self.folder.iterdir()), before)
        self.report()
        self.assertTrue(page.read_text().startswith("<!doctype html>"))


if __name__ == "__main__":
    command.main()
