#!/usr/bin/env python3
"""Objects compiled for AVX-512 define no function that the linker could merge with one of baseline code.

An inline function or template instance is emitted in every object that uses it, and the linker keeps one. If it kept
the AVX-512 copy, the program would stop with an illegal instruction on a CPU without it. So all such functions in
kernels/cpu/simd must have the instruction set in their name, by living in the namespace SWAGE_SIMD.
"""

import subprocess

import house


def main():
    arguments = house.parse(__doc__)
    objects = sorted((arguments.build / "kernels" / "CMakeFiles").glob("swage_kernels_avx512.dir/**/*.o"))
    if not objects:
        print("SKIPPED: kernels/cpu/simd has no sources")
        raise SystemExit(77)
    problems = []
    for file in objects:
        listing = subprocess.run(["nm", "--defined-only", file], capture_output=True, text=True, check=True).stdout
        for line in listing.splitlines():
            _, kind, symbol = line.split(maxsplit=2)
            if kind in "WVu" and "avx512" not in symbol and not symbol.startswith("DW.ref."):
                problems.append(f"{file.name}: {symbol} is shared with code for other instruction sets")
    house.finish(problems, len(objects))


if __name__ == "__main__":
    main()
