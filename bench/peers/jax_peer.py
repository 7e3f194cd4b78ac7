#!/usr/bin/env python3
"""The workloads in JAX: one jitted function a step, state donated, timed step by step.

Same models, sizes, initial values, dtype (float32) and threads as `swage run WORKLOAD`. A step ends when its results are there.
"""

import os
import sys
from functools import partial

from measuring import Workload, parse_arguments, run

OPTIONS = parse_arguments(__doc__)
# Read when JAX is imported. It takes as many threads as there are cores for it: --threads is for `taskset` to enforce.
os.environ["JAX_PLATFORMS"] = "cpu"

import jax  # noqa: E402
from jax import lax, numpy as jnp, random  # noqa: E402
import numpy  # noqa: E402

import definitions  # noqa: E402
from definitions import ADAM, ADAMW, CONV_LAYERS, SGD  # noqa: E402

tree = jax.tree_util


def on_device(values):
    return tree.tree_map(jnp.asarray, values)


def numpy_of(outputs):
    return [numpy.asarray(output) for output in outputs]


def seed_rnn(options):
    values = definitions.seed_rnn(options)

    def program(W_h, W_x, x, prev_h):
        next_h, pull = jax.vjp(lambda W_h, W_x: jnp.tanh(W_x @ x.T + W_h @ prev_h.T), W_h, W_x)
        return next_h, pull(jnp.ones((20, 1)))[0]

    @jax.jit
    def draw_and_run(key):
        key, *keys = random.split(key, 5)
        shapes = ((20, 20), (20, 10), (1, 10), (1, 20))
        return key, program(*(random.normal(k, shape) for k, shape in zip(keys, shapes)))

    state = {"key": random.key(options.seed)}

    def step():
        state["key"], results = draw_and_run(state["key"])
        return jax.block_until_ready(results)

    def first_step():
        return jax.jit(program)(*on_device([values.W_h, values.W_x, values.x, values.prev_h]))

    return Workload(step, "steps", 1, outputs=numpy_of, first_step=first_step)


def chain(options):
    values = definitions.chain(options)
    x, addends = on_device((values.x, values.addends))

    @jax.jit
    def add_all(x, addends):
        for addend in addends:
            x = x + addend
        return x

    return Workload(lambda: add_all(x, addends).block_until_ready(), "ops", 100, outputs=lambda y: numpy_of([y]))


def kernel(options, function):
    """A function of whole arrays of 2^log2 elements."""
    arrays = on_device(getattr(definitions, options.workload)(options).arrays)
    function = jax.jit(function)
    outputs = lambda result: numpy_of(result if isinstance(result, tuple) else [result])
    return Workload(lambda: jax.block_until_ready(function(*arrays)), "elements", 2**options.log2, outputs=outputs)


def pointwise(options):
    return kernel(options, lambda a, b, c, d: jnp.tanh(a * b + c) * jnp.exp(-(d * d)))


def softmax(options):
    return kernel(options, lambda x: jax.nn.softmax(x, axis=1))


def standardized(x):
    """Rows with mean 0 and variance 1."""
    mean = x.mean(-1, keepdims=True)
    centered = x - mean
    return centered * lax.rsqrt(jnp.square(centered).mean(-1, keepdims=True) + 1e-5)


def layer_norm(options):
    return kernel(options, standardized)


def gelu(options):
    return kernel(options, partial(jax.nn.gelu, approximate=True))


def sum_(options):
    return kernel(options, jnp.sum)


def axpy(options):
    return kernel(options, lambda a, b: a + 0.1 * b)


def adam_update(options):
    """Into fresh arrays, without bias correction."""
    (beta1, beta2), lr, eps = ADAM["betas"], ADAM["lr"], ADAM["eps"]

    def update(parameter, mean, variance, gradient):
        mean = beta1 * mean + (1 - beta1) * gradient
        variance = beta2 * variance + (1 - beta2) * gradient * gradient
        return parameter - lr * mean / (jnp.sqrt(variance) + eps), mean, variance

    return kernel(options, update)


def cross_entropy(logits, target):
    return -jnp.mean(jnp.take_along_axis(jax.nn.log_softmax(logits), target[:, None], axis=1))


def sgd(parameters, gradients, velocities):
    velocities = tree.tree_map(lambda v, g: SGD["momentum"] * v + g, velocities, gradients)
    return tree.tree_map(lambda p, v: p - SGD["lr"] * v, parameters, velocities), velocities


