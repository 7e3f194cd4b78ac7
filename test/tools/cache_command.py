"""The plan cache from one process to the next, and `swage cache`."""

import json
import os
import pathlib
import re
import shutil
import stat
import subprocess
import time

import command
import json_fields
from command import CommandTest, main


class CacheCommand(CommandTest):
    def run_workload(self, *arguments, **environment):
        done = self.swage("run", *arguments, "--json", **environment)
        return json.loads(done.stdout.splitlines()[-1])

    @property
    def cache(self):
        return self.folder / "cache"

    def entries(self):
        return sorted(path.name for path in self.cache.iterdir())

    def contents(self):
        return {path.name: path.read_bytes() for path in self.cache.iterdir()}

    def json_of(self, *arguments, code=0, **environment):
        text = self.swage("cache", *arguments, "--json", code=code, **environment).stdout
        self.assertEqual(text.count("\n"), 1, text)
        return json.loads(text)

    def listed(self, kind=None, **environment):
        return [entry for entry in self.json_of("ls", **environment)["entries"] if kind in (None, entry["kind"])]

    def store_plan(self):
        """Runs seed_rnn until a plan of it is stored: under a sanitizer it takes more steps until one pays."""
        for steps in ("30", "1000", "20000"):
            self.run_workload("seed_rnn", "--steps", steps)
            if self.listed("plan"):
                return
        self.fail("no plan was stored")

    def of_another_build(self):
        """The command with another build id: what it stores is of no use to ours."""
        binary = self.folder / "other" / "swage"
        if not binary.exists():
            binary.parent.mkdir()
            data = pathlib.Path(command.COMMAND).read_bytes()
            note = re.search(rb"\x04\0\0\0\x14\0\0\0\x03\0\0\0GNU\0", data)
            if not note:
                self.skipTest("the command has no build id of twenty bytes")
            binary.write_bytes(data[: note.end()] + bytes(20) + data[note.end() + 20:])
            binary.chmod(0o755)
        return binary

    def run_other(self, *arguments, code=0):
        done = subprocess.run([self.of_another_build(), *arguments], cwd=self.folder, env=self.surroundings(), text=True,
                              capture_output=True, timeout=300)
        self.assertEqual(done.returncode, code, done.stderr)
        return done

    def test_a_second_process_compiles_nothing_and_starts_with_a_plan(self):
        for workload in (["digits"], ["seed_rnn"], ["transformer", "--size", "small"]):
            first = self.run_workload(*workload, "--steps", "30")
            if command.SANITIZED and first["compiles"] == 0:
                continue  # so slow that nothing pays in 30 steps
            self.assertGreater(first["compiles"], 0, workload)
            self.assertGreater(first["first_compiled_step"], 1, workload)
            second = self.run_workload(*workload, "--steps", "30")
            self.assertEqual(second["compiles"], 0, workload)
            self.assertEqual(second["first_compiled_step"], 1, workload)
            self.assertEqual(second["digest"], first["digest"], workload)

    def test_other_instructions_are_other_code(self):
        self.store_plan()
        before = self.entries()
        narrow = self.run_workload("seed_rnn", "--steps", "30", SWAGE_ISA="avx2")
        self.assertGreater(narrow["compiled_op_share"], 0.9)
        self.assertTrue(set(before) < set(self.entries()) or "avx512" not in pathlib.Path("/proc/cpuinfo").read_text())

    def test_cold_looks_up_nothing(self):
        self.run_workload("digits", "--steps", "30")
        cold = self.run_workload("digits", "--tier", "cold", "--steps", "30")
        self.assertNotEqual(cold["first_compiled_step"], 1)

    def test_off_leaves_nothing(self):
        self.run_workload("seed_rnn", "--steps", "30", SWAGE_CACHE="off")
        self.assertFalse(self.cache.exists())
        for arguments in ([], ["ls"], ["verify"], ["gc"], ["clear"]):
            self.assertIn("off, as SWAGE_CACHE says", self.swage("cache", *arguments, SWAGE_CACHE="off").stdout)
        self.assertIsNone(self.json_of("ls", SWAGE_CACHE="off")["folder"])
        for arguments in (["show", "a"], ["export", "x"], ["import", "x"], ["verify", "a"]):
            self.assertIn("off, as SWAGE_CACHE says", self.error_of("cache", *arguments, SWAGE_CACHE="off"))

    def test_every_entry_damaged(self):
        first = self.run_workload("digits", "--steps", "30")
        for damage in (lambda data: data[: len(data) // 2], lambda data: b"", lambda data: data[:-1] + bytes([data[-1] ^ 1]),
                       lambda data: bytes(len(data))):
            for path in self.cache.iterdir():
                path.write_bytes(damage(path.read_bytes()))
            again = self.run_workload("digits", "--steps", "30")
            self.assertEqual(again["digest"], first["digest"])
            self.assertGreater(again["compiles"], 0)
            logs = sorted((self.folder / "swage").glob("*.swagelog"), key=lambda log: log.stat().st_mtime)
            self.assertIn(b"is rejected", logs[-1].read_bytes())
        code = [path for path in self.cache.iterdir() if path.suffix == ".code"]
        code[0].unlink()  # a promise that cannot be kept
        again = self.run_workload("digits", "--steps", "30")
        self.assertEqual(again["digest"], first["digest"])

    def test_a_folder_that_others_may_enter_is_not_used(self):
        folder = self.folder / "open"
        folder.mkdir()
        folder.chmod(0o755)
        self.run_workload("seed_rnn", "--steps", "30", SWAGE_CACHE=str(folder))
        self.assertEqual(list(folder.iterdir()), [])
        self.assertIn("chmod 700", self.swage("cache", "ls", SWAGE_CACHE=str(folder)).stdout)
        self.assertIn("chmod 700", self.swage("doctor", SWAGE_CACHE=str(folder)).stdout)
        self.assertIn("chmod 700", self.error_of("cache", "import", "x", SWAGE_CACHE=str(folder)))

    def test_the_byte_limit_holds(self):
        self.run_workload("digits", "--steps", "30", SWAGE_CACHE_BYTES="32K")
        used = sum(max(path.stat().st_blocks * 512, path.stat().st_size) for path in self.cache.iterdir())
        self.assertLessEqual(used, 32 << 10)

    def test_ls_shows_each_plan_and_the_totals(self):
        self.assertEqual(self.listed(), [])
        self.assertIn("0 entries", self.swage("cache", "ls").stdout)
        self.store_plan()
        for path in self.cache.iterdir():
            os.utime(path, (time.time() - 86400 * 3.5,) * 2)
        entries = self.json_of("ls")
        self.assertEqual(entries["folder"], str(self.cache))
        self.assertEqual(entries["limit_bytes"], 256 << 20)
        self.assertEqual(sorted(entry["file"] for entry in entries["entries"]), self.entries())
        self.assertEqual(entries["used_bytes"], sum(entry["bytes"] for entry in entries["entries"]))
        self.assertEqual({entry["state"] for entry in entries["entries"]}, {"ready"})
        self.assertIn(16, [entry["ops"] for entry in entries["entries"]])
        text, all = self.swage("cache", "ls").stdout, self.swage("cache", "ls", "--code").stdout
        self.assertEqual(text, self.swage("cache").stdout)
        self.assertIn("3 days ago", text)
        for entry in entries["entries"]:
            self.assertEqual(entry["id"] in text, entry["kind"] == "plan")
            self.assertIn(entry["id"], all)
            self.assertEqual(set(entry), {"id", "kind", "state", "why", "ops", "bytes", "cpu", "build", "last_use_ns", "file"})
        self.assert_fits(all)
        self.assertIn(str(self.cache), self.swage("doctor").stdout)

    def test_looking_changes_nothing(self):
        self.store_plan()
        victim = self.cache / self.entries()[0]
        victim.write_bytes(b"no entry")
        for path in self.cache.iterdir():
            os.utime(path, (1000, 1000))
        before = self.contents()
        identity = self.listed("plan")[0]["id"]
        for arguments, code in ((["ls"], 0), (["show", identity], 0), (["verify"], 1), (["gc", "--dry-run"], 0),
                                (["clear", "--dry-run"], 0), (["export", "all.swageplans"], 0)):
            self.swage("cache", *arguments, code=code)
        self.assertEqual(self.contents(), before)
        self.assertEqual({path.stat().st_mtime for path in self.cache.iterdir()}, {1000})

    def test_show_says_what_is_stored(self):
        self.store_plan()
        plan = max(self.listed("plan"), key=lambda entry: entry["ops"])
        shown = self.json_of("show", plan["id"])
        for part in ("trace {", "matmul(", ": f32["):
            self.assertIn(part, shown["text"])
        self.assertIn("swage trace", shown["made_by"])
        self.assertTrue(shown["escapes"])
        self.assertEqual(shown["code_missing"], 0)
        self.assertTrue(set(shown["code"]) <= {entry["id"] for entry in self.listed("code")})
        self.assertTrue(shown["code"])
        text = self.swage("cache", "show", plan["id"]).stdout
        self.assertIn(shown["text"], text)
        self.assert_fits(text)
        code = self.json_of("show", shown["code"][0])
        self.assertIn(plan["id"], code["plans"])
        self.assertIn("LLVM", code["made_by"])
        self.assertIn(plan["id"], self.swage("cache", "show", shown["code"][0]).stdout)
        file, = [entry["file"] for entry in self.listed("code") if entry["id"] == shown["code"][0]]
        (self.cache / file).unlink()
        self.assertEqual(self.json_of("show", plan["id"][:6])["code_missing"], 1)

    def test_verify_names_what_is_damaged(self):
        self.run_workload("digits", "--steps", "30")
        self.assertEqual(self.json_of("verify")["ready"], len(self.entries()))
        for damage, why in ((lambda data: data[:20], "cut off"), (lambda data: b"x" * 200, "no entry"),
                            (lambda data: data[:-1], "sizes"), (lambda data: data[:-1] + bytes([data[-1] ^ 1]), "checksum"),
                            (lambda data: data[:8] + b"\x09" + data[9:], "another version")):
            for kind in ("plan", "code"):
                entry = self.listed(kind)[0]
                path = self.cache / entry["file"]
                whole = path.read_bytes()
                path.write_bytes(damage(whole))
                found = self.json_of("verify", code=1)
                self.assertEqual(found["damaged"], 1)
                self.assertEqual([bad["id"] for bad in found["not_ready"]], [entry["id"]])
                self.assertIn(why, found["not_ready"][0]["why"])
                self.assertIn(why, self.swage("cache", "verify", entry["id"], code=1).stdout)
                self.assertIn("damaged", self.swage("cache", "show", entry["id"]).stdout)
                path.write_bytes(whole)
        a, b = [self.cache / entry["file"] for entry in self.listed("code")[:2]]
        a.write_bytes(b.read_bytes())
        self.assertIn("another's", self.swage("cache", "verify", code=1).stdout)
        self.assertIn("1 ready", self.swage("cache", "verify", self.listed("plan")[0]["id"]).stdout)

    def test_what_others_made_is_named(self):
        self.run_other("run", "seed_rnn", "--steps", "30")
        theirs = len(self.entries())
        self.store_plan()
        found = self.json_of("verify")
        self.assertEqual((found["other-build"], found["ready"]), (theirs, len(self.entries()) - theirs))
        foreign = [entry for entry in self.listed("plan") if entry["state"] == "other-build"]
        self.assertEqual({entry["build"] for entry in foreign}, {"0" * 8})
        self.assertIn("0000", self.swage("cache", "show", foreign[0]["id"]).stdout)
        self.assertIn("other-build", self.error_of("cache", "export", "x", foreign[0]["id"]))
        gone = self.json_of("gc")["dropped"]
        self.assertEqual({drop["why"].split(":")[0] for drop in gone}, {"other-build"})
        self.assertEqual(len(gone), theirs)
        if "avx512" in pathlib.Path("/proc/cpuinfo").read_text():
            states = {entry["state"] for entry in self.listed("code", SWAGE_ISA="avx2")}
            self.assertEqual(states, {"other-cpu"})
            self.assertEqual({entry["cpu"] for entry in self.listed("code")}, {"avx512"})

    def test_gc_keeps_to_limit_and_age(self):
        self.run_workload("digits", "--steps", "30")
        self.assertEqual(self.json_of("gc")["dropped"], [])
        now = time.time()
        for age, path in enumerate(sorted(self.cache.iterdir())):
            os.utime(path, (now - 86400 * age - 60, now - 86400 * age - 60))
        n = len(self.entries())
        dry = self.json_of("gc", "--older-than", "5", "--dry-run")
        self.assertEqual((len(dry["dropped"]), dry["dry_run"], len(self.entries())), (n - 5, True, n))
        limited = self.json_of("gc", "--limit", "32K")
        self.assertLessEqual(limited["left_bytes"], 32 << 10)
        self.assertGreater(limited["left_bytes"], 16 << 10)
        oldest = max(now - path.stat().st_mtime for path in self.cache.iterdir())
        self.assertLess(oldest, 86400 * 9)  # the latest used are left
        self.json_of("gc", "--older-than", "1")
        self.assertEqual(len(self.entries()), 1)
        self.assertIn("'64X'", self.error_of("cache", "gc", "--limit", "64X"))
        self.assertIn("--older-than", self.error_of("cache", "gc", "--older-than", "-3"))

    def test_only_entries_are_dropped(self):
        self.store_plan()
        kept = self.folder / "kept"
        kept.write_text("precious")
        name = self.entries()[0]
        link = self.cache / (name[:-6] + "abcdef")
        link.symlink_to(kept)
        (self.cache / (name[:16] + "-" + "0" * 32 + ".code")).mkdir()
        for other in ("notes.txt", name + ".bak", ".hidden"):
            (self.cache / other).write_text("mine")
        (self.cache / ".1-0.partial").write_text("old")
        os.utime(self.cache / ".1-0.partial", (1000, 1000))
        (self.cache / ".2-0.partial").write_text("being written")
        entries = len(self.listed())
        self.assertIn("never finished", self.swage("cache", "gc").stdout)
        said = self.swage("cache", "clear").stdout
        self.assert_fits(said)
        self.assertRegex(said, r"\d+ entries dropped")
        self.assertEqual(sorted(path.name for path in self.cache.iterdir() if path.is_file() and not path.is_symlink()),
                         sorted([".2-0.partial", ".hidden", "notes.txt", name + ".bak"]))
        self.assertEqual(kept.read_text(), "precious")
        self.assertGreater(entries, 2)

    def test_an_export_serves_another_folder(self):
        first = self.run_workload("digits", "--steps", "30")
        file = self.folder / "plans.swageplans"
        exported = self.json_of("export", file)
        self.assertEqual(exported["plans"] + exported["code"], len(self.entries()))
        self.assertEqual(stat.S_IMODE(file.stat().st_mode), 0o600)
        there = {"SWAGE_CACHE": str(self.folder / "there")}
        imported = self.json_of("import", file, **there)
        self.assertEqual((imported["plans"], imported["code"]), (exported["plans"], exported["code"]))
        self.assertEqual({path.name: path.read_bytes() for path in (self.folder / "there").iterdir()}, self.contents())
        self.assertEqual(stat.S_IMODE((self.folder / "there").stat().st_mode), 0o700)
        second = self.run_workload("digits", "--steps", "30", **there)
        self.assertEqual((second["compiles"], second["first_compiled_step"]), (0, 1))
        self.assertEqual(second["digest"], first["digest"])
        again = self.json_of("import", file, **there)
        self.assertEqual((again["plans"], again["code"], again["present"]), (0, 0, len(self.entries())))

    def test_some_plans_go_with_their_code(self):
        self.run_workload("digits", "--steps", "30")
        plan = max(self.listed("plan"), key=lambda entry: entry["ops"])
        exported = self.json_of("export", "one.swageplans", plan["id"])
        self.assertEqual((exported["plans"], exported["code"]), (1, len(self.json_of("show", plan["id"])["code"])))
        there = {"SWAGE_CACHE": str(self.folder / "there")}
        self.json_of("import", "one.swageplans", **there)
        self.assertEqual(self.json_of("show", plan["id"], **there)["code_missing"], 0)

    def test_a_good_entry_is_never_replaced_and_a_bad_one_is(self):
        self.run_workload("digits", "--steps", "30")
        self.swage("cache", "export", "all.swageplans")
        whole = self.contents()
        bad, good = [self.cache / entry["file"] for entry in self.listed("code")[:2]]
        bad.write_bytes(b"")
        before = good.stat().st_ino
        imported = self.json_of("import", "all.swageplans")
        self.assertEqual((imported["replaced"], imported["code"], imported["present"]), (1, 1, len(whole) - 1))
        self.assertEqual(self.contents(), whole)
        self.assertEqual(good.stat().st_ino, before)

    def test_exports_that_are_damaged_are_refused_whole(self):
        self.store_plan()
        file = self.folder / "all.swageplans"
        self.swage("cache", "export", file)
        self.swage("cache", "clear")
        whole = file.read_bytes()
        for bytes_, why in ((whole[:-1], "damaged"), (whole[:20], "damaged"), (whole + b"x", "damaged"), (b"", "is no file that"),
                            (b"garbage " * 100, "is no file that"), (whole[:8] + b"\x07" + whole[9:], "version 7"),
                            (whole[:400] + bytes([whole[400] ^ 16]) + whole[401:], "checksum")):
            file.write_bytes(bytes_)
            self.assertIn(why, self.error_of("cache", "import", file))
            self.assertEqual(self.entries(), [])
        self.assertIn("no such file", self.error_of("cache", "import", "nothing"))
        self.assertIn("no such file", self.error_of("cache", "import", self.folder))
        file.write_bytes(whole)
        self.assertIn("SWAGE_CACHE_BYTES", self.error_of("cache", "import", file, SWAGE_CACHE_BYTES="6K"))
        self.assertEqual(self.entries(), [])

    def test_what_another_build_exported_is_refused(self):
        self.run_other("run", "seed_rnn", "--steps", "30")
        self.run_other("cache", "export", "theirs.swageplans")
        shutil.rmtree(self.cache)
        done = self.swage("cache", "import", "theirs.swageplans", code=1)
        self.assertIn("build 0000", done.stderr)
        self.assertEqual(self.entries(), [])
        self.assertGreater(self.json_of("import", "theirs.swageplans", code=1)["refused"], 0)

    def test_an_export_is_written_whole_or_not_at_all(self):
        self.store_plan()
        self.assertIn("cannot be written", self.error_of("cache", "export", self.folder / "no" / "such" / "x"))
        folder = self.folder / "taken"
        folder.mkdir()
        self.assertIn("cannot be written", self.error_of("cache", "export", folder))
        self.assertEqual([path.name for path in self.folder.glob("*.partial")], [])
        old = self.folder / "old.swageplans"
        old.write_text("old")
        self.swage("cache", "export", old)
        self.assertGreater(old.stat().st_size, 1000)

    def test_two_processes_at_once(self):
        self.run_workload("digits", "--steps", "30")
        self.swage("cache", "export", "all.swageplans")
        running = [subprocess.Popen([command.COMMAND, *arguments], cwd=self.folder, env=self.surroundings(),
                                    stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
                   for _ in range(4) for arguments in (["cache", "clear"], ["cache", "import", "all.swageplans"],
                                                       ["cache", "verify"], ["cache", "gc", "--limit", "64K"])]
        for process in running:
            self.assertEqual(process.wait(timeout=120), 0, process.stderr.read())
            process.stderr.close()
        self.swage("cache", "import", "all.swageplans")
        self.assertEqual(self.run_workload("digits", "--steps", "30")["compiles"], 0)

    def test_every_field_is_documented_and_every_documented_field_is_there(self):
        self.run_other("run", "seed_rnn", "--steps", "30")
        self.run_other("cache", "export", "theirs.swageplans")
        self.store_plan()
        shown = self.listed("plan")[0]["id"], self.listed("code")[0]["id"]
        answers = {"ls": [self.json_of("ls")], "show": [self.json_of("show", id) for id in shown],
                   "verify": [self.json_of("verify")], "export": [self.json_of("export", "x")],
                   "import": [self.json_of("import", "theirs.swageplans", code=1)],
                   "gc": [self.json_of("gc"), self.json_of("clear")]}
        pages = json_fields.documented(pathlib.Path(__file__).parents[2] / "docs" / "cache-json.md")
        self.assertEqual(set(pages), set(answers))
        for name, printed in answers.items():
            seen = {}
            for answer in printed:
                for field, kind in json_fields.fields_of(answer):
                    seen.setdefault(field, set()).add(kind)
            self.assertEqual(seen.keys(), pages[name].keys(), name)
            for field, kinds in seen.items():
                self.assertLessEqual(kinds, pages[name][field], f"{name} {field}")

    def test_wrong_names(self):
        self.store_plan()
        identity = self.listed("plan")[0]["id"]
        wrong = identity[:4] + ("0" if identity[4] != "0" else "1") + identity[5:]
        self.assertIn(f"did you mean '{identity}'", self.error_of("cache", "show", wrong))
        self.assertIn(f"did you mean '{identity}'", self.error_of("cache", "verify", wrong))
        self.assertIn(str(self.cache), self.error_of("cache", "show", "xyz"))
        for arguments, meant in ((["sohw"], "show"), (["list"], "ls"), (["gc", "--lmiit", "3"], "--limit"),
                                 (["ls", "--jsn"], "--json"), (["exprot"], "export")):
            self.assertIn(f"did you mean '{meant}'", self.error_of("cache", *arguments), arguments)
        self.assertIn("id", self.error_of("cache", "show"))
        self.assertIn("file", self.error_of("cache", "export"))

    def test_help_has_an_example_of_each(self):
        help = self.swage("help", "cache").stdout
        self.assert_fits(help)
        for name in ("ls", "show", "verify", "gc", "export", "import", "clear"):
            self.assertIn(f"  swage cache {name} ", help)
            self.assert_fits(self.swage("cache", name, "--help").stdout)


if __name__ == "__main__":
    main()
