#!/usr/bin/env python3
"""Wrong command lines: one line that names what would be right, exit code 2."""

import command


class Errors(command.CommandTest):
    def test_the_nearest_valid_name_is_offered(self):
        for arguments, meant in ((["run", "seed_rn"], "seed_rnn"), (["run", "Digits"], "digits"),
                                 (["run", "chain", "--tier", "egaer"], "eager"), (["run", "chain", "--step", "3"], "--steps"),
                                 (["run", "chain", "--thread=2"], "--threads"), (["rnu"], "run"), (["trace", "shwo"], "show"),
                                 (["bench", "mirco"], "micro"), (["run", "mlp", "--optimizer", "adma"], "adam")):
            self.assertIn(f"did you mean '{meant}'", self.error_of(*arguments), arguments)

    def test_where_nothing_is_near_the_choices_are_listed(self):
        error = self.error_of("run", "xylophone")
        for name in ("seed_rnn", "mlp", "convnet", "pointwise", "chain", "digits"):
            self.assertIn(name, error)

    def test_values_out_of_range(self):
        for arguments in (["--steps", "0"], ["--steps", "many"], ["--threads", "0"], ["--threads", "65"], ["--seed", "-1"],
                          ["--steps"]):
            self.assertIn(arguments[0], self.error_of("run", "chain", *arguments))
        self.assertIn("8x8x1", self.error_of("run", "convnet", "--image", "big"))
        self.assertIn("--log2", self.error_of("run", "pointwise", "--log2", "99"))

    def test_missing_things(self):
        self.assertIn("--list", self.error_of("run"))
        self.assertIn("id", self.error_of("trace", "show"))
        self.assertIn("nothing.st", self.error_of("run", "chain", "--load", "nothing.st"))
        self.assertIn("too many", self.error_of("run", "chain", "mlp"))


if __name__ == "__main__":
    command.main()
