#!/usr/bin/env python3
"""Workload `agent` (bench/workloads/agent.cpp) in eager PyTorch, acting in Gymnasium's CartPole-v1, for comparison: environment steps a second.

    build/peers/bin/python bench/peers/agent_torch.py [--seconds S] [--swage build/bin/swage --rounds N]

The same networks, sizes, losses and rates; PyTorch's fused Adam. With --swage, rounds of PyTorch and of `swage run agent` alternate, on one
core, and the table of bench/results/agent.md is printed. --solve runs all 976 updates and prints the mean return of 100 fresh episodes.
"""

import argparse
import json
import os
import platform
import statistics
import subprocess
import time

import gymnasium
import numpy
import torch
from torch import nn

WORLDS, STEPS, EPOCHS, UPDATES = 4, 128, 4, 976
ROWS, MINIBATCH = WORLDS * STEPS, WORLDS * STEPS // 4
RATE, DISCOUNT, TRACE, CLIP, ENTROPY, VALUE, NORM = 2.5e-4, 0.99, 0.95, 0.2, 0.01, 0.5, 0.5


def layers(outputs, gain):
    parts = []
    for inputs, width, scale in ((4, 64, 2**0.5), (64, 64, 2**0.5), (64, outputs, gain)):
        linear = nn.Linear(inputs, width)
        nn.init.orthogonal_(linear.weight, scale)
        nn.init.zeros_(linear.bias)
        parts += [linear, nn.Tanh()]
    return nn.Sequential(*parts[:-1])


class Agent:
    def __init__(self, seed):
        torch.manual_seed(seed)
        self.actor, self.critic = layers(2, 0.01), layers(1, 1)
        self.parameters = [*self.actor.parameters(), *self.critic.parameters()]
        self.adam = torch.optim.Adam(self.parameters, lr=RATE, eps=1e-5, fused=True)
        self.worlds = gymnasium.make_vec("CartPole-v1", WORLDS, vectorization_mode="sync",
                                         vector_kwargs={"autoreset_mode": gymnasium.vector.AutoresetMode.SAME_STEP})
        self.seen = torch.from_numpy(self.worlds.reset(seed=seed)[0])
        self.updates = 0

    def act(self):
        seen, choice, log_probability = torch.zeros(STEPS, WORLDS, 4), torch.zeros(STEPS, WORLDS), torch.zeros(STEPS, WORLDS)
        reward, over, value = torch.zeros(STEPS, WORLDS), torch.zeros(STEPS, WORLDS), torch.zeros(STEPS, WORLDS)
        with torch.no_grad():
            for i in range(STEPS):
                seen[i] = self.seen
                policy = torch.distributions.Categorical(logits=self.actor(self.seen))
                chosen = policy.sample()
                choice[i], log_probability[i], value[i] = chosen, policy.log_prob(chosen), self.critic(self.seen)[:, 0]
                now, rewards, terminated, truncated, _ = self.worlds.step(chosen.numpy())
                self.seen = torch.from_numpy(now)
                reward[i] = torch.from_numpy(rewards)
                over[i] = torch.from_numpy(numpy.logical_or(terminated, truncated))
            following, running, advantage = self.critic(self.seen)[:, 0], 0, torch.zeros(STEPS, WORLDS)
            for i in reversed(range(STEPS)):
                surprise = reward[i] + DISCOUNT * following * (1 - over[i]) - value[i]
                advantage[i] = running = surprise + DISCOUNT * TRACE * (1 - over[i]) * running
                following = value[i]
        return (part.reshape(ROWS, *part.shape[2:]) for part in (seen, choice, log_probability, value, advantage))

    def step(self):
        self.adam.param_groups[0]["lr"] = RATE * max(0, 1 - self.updates / UPDATES)
        self.updates += 1
        seen, choice, log_probability, value, advantage = self.act()
        target = advantage + value
        for _ in range(EPOCHS):
            for rows in torch.randperm(ROWS).split(MINIBATCH):
                policy = torch.distributions.Categorical(logits=self.actor(seen[rows]))
                ratio = (policy.log_prob(choice[rows]) - log_probability[rows]).exp()
                weight = advantage[rows]
                weight = (weight - weight.mean()) / (weight.std() + 1e-8)
                policy_loss = torch.max(-weight * ratio, -weight * ratio.clamp(1 - CLIP, 1 + CLIP)).mean()
                now = self.critic(seen[rows])[:, 0]
                held = value[rows] + (now - value[rows]).clamp(-CLIP, CLIP)
                value_loss = 0.5 * torch.max((now - target[rows])**2, (held - target[rows])**2).mean()
                loss = policy_loss - ENTROPY * policy.entropy().mean() + VALUE * value_loss
                self.adam.zero_grad()
                loss.backward()
                nn.utils.clip_grad_norm_(self.parameters, NORM)
                self.adam.step()

    def mean_return(self):
        worlds = gymnasium.make_vec("CartPole-v1", 100, vectorization_mode="sync")
        seen, _ = worlds.reset(seed=12345)
        returns, running = numpy.zeros(100), numpy.ones(100, bool)
        while running.any():
            with torch.no_grad():
                choices = self.actor(torch.from_numpy(seen)).argmax(1).numpy()
            seen, rewards, terminated, truncated, _ = worlds.step(choices)
            returns += rewards * running
            running &= ~(terminated | truncated)
        return returns.mean()


def rate(agent, seconds):
    """Environment steps a second, by the median of the updates' times."""
    times = []
    while sum(times) < seconds or len(times) < 5:
        begun = time.perf_counter()
        agent.step()
        times.append(time.perf_counter() - begun)
    return ROWS / statistics.median(times)


def swage_rate(binary, tier, seconds):
    done = subprocess.run([binary, "run", "agent", "--tier", tier, "--seconds", str(seconds), "--json"], check=True, text=True,
                          capture_output=True)
    return ROWS / json.loads(done.stdout.splitlines()[-1])["step_us"]["p50"] * 1e6


def main():
    arguments = argparse.ArgumentParser()
    arguments.add_argument("--seconds", type=float, default=3)
    arguments.add_argument("--seed", type=int, default=1)
    arguments.add_argument("--solve", action="store_true")
    arguments.add_argument("--swage")
    arguments.add_argument("--rounds", type=int, default=3)
    settings = arguments.parse_args()
    torch.set_num_threads(1)
    os.sched_setaffinity(0, {max(os.sched_getaffinity(0))})
    agent = Agent(settings.seed)
    if settings.solve:
        begun = time.perf_counter()
        for _ in range(UPDATES):
            agent.step()
        print(f"{UPDATES * ROWS / (time.perf_counter() - begun):,.0f} environment steps a second, mean return {agent.mean_return()}")
        return
    rate(agent, 0.5)
    if not settings.swage:
        print(f"{rate(agent, settings.seconds):,.0f} environment steps a second")
        return
    columns = {"PyTorch": lambda: rate(agent, settings.seconds)}
    for tier in ("eager", "warm"):
        columns[f"Swage, {tier}"] = lambda tier=tier: swage_rate(settings.swage, tier, settings.seconds)
    rounds = {name: [] for name in columns}
    for _ in range(settings.rounds):
        for name, measure in columns.items():
            rounds[name].append(measure())
    print(f"PyTorch {torch.__version__}, Gymnasium {gymnasium.__version__}, Python {platform.python_version()}")
    peer = statistics.median(rounds["PyTorch"])
    for name, values in rounds.items():
        print(f"| {name} | {', '.join(f'{value:,.0f}' for value in values)} | {statistics.median(values) / peer:.2f} |")


if __name__ == "__main__":
    main()
