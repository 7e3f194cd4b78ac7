"""What `swage trace advice` says of small programs with one known illness each: its name and the user's line come first. Of a healthy
program it says nothing."""

import json
import os
import pathlib
import subprocess
import sys
import tempfile
import unittest

SWAGE, PROGRAMS = sys.argv[1], sys.argv[2]
HERE = pathlib.Path(__file__).parent


def advice_on(program: str) -> tuple[list, str]:
    with tempfile.TemporaryDirectory() as folder:
        log = os.path.join(folder, "run.swagelog")
        env = {**os.environ, "SWAGE_LOG": log, "SWAGE_CACHE": "off"}
        subprocess.run([PROGRAMS, program], env=env, check=True, timeout=120)
        out = subprocess.run([SWAGE, "trace", "advice", "--json", log], capture_output=True, text=True, check=True, timeout=60)
        plain = subprocess.run([SWAGE, "trace", "advice", log], capture_output=True, text=True, check=True, timeout=60)
        assert out.stdout.count("\n") == 1, out.stdout
        return json.loads(out.stdout)["advice"], plain.stdout


def ill_line(program: str) -> str:
    lines = (HERE / f"{program}.cpp").read_text().splitlines()
    (number,) = [i for i, line in enumerate(lines, 1) if line.endswith("// ill")]
    return f"{program}.cpp:{number}"


class Advice(unittest.TestCase):
    def expect(self, program: str, illness: str) -> None:
        advice, plain = advice_on(program)
        self.assertTrue(advice, f"{program} got no advice")
        first = advice[0]
        self.assertEqual((first["illness"], first["site"]), (illness, ill_line(program)), json.dumps(advice, indent=1))
        self.assertGreater(first["gain_us"], 0)
        self.assertEqual(sorted(advice, key=lambda a: -a["gain_us"]), advice)
        self.assertIn(f"1. {ill_line(program)}: ", plain)
        self.assertTrue(all(len(line) <= 100 for line in plain.splitlines()), plain)

    def test_borrowed_memory(self):
        self.expect("borrowed_memory", "borrowed-memory")

    def test_branch_on_data(self):
        self.expect("branch_on_data", "branch-on-data")

    def test_changing_axis(self):
        self.expect("changing_axis", "changing-axis")

    def test_forgotten_gradients(self):
        self.expect("forgotten_gradients", "never-read")

    def test_growing_cat(self):
        self.expect("growing_cat", "grows")

    def test_host_read_in_loop(self):
        self.expect("host_read_in_loop", "host-read")

    def test_no_no_grad(self):
        self.expect("no_no_grad", "no-grad")

    def test_piling_results(self):
        self.expect("piling_results", "piles-up")

    def test_plan_that_cannot_pay(self):
        self.expect("plan_that_cannot_pay", "plan-does-not-pay")

    def test_unordered_ops(self):
        self.expect("unordered_ops", "unordered")

    def test_write_between(self):
        self.expect("write_between", "write-in-place")

    def test_what_is_new_in_every_step_is_not_taken_for_a_change_of_sizes(self):
        with tempfile.TemporaryDirectory() as folder:
            log = os.path.join(folder, "novel.swagelog")
            subprocess.run([SWAGE, "run", "novel", "--tier", "cold", "--seconds", "1"], check=True, timeout=120, capture_output=True,
                           env={**os.environ, "SWAGE_LOG": log, "SWAGE_CACHE": "off"})
            out = subprocess.run([SWAGE, "trace", "advice", "--json", log], capture_output=True, text=True, check=True, timeout=60)
            self.assertLessEqual({advice["illness"] for advice in json.loads(out.stdout)["advice"]}, {"changing-structure"}, out.stdout)

    def test_what_no_memory_holds_is_not_run(self):
        with tempfile.TemporaryDirectory() as folder:
            log = os.path.join(folder, "large.swagelog")
            subprocess.run([PROGRAMS, "too_large_a_trace"], env={**os.environ, "SWAGE_LOG": log}, check=True, timeout=60)
            for command in ("replay", "check"):
                done = subprocess.run([SWAGE, "trace", command, "t1", log], capture_output=True, text=True, timeout=60)
                self.assertEqual(done.returncode, 2 if command == "replay" else 0, done.stderr)
                self.assertIn("its tensors take 8192.0 GiB", (done.stdout + done.stderr).replace("\n    ", " "))

    def test_the_healthy_get_none(self):
        for program in ("healthy_training", "healthy_evaluation"):
            advice, plain = advice_on(program)
            self.assertEqual(advice, [], program)
            self.assertEqual(plain.count("\n"), 1)
            self.assertTrue(plain.startswith("no advice"))


if __name__ == "__main__":
    unittest.main(argv=sys.argv[:1] + sys.argv[3:], verbosity=2)
