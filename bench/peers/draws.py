"""Swage's random numbers in NumPy, so that every system starts from the same values.

The words of Philox4x32-10 (Salmon et al., "Parallel random numbers: as easy as 1, 2, 3", 2011) with the seed as key;
kernels/random.hpp says which element is made of which words. Uniform numbers are the same bits, normal ones the same
but for the last places of the logarithm and the sine.
"""

import numpy

CHUNK = 1 << 14  # counters at a time, so that the rounds stay in cache
LOW = numpy.uint64(0xFFFFFFFF)
HIGH = numpy.uint64(32)


def philox(seed, first, count, domain):
    """The words of `count` counters from `first` on: uint64 (count, 4), each below 2^32."""
    counter = numpy.arange(first, first + count, dtype=numpy.uint64)
    c0, c1 = counter & LOW, counter >> HIGH
    c2, c3 = numpy.full_like(counter, domain), numpy.zeros_like(counter)
    k0, k1 = seed & 0xFFFFFFFF, seed >> 32
    for _ in range(10):
        p0, p1 = c0 * numpy.uint64(0xD2511F53), c2 * numpy.uint64(0xCD9E8D57)
        c0, c1 = (p1 >> HIGH) ^ c1 ^ numpy.uint64(k0), p1 & LOW
        c2, c3 = (p0 >> HIGH) ^ c3 ^ numpy.uint64(k1), p0 & LOW
        k0, k1 = (k0 + 0x9E3779B9) & 0xFFFFFFFF, (k1 + 0xBB67AE85) & 0xFFFFFFFF
    return numpy.stack([c0, c1, c2, c3], axis=1)


def box_muller(uniform):
    """Pairs of uniform numbers → pairs of normal ones."""
    u, v = uniform[0::2], uniform[1::2]
    radius = numpy.sqrt(-2 * numpy.log(1 - u))
    angle = v * numpy.float32(2 * numpy.pi)
    return numpy.stack([radius * numpy.cos(angle), radius * numpy.sin(angle)], axis=1).reshape(-1)


class Draws:
    """A generator: draws in the order of the Swage program give its numbers. Arrays are float32 unless said otherwise."""

    def __init__(self, seed):
        self.seed, self.offset = seed, 0

    def _take(self, shape):
        """The first element's place and how many there are; the next draw begins at a multiple of four."""
        n, first = int(numpy.prod(shape, dtype=numpy.int64)), self.offset
        self.offset += (n + 3) // 4 * 4
        return first, n

    def _unit(self, first, n):
        out = numpy.empty((n + 3) // 4 * 4, numpy.float32)
        for i in range(0, len(out) // 4, CHUNK):
            count = min(CHUNK, len(out) // 4 - i)
            words = philox(self.seed, first // 4 + i, count, 0) >> numpy.uint64(8)
            out[4 * i:4 * (i + count)] = words.reshape(-1).astype(numpy.float32) * numpy.float32(2**-24)
        return out

    def rand(self, *shape):
        first, n = self._take(shape)
        return self._unit(first, n)[:n].reshape(shape)

    def randn(self, *shape):
        first, n = self._take(shape)
        unit = self._unit(first, n)
        for i in range(0, len(unit), 4 * CHUNK):
            unit[i:i + 4 * CHUNK] = box_muller(unit[i:i + 4 * CHUNK])
        return unit[:n].reshape(shape)

    def uniform(self, bound, *shape):
        """Within ±bound, as `Tensor::uniform_` draws."""
        return self.rand(*shape) * numpy.float32(2 * bound) + numpy.float32(-bound)

    def normal(self, deviation, *shape):
        return self.randn(*shape) * numpy.float32(deviation)

    def randint(self, high, *shape):
        """int64 from 0 to high − 1."""
        first, n = self._take(shape)
        words = philox(self.seed, first // 2, (n + 1) // 2, 1).reshape(-1, 2)[:n]
        both = words[:, 0] | words[:, 1] << HIGH
        unit = (both >> numpy.uint64(11)).astype(numpy.float64) * 2.0**-53
        return numpy.floor(unit * high).astype(numpy.int64).reshape(shape)
