#!/usr/bin/env python3
"""The workloads in PyTorch, written as one would write them there, timed step by step: eager, or with --compile.

Same models, sizes, initial values, dtype (float32) and threads as `swage run WORKLOAD`. With --compile the forward pass
and the loss are one compiled function, and with it their gradients; optimisers are the fused ones either way.
"""

import torch
from torch import nn
from torch.nn import functional as F

import definitions
from definitions import ADAM, CONV_LAYERS, SGD
from measuring import Workload, parse_arguments, run


def tensors(arrays):
    return [torch.from_numpy(array) for array in arrays]


def numpy_of(outputs):
    return [output.detach().numpy() for output in outputs]


def compiled(function, options):
    return torch.compile(function, fullgraph=True) if options.compile else function


def seed_rnn(options):
    values = definitions.seed_rnn(options)

    def forward(W_h, W_x, x, prev_h):
        i2h = torch.matmul(W_x, x.t())
        h2h = torch.matmul(W_h, prev_h.t())
        return torch.tanh(i2h + h2h)

    forward = compiled(forward, options)

    def backward(W_h, W_x, x, prev_h):
        next_h = forward(W_h.requires_grad_(), W_x.requires_grad_(), x, prev_h)
        next_h.backward(torch.ones(20, 1))
        return next_h, W_h.grad

    def step():
        x, prev_h = torch.randn(1, 10), torch.randn(1, 20)
        return backward(torch.randn(20, 20), torch.randn(20, 10), x, prev_h)

    def first_step():
        return backward(*tensors([values.W_h, values.W_x, values.x, values.prev_h]))

    return Workload(step, "steps", 1, outputs=numpy_of, first_step=first_step)


def chain(options):
    values = definitions.chain(options)
    torch.set_grad_enabled(False)
    x, addends = torch.from_numpy(values.x), tensors(values.addends)

    def add_all(x, *addends):
        for addend in addends:
            x = x + addend
        return x

    add_all = compiled(add_all, options)
    return Workload(lambda: add_all(x, *addends), "ops", 100, outputs=lambda y: numpy_of([y]))


def kernel(options, function):
    """A function of whole arrays of 2^log2 elements."""
    values = getattr(definitions, options.workload)(options)
    torch.set_grad_enabled(False)
    arrays, function = tensors(values.arrays), compiled(function, options)
    return Workload(lambda: function(*arrays), "elements", 2**options.log2, outputs=lambda y: numpy_of([y]))


def pointwise(options):
    return kernel(options, lambda a, b, c, d: torch.tanh(a * b + c) * torch.exp(-(d * d)))


def softmax(options):
    return kernel(options, lambda x: F.softmax(x, dim=1))


def layer_norm(options):
    return kernel(options, lambda x: F.layer_norm(x, (x.shape[1],)))


def gelu(options):
    return kernel(options, lambda x: F.gelu(x, approximate="tanh"))


def sum_(options):
    return kernel(options, torch.sum)


def axpy(options):
    return kernel(options, lambda a, b: torch.add(a, b, alpha=0.1))


def adam_update(options):
    """In place, without bias correction."""
    (beta1, beta2), lr, eps = ADAM["betas"], ADAM["lr"], ADAM["eps"]

    def update(parameter, gradient, mean, variance):
        mean.lerp_(gradient, 1 - beta1)
        variance.mul_(beta2).addcmul_(gradient, gradient, value=1 - beta2)
        parameter.addcdiv_(mean, variance.sqrt().add_(eps), value=-lr)
        return parameter

    return kernel(options, update)


def training(options, loss_of, optimizer, batches, unit="samples"):
    """A supervised step on the next of the given batches; `loss_of(*batch)` is the forward pass and the loss."""
    loss_of = compiled(loss_of, options)
    state = {"next": 0}

    def step():
        batch = batches[state["next"] % len(batches)]
        state["next"] += 1
        loss = loss_of(*batch)
        loss.backward()
        optimizer.step()
        optimizer.zero_grad(set_to_none=True)
        return loss.detach()

    return Workload(step, unit, len(batches[0][0]), loss=lambda loss: loss.item())


def make_optimizer(options, parameters):
    if options.optimizer == "adam":
        return torch.optim.Adam(parameters, fused=True, **ADAM)
    return torch.optim.SGD(parameters, fused=True, **SGD)


def assign(parameters, arrays):
    """Writes initial values into a model's parameters, which must be of the same shapes."""
    parameters, arrays = list(parameters), list(arrays)
    assert [tuple(p.shape) for p in parameters] == [a.shape for a in arrays]
    with torch.no_grad():
        for parameter, array in zip(parameters, arrays):
            parameter.copy_(torch.from_numpy(array))


def mlp(options):
    values = definitions.mlp(options)
    model = nn.Sequential(nn.Linear(784, 512), nn.ReLU(), nn.Linear(512, 512), nn.ReLU(), nn.Linear(512, 10))
    assign(model.parameters(), [array for layer in values.layers for array in layer])
    return training(options, lambda x, target: F.cross_entropy(model(x), target),
                    make_optimizer(options, model.parameters()), [tensors(batch) for batch in values.batches])


def conv_model(values, in_channels):
    layers, channels = [], in_channels
    for out_channels, stride in CONV_LAYERS:
        layers += [nn.Conv2d(channels, out_channels, 3, stride=stride, padding=1, bias=False),
                   nn.BatchNorm2d(out_channels), nn.ReLU()]
        channels = out_channels
    model = nn.Sequential(*layers, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(channels, 10))
    convolutions = [layer.weight for layer in model if isinstance(layer, nn.Conv2d)]
    assign([*convolutions, *model[-1].parameters()], [*values.kernels, *values.head])
    return model


def convnet(options):
    values = definitions.convnet(options)
    model = conv_model(values.model, values.channels)
    return training(options, lambda x, target: F.cross_entropy(model(x), target),
                    make_optimizer(options, model.parameters()), [tensors(batch) for batch in values.batches])


WORKLOADS = {f.__name__.rstrip("_"): f for f in (seed_rnn, chain, mlp, convnet, pointwise, softmax, layer_norm, gelu, sum_, axpy,
                                                 adam_update)}


def main():
    options = parse_arguments(__doc__, [("--compile", "through torch.compile")])
    if options.workload not in WORKLOADS:
        raise SystemExit(f"no such workload here: {options.workload}")
    torch.set_num_threads(options.threads)
    torch.manual_seed(options.seed)
    workload = WORKLOADS[options.workload](options)
    run(workload, options, "torch.compile" if options.compile else "torch", torch.__version__)


if __name__ == "__main__":
    main()
