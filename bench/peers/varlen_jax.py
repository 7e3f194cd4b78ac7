#!/usr/bin/env python3
"""`varlen` in JAX: one jitted function around lax.scan, compiled anew for every length it has not met. (A Python loop takes twice as long.)"""

import os

import passes
from measuring import parse_arguments

OPTIONS = parse_arguments(__doc__)
os.environ["JAX_PLATFORMS"] = "cpu"  # read when JAX is imported

import jax  # noqa: E402
from jax import lax, numpy as jnp  # noqa: E402


def main():
    values = passes.varlen(OPTIONS)
    parameters, x = tuple(map(jnp.asarray, values.parameters)), values.x

    def loss_of(parameters, sequence):
        input_w, input_b, hidden_w, hidden_b = parameters
        h = jnp.zeros((passes.BATCH, passes.UNITS))
        cell = lambda h, element: jnp.tanh(element @ input_w.T + input_b + (h @ hidden_w.T + hidden_b))
        h, _ = lax.scan(lambda h, element: (cell(h, element), None), h, sequence)
        return jnp.square(h).sum()

    gradients = jax.jit(jax.value_and_grad(loss_of))
    passes.run(lambda length: jax.block_until_ready(gradients(parameters, x[:length]))[0], jax.__version__)


if __name__ == "__main__":
    main()
