#!/usr/bin/env python3
"""`varlen` in PyTorch: eager, or with --compile the forward pass and the loss as one compiled function."""

import torch
from torch.nn import functional as F

import passes
from measuring import parse_arguments


def main():
    options = parse_arguments(__doc__, [("--compile", "through torch.compile")])
    torch.set_num_threads(options.threads)
    values = passes.varlen(options)
    parameters = [torch.from_numpy(array).requires_grad_() for array in values.parameters]
    x = torch.from_numpy(values.x)

    def loss_of(sequence, input_w, input_b, hidden_w, hidden_b):
        h = torch.zeros(passes.BATCH, passes.UNITS)
        for element in sequence:
            h = torch.tanh(F.linear(element, input_w, input_b) + F.linear(h, hidden_w, hidden_b))
        return h.square().sum()

    if options.compile:
        loss_of = torch.compile(loss_of)

    def step(length):
        loss = loss_of(x[:length], *parameters)
        loss.backward()
        for parameter in parameters:
            parameter.grad = None
        return loss.detach()

    passes.run(step, torch.__version__)


if __name__ == "__main__":
    main()
