"""Sizes and initial values of the workloads, for every peer: NumPy arrays, drawn in the order of bench/workloads/*.cpp.

Each function takes the options and gives a namespace of arrays. Parameters stand in the order in which an optimiser
walks through them.
"""

import math
from types import SimpleNamespace as Values

import numpy

from draws import Draws

N_BATCHES = 16  # distinct random batches that mlp and convnet go through in turn
N_COMPARED = 5  # first steps whose losses are compared
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
    """Parameter, running mean of the gradient, of its square, gradient."""
    draws, n = Draws(options.seed), 2**options.log2
    return Values(arrays=[draws.randn(n), draws.randn(n), draws.rand(n), draws.randn(n)])


def lennard_jones(options):
    """Distances of two atoms, and the energies and forces to be learned."""
    draws = Draws(options.seed)
    widths = (1, 16, 16, 16, 16, 1)
    layers = [linear(draws, *sizes) for sizes in zip(widths, widths[1:])]
    r = 0.5 + 1.5 * numpy.arange(1000) / 999
    s = 0.5 / r
    column = lambda values: values.astype(numpy.float32).reshape(-1, 1)
    return Values(layers=layers, r=column(r), energy=column(s**12 - 2 * s**6), force=column(12 * (s**12 - s**6) / r))


LSTM = Values(words=10_000, width=200, steps=35, columns=20, dropout=0.2, clip=0.25, lr=20.0)


def lstm_lm(options):
    """Parameters (of each of the two layers: input and hidden weight, input and hidden bias), batches, and what survives dropout
    in the first steps: three masks each."""
    draws, width, batch = Draws(options.seed), LSTM.width, (LSTM.steps, LSTM.columns)
    encoder = draws.uniform(0.1, LSTM.words, width)
    shapes = ((4 * width, width), (4 * width, width), (4 * width,), (4 * width,))
    layers = [[draws.uniform(1 / math.sqrt(width), *shape) for shape in shapes] for _ in range(2)]
    decoder = (draws.uniform(0.1, LSTM.words, width), numpy.zeros(LSTM.words, numpy.float32))
    text = draws.randint(LSTM.words, N_BATCHES * LSTM.steps + 1, LSTM.columns)
    starts = range(0, N_BATCHES * LSTM.steps, LSTM.steps)
    batches = [(text[i:i + LSTM.steps], text[i + 1:i + 1 + LSTM.steps].reshape(-1)) for i in starts]
    masks = [[(draws.rand(*batch, width) >= numpy.float32(LSTM.dropout)).astype(numpy.float32) for _ in range(3)]
             for _ in range(N_COMPARED)]
    return Values(encoder=encoder, layers=layers, decoder=decoder, batches=batches, masks=masks)


TRANSFORMER = Values(characters=65, blocks=4, width=128, heads=4, context=128, batch=8)
ADAMW = {**ADAM, "weight_decay": 0.01}


def transformer(options):
    """Matrices are drawn, biases are 0, norms 1 and 0."""
    draws, sizes = Draws(options.seed), TRANSFORMER
    width = sizes.width
    matrix = lambda rows, columns: draws.normal(0.02, rows, columns)
    zeros, ones = lambda n: numpy.zeros(n, numpy.float32), lambda n: numpy.ones(n, numpy.float32)
    norm = lambda: (ones(width), zeros(width))
    block = lambda: Values(norm1=norm(), attention=(matrix(3 * width, width), zeros(3 * width)),
                           out=(matrix(width, width), zeros(width)), norm2=norm(),
                           up=(matrix(4 * width, width), zeros(4 * width)), down=(matrix(width, 4 * width), zeros(width)))
    tokens, positions = matrix(sizes.characters, width), matrix(sizes.context, width)
    blocks = [block() for _ in range(sizes.blocks)]
    head = matrix(sizes.characters, width)
    texts = [draws.randint(sizes.characters, sizes.batch, sizes.context + 1) for _ in range(N_BATCHES)]
    batches = [(text[:, :-1].copy(), text[:, 1:].reshape(-1)) for text in texts]
    return Values(tokens=tokens, positions=positions, blocks=blocks, norm=norm(), head=head, batches=batches)
