#!/usr/bin/env python3
"""`swage trace`: what a run leaves in its event log, and how it is read."""

import json

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
        self.assertEqual(trace["ops"], 18)
        table = self.swage("trace", "top").stdout
        self.assert_fits(table)
        self.assertIn(trace["id"], table)

    def test_a_run_may_be_named_by_process_or_file(self):
        self.warm_run()
        file, = (self.folder / "swage").glob("run-*.jsonl")
        pid = file.stem.removeprefix("run-")
        self.assertEqual(self.hottest(pid), self.hottest())
        self.assertEqual(self.hottest(file), self.hottest())

    def test_log_goes_where_swage_log_says(self):
        file = self.folder / "here.jsonl"
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
        file, = (self.folder / "swage").glob("run-*.jsonl")
        self.assertIn(str(file), self.error_of("trace", "show", "t4711"))
        self.assertIn("t17", self.error_of("trace", "show", "chain"))
        self.assertIn(str(self.folder / "swage" / "run-nope.jsonl"), self.error_of("trace", "top", "nope"))
        self.assertIn("did you mean 'llvm'", self.error_of("trace", "ir", self.hottest()["id"], "--stage=lvm"))

    def test_files_that_are_no_logs_are_refused(self):
        file = self.folder / "x.jsonl"
        for content in ("", "{}\n", "garbage\n", '{"swage_log":1,"pid":3}\n{"trace":1'):
            file.write_text(content)
            self.assertIn("not a run's log", self.error_of("trace", "top", file), content)
        file.write_text('{"swage_log":999,"pid":3}\n')
        self.assertIn("version 999", self.error_of("trace", "top", file))


if __name__ == "__main__":
    command.main()
