#!/usr/bin/env python3
"""The workloads in PyTorch, written as one would write them there, timed step by step: eager, or with --compile.

Same models, sizes, initial values, dtype (float32) and threads as `swage run WORKLOAD`. With --compile the forward pass
and the loss are one compiled function, and with it their gradients; optimisers are the fused ones either way.
"""

import torch
from torch import nn
from torch.nn import functional as F

import definitions
from definitions import ADAM, ADAMW, CONV_LAYERS, SGD
from measuring import Workload, parse_arguments, run


def tensors(arrays):
    return [torch.from_numpy(array) for array in arrays]


def numpy_of(outputs):
    return [output.detach().numpy() for output in outputs]


def compiled(function, options):
    # nn.LSTM is the one module here that stays outside of compiled graphs.
    return torch.compile(function, fullgraph=options.workload != "lstm_lm") if options.compile else function


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
    outputs = lambda result: numpy_of(result if isinstance(result, tuple) else [result])
    return Workload(lambda: function(*arrays), "elements", 2**options.log2, outputs=outputs)


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
    """Into fresh tensors, without bias correction."""
    (beta1, beta2), lr, eps = ADAM["betas"], ADAM["lr"], ADAM["eps"]

    def update(parameter, mean, variance, gradient):
        mean = torch.lerp(mean, gradient, 1 - beta1)
        variance = torch.addcmul(variance * beta2, gradient, gradient, value=1 - beta2)
        return torch.addcdiv(parameter, mean, variance.sqrt().add_(eps), value=-lr), mean, variance

    return kernel(options, update)


def training(options, loss_of, optimizer, batches, unit="samples", units_per_step=None, first_extras=(), clip=None):
    """A supervised step on the next of the given batches; `loss_of(*batch)` is the forward pass and the loss. It is given one
    argument more in the first steps, where `first_extras` has some for them."""
    loss_of = compiled(loss_of, options)
    parameters = optimizer.param_groups[0]["params"]
    state = {"next": 0}

    def step():
        i = state["next"]
        state["next"] += 1
        loss = loss_of(*batches[i % len(batches)], *first_extras[i:i + 1])
        loss.backward(inputs=parameters)
        if clip is not None:
            nn.utils.clip_grad_norm_(parameters, clip, foreach=True)
        optimizer.step()
        optimizer.zero_grad(set_to_none=True)
        return loss.detach()

    return Workload(step, unit, units_per_step or len(batches[0][0]), loss=lambda loss: loss.item())


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


def lennard_jones(options):
    values = definitions.lennard_jones(options)
    model = nn.Sequential(nn.Linear(1, 16), nn.Tanh(), nn.Linear(16, 16), nn.Tanh(), nn.Linear(16, 16), nn.Tanh(),
                          nn.Linear(16, 16), nn.Tanh(), nn.Linear(16, 1))
    assign(model.parameters(), [array for layer in values.layers for array in layer])
    batch = tensors([values.r, values.energy, values.force])

    def total_energy(r):
        energy = model(r)
        return energy.sum(), energy

    def loss(r, wanted_energy, wanted_force):
        if options.compile:  # torch.compile cannot see through autograd.grad
            slope, energy = torch.func.grad(total_energy, has_aux=True)(r)
        else:
            total, energy = total_energy(r.requires_grad_())
            slope, = torch.autograd.grad(total, r, create_graph=True)
        return F.mse_loss(energy, wanted_energy) + F.mse_loss(-slope, wanted_force)

    optimizer = torch.optim.Adam(model.parameters(), fused=True, **ADAM)
    return training(options, loss, optimizer, [batch], "points")


def lstm_lm(options):
    values, sizes = definitions.lstm_lm(options), definitions.LSTM
    encoder = nn.Embedding(sizes.words, sizes.width)
    layers = nn.ModuleList(nn.LSTM(sizes.width, sizes.width) for _ in range(2))
    decoder = nn.Linear(sizes.width, sizes.words)
    model = nn.ModuleList([encoder, layers, decoder])
    assign(model.parameters(), [values.encoder, *values.layers[0], *values.layers[1], *values.decoder])

    def drop(x, mask):
        return F.dropout(x, sizes.dropout) if mask is None else x * mask / (1 - sizes.dropout)

    def loss(words, target, masks=(None, None, None)):
        x = encoder(words)
        for layer, mask in zip(layers, masks):
            x, _ = layer(drop(x, mask))
        return F.cross_entropy(decoder(drop(x, masks[2])).view(-1, sizes.words), target)

    return training(options, loss, torch.optim.SGD(model.parameters(), lr=sizes.lr, fused=True),
                    [tensors(batch) for batch in values.batches], "words", sizes.steps * sizes.columns,
                    first_extras=[tensors(masks) for masks in values.masks], clip=sizes.clip)


class Block(nn.Module):
    """Pre-norm: causal attention, then two linear layers with GELU between."""

    def __init__(self, width, heads):
        super().__init__()
        self.heads = heads
        self.norm1, self.qkv, self.out = nn.LayerNorm(width), nn.Linear(width, 3 * width), nn.Linear(width, width)
        self.norm2, self.up, self.down = nn.LayerNorm(width), nn.Linear(width, 4 * width), nn.Linear(4 * width, width)

    def forward(self, x):
        batch, context, width = x.shape
        qkv = self.qkv(self.norm1(x)).view(batch, context, 3, self.heads, width // self.heads)
        attended = F.scaled_dot_product_attention(*qkv.permute(2, 0, 3, 1, 4), is_causal=True)
        x = x + self.out(attended.transpose(1, 2).reshape(batch, context, width))
        return x + self.down(F.gelu(self.up(self.norm2(x)), approximate="tanh"))


def transformer(options):
    values, sizes = definitions.transformer(options), definitions.TRANSFORMER
    tokens, positions = (nn.Embedding(n, sizes.width) for n in (sizes.characters, sizes.context))
    blocks = nn.Sequential(*(Block(sizes.width, sizes.heads) for _ in range(sizes.blocks)))
    norm, head = nn.LayerNorm(sizes.width), nn.Linear(sizes.width, sizes.characters, bias=False)
    model = nn.ModuleList([tokens, positions, blocks, norm, head])
    assign(model.parameters(), [values.tokens, values.positions, *(array for block in values.blocks for pair in
           (block.norm1, block.attention, block.out, block.norm2, block.up, block.down) for array in pair),
           *values.norm, values.head])

    def loss(characters, target):
        x = blocks(tokens(characters) + positions.weight)
        return F.cross_entropy(head(norm(x)).view(-1, sizes.characters), target)

    return training(options, loss, torch.optim.AdamW(model.parameters(), fused=True, **ADAMW),
                    [tensors(batch) for batch in values.batches], "characters", sizes.batch * sizes.context)


WORKLOADS = {f.__name__.rstrip("_"): f for f in (seed_rnn, chain, mlp, convnet, pointwise, softmax, layer_norm, gelu, sum_, axpy,
                                                 adam_update, lennard_jones, lstm_lm, transformer)}


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
