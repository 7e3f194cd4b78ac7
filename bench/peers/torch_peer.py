#!/usr/bin/env python3
"""The static workloads in PyTorch, written as one would write them there, timed step by step.

Same models, sizes, dtype (float32) and threads as `swage run WORKLOAD`. Prints one JSON line. Batches are drawn before
the clock starts; warm-up steps are not counted.
"""

import argparse
import gzip
import json
import math
import pathlib
import statistics
import time

import numpy
import torch
from torch import nn
from torch.nn import functional as F

DIGITS = pathlib.Path(__file__).parent.parent / "data" / "digits.csv.gz"
N_BATCHES = 16  # distinct random batches that mlp and convnet go through in turn


class Workload:
    """A `step()` to be timed, which returns the step's loss, and how many units (samples, elements) a step handles."""

    def __init__(self, step, unit="steps", units_per_step=1, finish=None):
        self.step, self.unit, self.units_per_step = step, unit, units_per_step
        self.finish = finish or (lambda: {})


def seed_rnn(arguments):
    def step():
        x, prev_h = torch.randn(1, 10), torch.randn(1, 20)
        W_h, W_x = torch.randn(20, 20).requires_grad_(), torch.randn(20, 10).requires_grad_()
        i2h = torch.matmul(W_x, x.t())
        h2h = torch.matmul(W_h, prev_h.t())
        next_h = torch.tanh(i2h + h2h)
        next_h.backward(torch.ones(20, 1))
        return next_h.detach().sum()

    return Workload(step)


def chain(arguments):
    addends = [torch.randn(16) for _ in range(100)]
    x = torch.randn(16)

    def step():
        y = x
        for addend in addends:
            y = y + addend
        return y

    return Workload(step, "ops", 100)


def pointwise(arguments):
    n = 2**arguments.log2
    a, b, c, d = (torch.randn(n) for _ in range(4))
    return Workload(lambda: torch.tanh(a * b + c) * torch.exp(-(d * d)), "elements", n)


def make_optimizer(arguments, model, default):
    name = arguments.optimizer or default
    if name == "adam":
        return torch.optim.Adam(model.parameters(), lr=1e-3)
    return torch.optim.SGD(model.parameters(), lr=arguments.lr, momentum=0.9)


def training(arguments, model, batches, optimizer):
    """A supervised training step on the next of the given (input, target) batches."""
    forward = torch.compile(model) if arguments.compile else model
    state = {"next": 0}

    def step():
        x, target = batches[state["next"] % len(batches)]
        state["next"] += 1
        loss = F.cross_entropy(forward(x), target)
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        optimizer.step()
        return loss.detach()

    return Workload(step, "samples", len(batches[0][0]))


def mlp(arguments):
    model = nn.Sequential(nn.Linear(784, 512), nn.ReLU(), nn.Linear(512, 512), nn.ReLU(), nn.Linear(512, 10))
    batches = [(torch.randn(64, 784), torch.randint(10, (64,))) for _ in range(N_BATCHES)]
    return training(arguments, model, batches, make_optimizer(arguments, model, "sgd"))


def conv_model(in_channels):
    """3 × (3×3 convolution – batch norm – ReLU), global average pooling, a linear layer to ten classes."""
    layers, channels = [], in_channels
    for out_channels, stride in ((32, 1), (64, 2), (128, 2)):
        layers += [nn.Conv2d(channels, out_channels, 3, stride=stride, padding=1, bias=False),
                   nn.BatchNorm2d(out_channels), nn.ReLU()]
        channels = out_channels
    return nn.Sequential(*layers, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(channels, 10))


def convnet(arguments):
    height, width, channels = map(int, arguments.image.split("x"))
    model = conv_model(channels)
    batches = [(torch.randn(32, channels, height, width), torch.randint(10, (32,))) for _ in range(N_BATCHES)]
    return training(arguments, model, batches, make_optimizer(arguments, model, "sgd"))