def adam(parameters, gradients, state, weight_decay=0):
    (beta1, beta2), lr, eps = ADAM["betas"], ADAM["lr"], ADAM["eps"]
    means, variances, t = state
    t = t + 1
    means = tree.tree_map(lambda m, g: beta1 * m + (1 - beta1) * g, means, gradients)
    variances = tree.tree_map(lambda v, g: beta2 * v + (1 - beta2) * g * g, variances, gradients)
    step_size, root_scale = lr / (1 - beta1**t), 1 / jnp.sqrt(1 - beta2**t)
    update = lambda p, m, v: p * (1 - lr * weight_decay) - step_size * m / (jnp.sqrt(v) * root_scale + eps)
    return tree.tree_map(update, parameters, means, variances), (means, variances, t)


def clipped_sgd(parameters, gradients, state):
    norm = jnp.sqrt(sum(jnp.vdot(g, g) for g in tree.tree_leaves(gradients)))
    scale = definitions.LSTM.lr * jnp.minimum(1, definitions.LSTM.clip / (norm + 1e-6))
    return tree.tree_map(lambda p, g: p - scale * g, parameters, gradients), state


def training(options, loss_of, parameters, batches, buffers=(), update=None, unit="samples", units_per_step=None, first_extras=()):
    """A supervised step on the next of the given batches; `loss_of(parameters, buffers, *batch)` gives loss and new buffers. It
    is given one argument more in the first steps, where `first_extras` has some for them."""
    parameters, buffers, batches = on_device((parameters, buffers, batches))
    zeros = lambda: tree.tree_map(jnp.zeros_like, parameters)
    update = update or (adam if options.optimizer == "adam" else sgd)
    optimizer_state = {sgd: zeros, clipped_sgd: tuple}.get(update, lambda: (zeros(), zeros(), jnp.float32(0)))()

    @partial(jax.jit, donate_argnums=(0, 1, 2))
    def train(parameters, optimizer_state, buffers, *batch):
        (loss, buffers), gradients = jax.value_and_grad(loss_of, has_aux=True)(parameters, buffers, *batch)
        return loss, *update(parameters, gradients, optimizer_state), buffers

    state = {"next": 0, "trained": (parameters, optimizer_state, buffers)}

    def step():
        i = state["next"]
        state["next"] += 1
        batch = (*batches[i % len(batches)], *first_extras[i:i + 1])
        loss, *state["trained"] = jax.block_until_ready(train(*state["trained"], *batch))
        return loss

    return Workload(step, unit, units_per_step or len(batches[0][0]), loss=float)


def mlp(options):
    values = definitions.mlp(options)

    def loss(layers, buffers, x, target):
        for weight, bias in layers[:-1]:
            x = jax.nn.relu(x @ weight.T + bias)
        weight, bias = layers[-1]
        return cross_entropy(x @ weight.T + bias, target), buffers

    return training(options, loss, values.layers, values.batches)


def batch_norm(x, weight, bias, running_mean, running_variance):
    """(N,H,W,C) over all but C; also the running statistics after this batch."""
    n = x.size // x.shape[-1]
    mean, variance = x.mean((0, 1, 2)), x.var((0, 1, 2))
    running = (0.9 * running_mean + 0.1 * mean, 0.9 * running_variance + 0.1 * variance * (n / (n - 1)))
    return (x - mean) * (lax.rsqrt(variance + 1e-5) * weight) + bias, running


def convnet(options):
    """Channels last, which XLA prefers on CPUs."""
    values = definitions.convnet(options)
    kernels = [kernel.transpose(2, 3, 1, 0) for kernel in values.model.kernels]
    ones_and_zeros = lambda n: (numpy.ones(n, "float32"), numpy.zeros(n, "float32"))
    norms = [ones_and_zeros(n) for n, _ in CONV_LAYERS]
    running = [ones_and_zeros(n)[::-1] for n, _ in CONV_LAYERS]
    batches = [(x.transpose(0, 2, 3, 1).copy(), target) for x, target in values.batches]

    def loss(parameters, running, x, target):
        kernels, norms, (weight, bias) = parameters
        after = []
        for kernel, norm, before, (_, stride) in zip(kernels, norms, running, CONV_LAYERS):
            x = lax.conv_general_dilated(x, kernel, (stride, stride), ((1, 1), (1, 1)),
                                         dimension_numbers=("NHWC", "HWIO", "NHWC"))
            x, now = batch_norm(x, *norm, *before)
            x = jax.nn.relu(x)
            after.append(now)
        return cross_entropy(x.mean((1, 2)) @ weight.T + bias, target), after

    return training(options, loss, (kernels, norms, values.model.head), batches, running)


