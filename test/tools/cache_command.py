"""The plan cache from one process to the next, and `swage cache`."""

import json
import os
import pathlib

from command import CommandTest, main


class CacheCommand(CommandTest):
    def run_workload(self, *arguments, **environment):
        done = self.swage("run", *arguments, "--json", **environment)
        return json.loads(done.stdout.splitlines()[-1])

    def entries(self):
        return sorted(path.name for path in (self.folder / "cache").iterdir())

    def test_a_second_process_compiles_nothing_and_starts_with_a_plan(self):
        for workload in (["digits"], ["seed_rnn"], ["transformer", "--size", "small"]):
            first = self.run_workload(*workload, "--steps", "30")
            self.assertGreater(first["compiles"], 0, workload)
            self.assertGreater(first["first_compiled_step"], 1, workload)
            second = self.run_workload(*workload, "--steps", "30")
            self.assertEqual(second["compiles"], 0, workload)
            self.assertEqual(second["first_compiled_step"], 1, workload)
            self.assertEqual(second["digest"], first["digest"], workload)

    def test_other_instructions_are_other_code(self):
        self.run_workload("seed_rnn", "--steps", "30")
        before = self.entries()
        narrow = self.run_workload("seed_rnn", "--steps", "30", SWAGE_ISA="avx2")
        self.assertGreater(narrow["compiled_op_share"], 0.9)
        self.assertTrue(set(before) < set(self.entries()) or "avx512" not in open("/proc/cpuinfo").read())

    def test_cold_looks_up_nothing(self):
        self.run_workload("digits", "--steps", "30")
        cold = self.run_workload("digits", "--tier", "cold", "--steps", "30")
        self.assertNotEqual(cold["first_compiled_step"], 1)

    def test_off_leaves_nothing(self):
        self.run_workload("seed_rnn", "--steps", "30", SWAGE_CACHE="off")
        self.assertFalse((self.folder / "cache").exists())
        self.assertIn("off, as SWAGE_CACHE says", self.swage("cache", SWAGE_CACHE="off").stdout)

    def test_every_entry_damaged(self):
        first = self.run_workload("digits", "--steps", "30")
        for damage in (lambda data: data[: len(data) // 2], lambda data: b"", lambda data: data[:-1] + bytes([data[-1] ^ 1]),
                       lambda data: bytes(len(data))):
            for path in (self.folder / "cache").iterdir():
                path.write_bytes(damage(path.read_bytes()))
            again = self.run_workload("digits", "--steps", "30")
            self.assertEqual(again["digest"], first["digest"])
            self.assertGreater(again["compiles"], 0)
            logs = sorted((self.folder / "swage").glob("*.swagelog"), key=lambda log: log.stat().st_mtime)
            self.assertIn(b"is rejected", logs[-1].read_bytes())
        code = [path for path in (self.folder / "cache").iterdir() if path.suffix == ".code"]
        code[0].unlink()  # a promise that cannot be kept
        again = self.run_workload("digits", "--steps", "30")
        self.assertEqual(again["digest"], first["digest"])

    def test_a_folder_that_others_may_enter_is_not_used(self):
        folder = self.folder / "open"
        folder.mkdir()
        folder.chmod(0o755)
        self.run_workload("seed_rnn", "--steps", "30", SWAGE_CACHE=str(folder))
        self.assertEqual(list(folder.iterdir()), [])
        self.assertIn("chmod 700", self.swage("cache", "info", SWAGE_CACHE=str(folder)).stdout)
        self.assertIn("chmod 700", self.swage("doctor", SWAGE_CACHE=str(folder)).stdout)

    def test_the_byte_limit_holds(self):
        self.run_workload("digits", "--steps", "30", SWAGE_CACHE_BYTES="32K")
        used = sum(max(path.stat().st_blocks * 512, path.stat().st_size) for path in (self.folder / "cache").iterdir())
        self.assertLessEqual(used, 32 << 10)

    def test_info_list_and_clear(self):
        self.run_workload("seed_rnn", "--steps", "30")
        info = self.swage("cache", "info").stdout
        self.assertIn(str(self.folder / "cache"), info)
        self.assertIn("trace", info)
        self.assertEqual(info, self.swage("cache").stdout)
        listing = self.swage("cache", "list").stdout
        for name in self.entries():
            self.assertIn(name, listing)
        self.assert_fits(listing)
        self.assertIn(str(self.folder / "cache"), self.swage("doctor").stdout)
        self.assertIn(f"{len(self.entries())} entries dropped", self.swage("cache", "clear").stdout)
        self.assertEqual(self.entries(), [])


if __name__ == "__main__":
    main()
