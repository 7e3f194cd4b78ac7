"""Takes the steps that `trajectories` printed in Gymnasium, from the same states by the same actions, and compares states, rewards and ends:
`gymnasium_steps.py TRAJECTORIES BUILD`. One step agrees to 1e-9, fifty to 1e-6. The Python is that of BUILD/peers (`tools/dev peers` makes
it) or the one that runs this; where neither has Gymnasium, the test is skipped."""

import os
import pathlib
import subprocess
import sys

STATES = {"CartPole-v1": 4, "Acrobot-v1": 4, "MountainCar-v0": 2}
SINGLE, LONG, STEPS = 10_000, 200, 50
PEERS = "SWAGE_GYMNASIUM_LOOKED_FOR"


def numbers(text):
    return [float(word) for word in text.split()]


def check(lines):
    import gymnasium
    import numpy

    worlds = {name: gymnasium.make(name).unwrapped for name in STATES}
    counts, worst, problems = {}, {}, []
    for line in lines:
        head, *steps = line.split(" | ")
        name, _, start = head.partition(" ")
        world, width = worlds[name], STATES[name]
        world.reset(seed=0)
        world.state = numpy.array(numbers(start))
        kind = (name, counts.get(name, 0) < SINGLE)
        counts[name] = counts.get(name, 0) + 1
        for i, step in enumerate(steps):
            action, *after, reward, terminated = numbers(step)
            _, wanted_reward, wanted_end, _, _ = world.step(int(action))
            off = float(max(abs(numpy.array(world.state) - numpy.array(after))))
            worst[kind] = max(worst.get(kind, 0.0), off)
            tolerance = 1e-9 if kind[1] else 1e-6
            if len(after) != width or not off <= tolerance or reward != wanted_reward or bool(terminated) != wanted_end:
                problems.append(f"{name}, step {i + 1} from {start}: {step}, in Gymnasium {world.state} {wanted_reward} {wanted_end}")
                break
    for name in STATES:
        if counts.get(name) != SINGLE + LONG:
            problems.append(f"{name}: {counts.get(name)} trajectories")
    lasted = [len(line.split(" | ")) - 1 for line in lines]
    whole = sum(steps == STEPS for steps in lasted)
    if whole < 0.8 * len(STATES) * LONG:
        problems.append(f"only {whole} trajectories lasted {STEPS} steps")
    print("\n".join(problems[:20]) or f"as in Gymnasium {gymnasium.__version__}; worst differences: " + ", ".join(
        f"{name} {STEPS if not single else 1} steps {off:.1e}" for (name, single), off in worst.items()))
    return 1 if problems else 0


def main():
    trajectories, build = sys.argv[1:]
    try:
        import gymnasium  # noqa: F401
    except ImportError:
        python = pathlib.Path(build) / "peers" / "bin" / "python"
        if PEERS in os.environ or not python.exists():
            print("skipped: no Python with gymnasium here; `tools/dev peers` installs one")
            return 77
        return subprocess.run([python, *sys.argv], env={**os.environ, PEERS: "1"}).returncode
    lines = subprocess.run([trajectories], check=True, text=True, capture_output=True).stdout.splitlines()
    return check(lines)


if __name__ == "__main__":
    sys.exit(main())