def lennard_jones(options):
    values = definitions.lennard_jones(options)

    def energy_at(layers, r):
        x = r
        for weight, bias in layers[:-1]:
            x = jnp.tanh(weight @ x + bias)
        weight, bias = layers[-1]
        return (weight @ x + bias)[0]

    def loss(layers, buffers, r, wanted_energy, wanted_force):
        energy, slope = jax.vmap(jax.value_and_grad(energy_at, argnums=1), (None, 0))(layers, r)
        error = jnp.square(energy - wanted_energy[:, 0]).mean() + jnp.square(-slope - wanted_force).mean()
        return error, buffers

    return training(options, loss, values.layers, [(values.r, values.energy, values.force)], update=adam, unit="points")


def lstm(x, w_input, w_hidden, b_input, b_hidden):
    """(T,N,H) → (T,N,H), from zeros; the products with all inputs are one."""
    projected = x @ w_input.T + (b_input + b_hidden)

    def cell(state, projected):
        hidden, memory = state
        i, f, g, o = jnp.split(projected + hidden @ w_hidden.T, 4, axis=-1)
        memory = jax.nn.sigmoid(f) * memory + jax.nn.sigmoid(i) * jnp.tanh(g)
        hidden = jax.nn.sigmoid(o) * jnp.tanh(memory)
        return (hidden, memory), hidden

    zeros = jnp.zeros_like(x[0])
    return lax.scan(cell, (zeros, zeros), projected)[1]


def lstm_lm(options):
    values, sizes = definitions.lstm_lm(options), definitions.LSTM

    def loss(parameters, key, words, target, masks=None):
        encoder, layers, (weight, bias) = parameters
        key, *keys = random.split(key, 4)
        x = encoder[words]
        drop = lambda x, i: x * (masks[i] if masks else random.bernoulli(keys[i], 1 - sizes.dropout, x.shape)) / (1 - sizes.dropout)
        for i, layer in enumerate(layers):
            x = lstm(drop(x, i), *layer)
        logits = drop(x, 2).reshape(-1, sizes.width) @ weight.T + bias
        return cross_entropy(logits, target), key

    return training(options, loss, (values.encoder, values.layers, values.decoder), values.batches, random.key(options.seed),
                    clipped_sgd, "words", sizes.steps * sizes.columns, first_extras=on_device(values.masks))


def transformer(options):
    values, sizes = definitions.transformer(options), definitions.TRANSFORMER
    linear = lambda x, weight, bias: x @ weight.T + bias
    norm = lambda x, weight, bias: standardized(x) * weight + bias

    def block(x, parameters):
        qkv = linear(norm(x, *parameters["norm1"]), *parameters["attention"])
        heads = lambda part: part.reshape(*x.shape[:2], sizes.heads, -1)
        attended = jax.nn.dot_product_attention(*map(heads, jnp.split(qkv, 3, axis=-1)), is_causal=True)
        x = x + linear(attended.reshape(x.shape), *parameters["out"])
        return x + linear(jax.nn.gelu(linear(norm(x, *parameters["norm2"]), *parameters["up"])), *parameters["down"])

    def loss(parameters, buffers, characters, target):
        x = parameters["tokens"][characters] + parameters["positions"]
        for of_block in parameters["blocks"]:
            x = block(x, of_block)
        logits = norm(x, *parameters["norm"]) @ parameters["head"].T
        return cross_entropy(logits.reshape(-1, sizes.characters), target), buffers

    parameters = {**vars(values), "blocks": [vars(block) for block in values.blocks]}
    batches = parameters.pop("batches")
    return training(options, loss, parameters, batches, update=partial(adam, weight_decay=ADAMW["weight_decay"]),
                    unit="characters", units_per_step=sizes.batch * sizes.context)


WORKLOADS = {f.__name__.rstrip("_"): f for f in (seed_rnn, chain, mlp, convnet, pointwise, softmax, layer_norm, gelu, sum_, axpy,
                                                 adam_update, lennard_jones, lstm_lm, transformer)}


def main():
    if OPTIONS.workload not in WORKLOADS:
        sys.exit(f"no such workload here: {OPTIONS.workload}")
    run(WORKLOADS[OPTIONS.workload](OPTIONS), OPTIONS, "jax", jax.__version__)


if __name__ == "__main__":
    main()
