#!/usr/bin/env python3
"""`swage run`, `bench`, `doctor` and `help`: what they print."""

import json

import command

KEYS = ["workload", "device", "tier", "threads", "seed", "steps", "unit", "units_per_s", "step_us", "first_step_ms",
        "first_compiled_step", "ops_per_step", "compiled_op_share", "traces", "hits", "misses", "side_exits", "compiles",
        "compile_ms", "break_even_step", "peak_bytes", "allocs_per_step", "minor_faults_per_step", "loss_first", "loss_last",
        "first_losses", "first_output", "digest"]


class RunCommand(command.CommandTest):
    def report(self, *arguments):
        return json.loads(self.swage("run", *arguments, "--json").stdout.splitlines()[-1])

    def test_json_is_one_line_with_all_keys(self):
        done = self.swage("run", "chain", "--tier", "eager", "--steps", 20, "--seed", 3, "--threads", 2, "--json")
        self.assertEqual(done.stdout.count("\n"), 1)
        report = json.loads(done.stdout)
        self.assertEqual(list(report), KEYS)
        self.assertEqual((report["workload"], report["tier"], report["steps"], report["seed"], report["threads"]),
                         ("chain", "eager", 20, 3, 2))
        self.assertEqual(report["ops_per_step"], 100)

    def test_digits_adds_its_accuracy(self):
        report = self.report("digits", "--tier", "eager", "--steps", 5)
        self.assertEqual(list(report), [*KEYS, "accuracy"])

    def test_time_may_say_how_many_steps(self):
        report = self.report("chain", "--tier", "eager", "--seconds", 0.05)
        self.assertGreater(report["steps"], 5)
        self.assertGreaterEqual(report["steps"] * report["step_us"]["max"], 50_000)
        self.assertEqual(self.report("mlp", "--tier", "eager", "--seconds", 1e-6)["steps"], 5)

    def test_plain_report_fits(self):
        self.assert_fits(self.swage("run", "mlp", "--tier", "cold", "--steps", 3).stdout)

    def test_list_names_every_workload(self):
        listed = self.swage("run", "--list").stdout
        self.assert_fits(listed)
        self.assertEqual([line.split()[0] for line in listed.splitlines()],
                         ["seed_rnn", "mlp", "convnet", "pointwise", "chain", "digits", "lennard_jones", "lstm_lm", "transformer",
                          "softmax", "layer_norm", "gelu", "sum", "axpy", "adam_update", "novel", "varlen", "treelstm", "tagger",
                          "char_tagger", "rnnlm", "ragged_attention", "reroute", "growing", "agent", "drive",
                          "memory", "online", "maml", "tree_fc", "moe", "stochastic_depth"])

    def test_stop_and_go_in_three_processes(self):
        file = self.folder / "run.safetensors"
        whole = self.report("digits", "--tier", "cold", "--steps", 60)
        self.report("digits", "--tier", "eager", "--steps", 30, "--save", file)
        second = self.report("digits", "--tier", "cold", "--steps", 30, "--load", file)
        self.assertEqual(second["digest"], whole["digest"])

    def test_tiers_agree_between_processes(self):
        digests = {self.report("seed_rnn", "--tier", tier, "--steps", 200)["digest"]
                   for tier in ("eager", "traced", "cold", "warm")}
        self.assertEqual(len(digests), 1, digests)

    def test_batched_workloads_are_the_same_in_every_tier_and_close_without_batches(self):
        for name in ("tree_fc", "moe"):
            reports = [self.report(name, "--tier", tier, "--steps", 4) for tier in ("eager", "traced", "cold")]
            self.assertEqual(len({report["digest"] for report in reports}), 1, name)
            alone = self.report(name, "--tier", "eager", "--steps", 4, "--no-batch")
            for batched, single in zip(reports[0]["first_losses"], alone["first_losses"]):
                self.assertAlmostEqual(batched, single, delta=1e-4 * abs(single))

    def test_data_folder_may_be_named(self):
        self.assertIn(str(self.folder / "digits.csv.gz"), self.error_of("run", "digits", "--data", self.folder, "--steps", 1))

    def test_doctor_says_what_it_found(self):
        found = self.swage("doctor").stdout
        self.assert_fits(found)
        names = [line.split()[0] for line in found.splitlines()]
        self.assertEqual(names, ["cpu", "vectors", "llvm", "onednn", "gpu", "cache", "logs"])

    def test_micro_figures(self):
        figures = json.loads(self.swage("bench", "micro", "--quick", "--json").stdout)
        self.assertEqual(list(figures), ["defer_ns", "defer_grad_ns", "eager_op_ns", "plan_hit_us", "exit_us", "compile_ms",
                                         "load_ms", "pause_us", "record_bytes", "limits"])
        self.assertEqual(list(figures["plan_hit_us"]), ["10", "100", "1000"])
        self.assertEqual(list(figures["compile_ms"]), ["1", "10", "100", "300"])
        limits = figures["limits"]
        for number in (figures["defer_ns"], figures["defer_grad_ns"], figures["eager_op_ns"],
                       *list(figures["compile_ms"].values())[1:], limits["fma_gflops"],
                       limits["sgemm_gflops"], *limits["copy_gbs"].values(), *limits["axpy_gbs"].values(), limits["timer_ns"],
                       limits["add_ns"]):
            self.assertGreater(number, 0)
        for difference in (figures["exit_us"], *figures["plan_hit_us"].values()):  # of two times: it may be lost in noise
            self.assertLess(abs(difference), 100)
        self.assertLess(limits["sgemm_gflops"], 1.1 * limits["fma_gflops"])
        self.assertIn("memory", limits["copy_gbs"])

    def test_help_names_any_command(self):
        for name in ("run", "trace", "cache", "bench", "demo", "doctor"):
            self.assertIn(f"Usage: swage {name}", self.swage("help", name).stdout)

    def test_help_fits(self):
        for arguments in (["help"], ["--help"], [], ["run", "--help"], ["trace"], ["trace", "ir", "--help"], ["bench"]):
            self.assert_fits(self.swage(*arguments).stdout)


if __name__ == "__main__":
    command.main()
