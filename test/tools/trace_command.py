#!/usr/bin/env python3
"""`swage trace`: what a run leaves in its event log, and how it is read."""

import json
import shutil
import struct
import subprocess
import time

import command


class TraceCommand(command.CommandTest):
    def warm_run(self, **environment):
        self.swage("run", "seed_rnn", "--tier", "warm", "--steps", 60, **environment)

    def hottest(self, *run):
        return json.loads(self.swage("trace", "top", "--json", *run).stdout)["traces"][0]

    def test_top_shows_the_latest_run(self):
        self.warm_run()
        trace = self.hottest()
        self.assertRegex(trace["id"], r"^t\d+$")
        self.assertGreaterEqual(trace["hits"], 60)
        self.assertGreater(trace["runs"], trace["hits"])
        self.assertEqual(trace["ops"], 16)
        table = self.swage("trace", "top").stdout
        self.assert_fits(table)
        self.assertIn(trace["id"], table)

    def test_a_run_may_be_named_by_process_or_file(self):
        self.warm_run()
        file, = (self.folder / "swage").glob("run-*.swagelog")
        pid = file.stem.removeprefix("run-")
        self.assertEqual(self.hottest(pid), self.hottest())
        self.assertEqual(self.hottest(file), self.hottest())

    def test_log_goes_where_swage_log_says(self):
        file = self.folder / "here.swagelog"
        self.warm_run(SWAGE_LOG=str(file))
        self.assertTrue(file.is_file())
        self.assertFalse((self.folder / "swage").exists())
        self.assertGreater(self.hottest(file)["runs"], 0)

    def test_log_can_be_turned_off(self):
        self.warm_run(SWAGE_LOG="off")
        self.assertFalse((self.folder / "swage").exists())

    def test_show_prints_records_and_events(self):
        # Few steps: the log keeps the latest events, and every hit is one.
        self.swage("run", "digits", "--tier", "warm", "--steps", 20)
        shown = self.swage("trace", "show", self.hottest()["id"]).stdout
        for part in ("trace {", "= conv2d(", "= matmul(", "escapes", "compiled", "adopted"):
            self.assertIn(part, shown)

    def test_ir_at_every_stage(self):
        self.warm_run()
        identity = self.hottest()["id"]
        for stage, part in (("record", "matmul"), ("mlir", "func"), ("llvm", "define"), ("asm", "ret")):
            self.assertIn(part, self.swage("trace", "ir", identity, f"--stage={stage}").stdout, stage)

    def test_ir_for_the_gpu_names_what_lowers_and_what_does_not(self):
        self.warm_run()
        identity = self.hottest()["id"]
        source = self.swage("trace", "ir", identity, "--stage=cuda").stdout
        self.assertRegex(source, r"// group \d+: .*%\d+ tanh.* — group_0\n")
        self.assertRegex(source, r"// group \d+: %\d+ matmul — not lowered: .+\n")
        self.assertIn("__global__", source)
        missing = str(self.folder / "libnvrtc.so")
        self.assertIn(missing, self.error_of("trace", "ir", identity, "--stage=ptx", SWAGE_NVRTC=missing))

    def test_unknown_traces_and_runs_are_refused_with_the_place(self):
        self.assertIn(str(self.folder / "swage"), self.error_of("trace", "top"))
        self.warm_run()
        file, = (self.folder / "swage").glob("run-*.swagelog")
        self.assertIn(str(file), self.error_of("trace", "show", "t4711"))
        self.assertIn("t17", self.error_of("trace", "show", "chain"))
        self.assertIn(str(self.folder / "swage" / "run-nope.swagelog"), self.error_of("trace", "top", "nope"))
        self.assertIn("did you mean 'llvm'", self.error_of("trace", "ir", self.hottest()["id"], "--stage=lvm"))

    def test_files_that_are_no_logs_are_refused(self):
        file = self.folder / "x.swagelog"
        for content in (b"", b"{}\n", b"garbage\n" * 100, b"SWAGELOG"):
            file.write_bytes(content)
            self.assertIn("not a run's log", self.error_of("trace", "top", file), content)
        self.warm_run(SWAGE_LOG=str(file))
        log = bytearray(file.read_bytes())
        log[8] = 99
        file.write_bytes(log)
        self.assertIn("version 99", self.error_of("trace", "top", file))

    def test_a_run_is_read_while_it_goes_on_and_after_it_was_killed(self):
        log = self.folder / "live.swagelog"
        run = subprocess.Popen([command.COMMAND, "run", "digits", "--tier", "warm", "--seconds", "60"], stdout=subprocess.DEVNULL,
                               stderr=subprocess.DEVNULL, env=self.surroundings(SWAGE_LOG=str(log)))
        try:
            deadline = time.monotonic() + 60
            hits = 0
            while hits < 20 and time.monotonic() < deadline:
                time.sleep(0.2)
                if log.is_file():
                    live = json.loads(self.swage("trace", "top", "--json", log).stdout)
                    hits = max((trace["hits"] for trace in live["traces"]), default=0)
            self.assertEqual(live["state"], "running")
            self.assertGreaterEqual(hits, 20)
        finally:
            run.kill()
            run.wait()
        killed = json.loads(self.swage("trace", "top", "--json", log).stdout)
        self.assertEqual(killed["state"], "killed")
        self.assertGreaterEqual(max(trace["hits"] for trace in killed["traces"]), hits)
        self.assertIn("digits.cpp", self.swage("trace", "why", log).stdout)

    def test_why_names_the_field_and_the_line(self):
        self.swage("run", "digits", "--tier", "warm", "--steps", 20)
        words = self.swage("trace", "why").stdout
        self.assert_fits(words)
        self.assertIn("extent of operand 0 along dimension 0", words)
        self.assertRegex(words, r"at digits\.cpp:\d+")
        causes = json.loads(self.swage("trace", "why", "--json").stdout)["causes"]
        traces = json.loads(self.swage("trace", "top", "--json").stdout)["traces"]
        misses = {trace["id"]: sum(cause["count"] for cause in causes
                                   if cause["event"] == "missed" and cause["trace"] == trace["id"]) for trace in traces}
        self.assertEqual({trace["id"]: trace["misses"] for trace in traces}, misses)
        self.assertGreater(max(misses.values()), 0)
        cause = causes[0]
        self.assertEqual(set(cause), {"id", "event", "count", "trace", "position", "what", "why", "site"})
        one = json.loads(self.swage("trace", "why", cause["id"], "--json").stdout)["causes"]
        self.assertEqual([cause["what"]], [entry["what"] for entry in one])
        self.assertIn("there is no event m999999", self.error_of("trace", "why", "m999999"))

    def test_diff_marks_the_first_difference(self):
        self.swage("run", "digits", "--tier", "warm", "--steps", 20)
        traces = json.loads(self.swage("trace", "top", "--json").stdout)["traces"]
        a, b = sorted((trace for trace in traces if trace["hits"]), key=lambda trace: trace["ops"])[-2:]
        text = self.swage("trace", "diff", a["id"], b["id"]).stdout
        self.assert_fits(text)
        self.assertEqual(sum(line.startswith(">>") for line in text.splitlines()), 1)
        rows = json.loads(self.swage("trace", "diff", a["id"], b["id"], "--json").stdout)["rows"]
        self.assertGreaterEqual(len(rows), b["records"])
        same = json.loads(self.swage("trace", "diff", a["id"], a["id"], "--json").stdout)
        self.assertEqual(same["first_difference"], "the traces are equal")

    def test_what_else_is_told_of_a_trace(self):
        self.swage("run", "digits", "--tier", "warm", "--steps", 60)
        identity = self.hottest()["id"]
        for name in ("fusion", "memory"):
            self.assert_fits(self.swage("trace", name, identity).stdout)
        fusion = json.loads(self.swage("trace", "fusion", identity, "--json").stdout)
        self.assertGreater(fusion["saved_bytes"], 0)
        self.assertIn("library", {group["kind"] for group in fusion["groups"]})
        memory = json.loads(self.swage("trace", "memory", identity, "--json").stdout)
        self.assertEqual(memory["peak_bytes"], max(memory["live_bytes"]))
        self.assertLessEqual(memory["peak_bytes"], memory["arena_bytes"])
        dot = self.swage("trace", "graph", identity, "--dot").stdout
        self.assertTrue(dot.startswith("digraph"))
        self.assertGreaterEqual(dot.count("subgraph cluster_"), len(fusion["groups"]))
        if shutil.which("dot"):
            self.assertIn("<svg", self.swage("trace", "graph", identity, "--svg").stdout)

    def test_check_finds_a_wrong_plan(self):
        self.swage("run", "digits", "--tier", "warm", "--steps", 60)
        good = json.loads(self.swage("trace", "check", "--json").stdout)["traces"]
        self.assertTrue(good)
        self.assertEqual({trace["state"] for trace in good}, {"same"})
        identity = self.hottest()["id"]
        bad = json.loads(self.swage("trace", "check", identity, "--json", "--plant", "tail", code=1).stdout)["traces"][0]
        self.assertEqual(bad["state"], "differs")
        self.assertRegex(bad["op"], r"^%\d+ = ")
        self.assertRegex(bad["group"], r"^group \d+ \(loop\)")
        self.assertRegex(bad["site"], r"\.cpp:\d+$")
        self.assert_fits(self.swage("trace", "check", identity, "--plant", "tail", code=1).stdout)
        self.assertEqual(len(list((self.folder / "swage").iterdir())), 1)  # looking leaves no log

    def test_map_goes_both_ways(self):
        self.swage("run", "digits", "--tier", "warm", "--steps", 60)
        identity = self.hottest()["id"]
        self.assert_fits(self.swage("trace", "map", identity).stdout)
        places = json.loads(self.swage("trace", "map", identity, "--json").stdout)["places"]
        self.assertEqual({"loop", "library"}, {place["kind"] for place in places} - {"none"})
        loop = next(place for place in places if place["kind"] == "loop")
        code = self.swage("trace", "ir", identity, "--stage=asm").stdout
        self.assertIn(loop["code"] + ":", code)
        back = json.loads(self.swage("trace", "map", loop["site"], "--json").stdout)["places"]
        self.assertIn(loop, back)
        self.assertIn("nowhere.cpp:1", self.error_of("trace", "map", "nowhere.cpp:1"))

    def test_ci_holds_a_run_against_a_baseline(self):
        self.swage("run", "digits", "--tier", "warm", "--steps", 60)
        baseline = self.folder / "plans.json"
        self.assertIn("--update", self.error_of("trace", "ci", "--baseline", baseline))
        self.swage("trace", "ci", "--baseline", baseline, "--update")
        self.assertIn("nothing is worse", self.swage("trace", "ci", "--baseline", baseline).stdout)
        before = json.loads(baseline.read_text())
        for change in ({"misses": 0}, {"compiles": 0, "assembled": 0},
                       {"plans": {key: {**plan, "groups": 1} for key, plan in before["plans"].items()}},
                       {"plans": {key: {**plan, "plan_us": plan["plan_us"] / 100} for key, plan in before["plans"].items()}}):
            baseline.write_text(json.dumps({**before, **change}))
            worse = self.swage("trace", "ci", "--baseline", baseline, code=1).stdout
            self.assertIn("worse: ", worse, change)
            self.assert_fits(worse)
            self.assertTrue(json.loads(self.swage("trace", "ci", "--baseline", baseline, "--json", code=1).stdout)["regressions"])
        baseline.write_text("{}")
        self.assertIn("is no baseline", self.error_of("trace", "ci", "--baseline", baseline))

    def test_help_has_an_example_of_each(self):
        help = self.swage("help", "trace").stdout
        self.assert_fits(help)
        for name in ("top", "show", "why", "diff", "ir", "map", "fusion", "lost", "break-even", "memory", "graph", "timeline",
                     "replay", "check", "report", "ci", "advice"):
            self.assertIn(f"  swage trace {name} ", help.replace("\n", " \n"), name)
        self.assertIn("did you mean 'trace'", self.error_of("help", "trase"))

    def test_replay_times_both_tiers(self):
        self.swage("run", "seed_rnn", "--tier", "warm", "--steps", 60)
        identity = self.hottest()["id"]
        both = json.loads(self.swage("trace", "replay", identity, "--times", 20, "--json").stdout)
        self.assertGreater(both["eager_us"], 0)
        self.assertGreater(both["compiled_us"], 0)
        self.assertNotIn("compiled_us", json.loads(self.swage("trace", "replay", identity, "--tier", "eager", "--json").stdout))
        self.assertIn("did you mean 'eager'", self.error_of("trace", "replay", identity, "--tier", "egaer"))

    def test_the_inputs_of_a_replay_may_be_stored(self):
        self.swage("run", "digits", "--tier", "warm", "--steps", 60)
        identity = self.hottest()["id"]
        file = self.folder / "inputs.safetensors"
        self.swage("trace", "replay", identity, "--times", 2, "--save-inputs", file)
        size = struct.unpack("<Q", file.read_bytes()[:8])[0]
        header = json.loads(file.read_bytes()[8:8 + size])
        self.assertTrue(header and all(name.startswith("%") for name in header), header)
        self.swage("trace", "replay", identity, "--times", 2, "--inputs", file)
        again = self.folder / "again.safetensors"
        self.swage("trace", "replay", identity, "--times", 2, "--inputs", file, "--save-inputs", again)
        self.assertEqual(file.read_bytes(), again.read_bytes())
        # Inputs of another trace.
        text = json.dumps({"%9999": {"dtype": "F32", "shape": [1], "data_offsets": [0, 4]}}).encode()
        file.write_bytes(struct.pack("<Q", len(text)) + text + bytes(4))
        self.assertIn("this trace has no input %9999", self.error_of("trace", "replay", identity, "--inputs", file))
        self.assertIn("missing.safetensors", self.error_of("trace", "replay", identity, "--inputs", self.folder / "missing.safetensors"))

    def test_what_is_told_of_a_run(self):
        self.swage("run", "digits", "--tier", "warm", "--steps", 60)
        for name in ("lost", "break-even"):
            self.assert_fits(self.swage("trace", name).stdout)
        plans = json.loads(self.swage("trace", "break-even", "--json").stdout)["plans"]
        self.assertTrue(any(plan["cost_ms"] > 0 for plan in plans))
        self.assertIn("lost", json.loads(self.swage("trace", "lost", "--json").stdout))
        out = self.folder / "timeline.json"
        self.swage("trace", "timeline", "--out", out)
        events = json.loads(out.read_text())["traceEvents"]
        self.assertTrue({"M", "X", "i"} <= {event["ph"] for event in events})
        self.assertTrue(any(event["ph"] == "X" and event["cat"] == "compile" for event in events))


if __name__ == "__main__":
    command.main()
