"""Sizes and initial values of the workloads, for every peer: NumPy arrays, drawn in the order of bench/workloads/*.cpp.

Each function takes the options and gives a namespace of arrays. Parameters stand in the order in which an optimiser
walks through them.
"""

import math
from types import SimpleNamespace as Values

import numpy

from draws import Draws

N_BATCHES = 16  # distinct random batches that mlp and convnet go through in turn
SGD = {"lr": 0.01, "momentum": 0.9}
ADAM = {"lr": 1e-3, "betas": (0.9, 0.999), "eps": 1e-8}


def linear(draws, inputs, outputs, bias=True):
    bound = 1 / math.sqrt(inputs)
    weight = draws.uniform(bound, outputs, inputs)
    return (weight, draws.uniform(bound, outputs)) if bias else (weight,)


def seed_rnn(options):
    draws = Draws(options.seed)
    return Values(x=draws.randn(1, 10), prev_h=draws.randn(1, 20), W_h=draws.randn(20, 20), W_x=draws.randn(20, 10))


def chain(options):
    draws = Draws(options.seed)
    return Values(x=draws.randn(16), addends=[draws.randn(16) for _ in range(100)])


def mlp(options):
    draws = Draws(options.seed)
    layers = [linear(draws, *sizes) for sizes in ((784, 512), (512, 512), (512, 10))]
    batches = [(draws.randn(64, 784), draws.randint(10, 64)) for _ in range(N_BATCHES)]
    return Values(layers=layers, batches=batches)


CONV_LAYERS = ((32, 1), (64, 2), (128, 2))  # output channels and stride of each 3×3 convolution, padding 1


def conv_model(draws, channels):
    """3 × (convolution without bias – batch norm – ReLU), global average pooling, a linear layer to ten classes."""
    kernels = []
    for outputs, _ in CONV_LAYERS:
        kernels.append(draws.uniform(1 / math.sqrt(9 * channels), outputs, channels, 3, 3))
        channels = outputs
    return Values(kernels=kernels, head=linear(draws, channels, 10))


def convnet(options):
    height, width, channels = map(int, options.image.split("x"))
    draws = Draws(options.seed)
    model = conv_model(draws, channels)
    batches = [(draws.randn(32, channels, height, width), draws.randint(10, 32)) for _ in range(N_BATCHES)]
    return Values(model=model, channels=channels, batches=batches)


def elements(n_arrays, columns=None):
    """`n_arrays` arrays of 2^log2 elements, in rows of at most `columns`."""
    def values(options):
        draws, n = Draws(options.seed), 2**options.log2
        shape = (n,) if columns is None else (n // min(n, columns), min(n, columns))
        return Values(arrays=[draws.randn(*shape) for _ in range(n_arrays)])
    return values


pointwise = elements(4)
softmax = layer_norm = elements(1, columns=1024)
gelu = sum = elements(1)
axpy = elements(2)


def adam_update(options):
    """Parameter, gradient, and the running means of the gradient and its square, which is never negative."""
    draws, n = Draws(options.seed), 2**options.log2
    parameter, gradient, mean, variance = (draws.randn(n) for _ in range(4))
    return Values(arrays=[parameter, gradient, mean, abs(variance)])