def shifted(images, generator):
    """Every image moved by −1, 0 or 1 pixels in both directions, zeros where nothing was."""
    padded = F.pad(images, (1, 1, 1, 1))
    row, column = torch.randint(3, (2, len(images), 1, 1), generator=generator)
    rows, columns = row + torch.arange(8).view(1, 8, 1), column + torch.arange(8).view(1, 1, 8)
    return padded[torch.arange(len(images)).view(-1, 1, 1), 0, rows, columns].unsqueeze(1)


def digits(arguments):
    table = numpy.loadtxt(gzip.open(DIGITS, "rt"), delimiter=",", dtype=numpy.float32)
    table = torch.from_numpy(table)[torch.randperm(len(table))]
    images, labels = table[:, :64].reshape(-1, 1, 8, 8) / 16, table[:, 64].long()
    n_train = len(table) * 4 // 5
    model = conv_model(1)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1, momentum=0.9, weight_decay=1e-4)
    scheduler = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, arguments.warmup + arguments.steps)
    forward = torch.compile(model) if arguments.compile else model
    generator = torch.Generator().manual_seed(arguments.seed)

    def step():
        rows = torch.randint(n_train, (32,), generator=generator)
        loss = F.cross_entropy(forward(shifted(images[rows], generator)), labels[rows])
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        optimizer.step()
        scheduler.step()
        return loss.detach()

    def finish():
        model.eval()
        with torch.no_grad():
            predictions = model(images[n_train:]).argmax(1)
        return {"accuracy": (predictions == labels[n_train:]).float().mean().item()}

    return Workload(step, "samples", 32, finish)


WORKLOADS = {f.__name__: f for f in (seed_rnn, mlp, convnet, pointwise, chain, digits)}
DEFAULT_STEPS = {"seed_rnn": 5000, "chain": 2000, "mlp": 300, "convnet": 60, "pointwise": 100, "digits": 600}


def percentile(sorted_values, fraction):
    return sorted_values[min(len(sorted_values) - 1, math.ceil(fraction * len(sorted_values)) - 1)]


def measure(workload, steps, warmup):
    """The first loss, the time of every counted step in µs, and the total in seconds."""
    first = None
    for _ in range(warmup):
        result = workload.step()
        first = result if first is None else first
    times = []
    for _ in range(steps):
        start = time.perf_counter_ns()
        result = workload.step()
        times.append((time.perf_counter_ns() - start) / 1000)
    first = result if first is None else first
    return first.double().mean().item(), times


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("workload", choices=WORKLOADS)
    parser.add_argument("--steps", type=int)
    parser.add_argument("--warmup", type=int)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--optimizer", choices=["sgd", "adam"])
    parser.add_argument("--lr", type=float, default=0.01)
    parser.add_argument("--image", default="32x32x3", help="height x width x channels")
    parser.add_argument("--log2", type=int, default=16, help="pointwise: 2^log2 elements")
    parser.add_argument("--compile", action="store_true", help="through torch.compile")
    arguments = parser.parse_args()
    arguments.steps = arguments.steps or DEFAULT_STEPS[arguments.workload]
    arguments.warmup = max(10, arguments.steps // 5) if arguments.warmup is None else arguments.warmup

    torch.set_num_threads(arguments.threads)
    torch.manual_seed(arguments.seed)
    workload = WORKLOADS[arguments.workload](arguments)
    if arguments.compile and arguments.workload in ("seed_rnn", "chain", "pointwise"):
        workload.step = torch.compile(workload.step)
    loss_first, times = measure(workload, arguments.steps, arguments.warmup)
    ordered = sorted(times)
    print(json.dumps({
        "workload": arguments.workload,
        "peer": "torch.compile" if arguments.compile else "torch eager",
        "version": torch.__version__,
        "threads": arguments.threads,
        "steps": arguments.steps,
        "step_us": {"p50": round(statistics.median(ordered), 2), "p99": round(percentile(ordered, 0.99), 2),
                    "max": round(ordered[-1], 2)},
        "unit": workload.unit,
        "units_per_s": round(workload.units_per_step * len(times) / sum(times) * 1e6, 1),
        "loss_first": loss_first,
        **workload.finish(),
    }))


if __name__ == "__main__":
    main()
