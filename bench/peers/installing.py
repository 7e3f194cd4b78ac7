"""The peers' packages, from PyPI, on first use. What cannot be had is left out with a message."""

import os
import pathlib
import subprocess
import sys

HERE = pathlib.Path(__file__).parent


def message(text):
    print(f"peers: {text}", file=sys.stderr, flush=True)


class Unavailable(Exception):
    pass


def has(python, package, environment=None):
    return python.exists() and subprocess.run([python, "-c", f"import {package}"], capture_output=True,
                                              env=environment).returncode == 0


def python_of(folder):
    return folder / "bin" / "python"


def install(folder, requirements, *options):
    try:
        if not python_of(folder).exists():
            subprocess.run([sys.executable, "-m", "venv", folder], check=True)
        subprocess.run([python_of(folder), "-m", "pip", "install", "--quiet", "--no-deps", "-r", HERE / requirements, *options],
                       check=True)
    except (OSError, subprocess.CalledProcessError) as error:
        message(f"installing failed: {error}")


def installed_peers(folder):
    """Those of torch and jax that are there, after an attempt to install what is missing."""
    missing = [package for package in ("torch", "jax", "gymnasium") if not has(python_of(folder), package)]
    if missing:
        message(f"installing PyTorch, JAX and Gymnasium into {folder} (about 3 GB)")
        install(folder, "requirements.txt")
        missing = [package for package in missing if not has(python_of(folder), package)]
    for package in ("torch", "jax"):
        if package in missing:
            message(f"{package} is not there and is left out")
    return [package for package in ("torch", "jax") if package not in missing]


def dynet_environment(folder, environment=os.environ):
    """Where DyNet is found: in a folder of its own, for it needs a NumPy that is not the others'."""
    return {**environment, "PYTHONPATH": str(folder / "dynet")}


def installed_dynet(folder):
    """Whether DyNet is there, after an attempt to install it."""
    is_there = lambda: has(python_of(folder), "_dynet", dynet_environment(folder))
    if is_there():
        return True
    message(f"installing DyNet into {folder / 'dynet'}")
    install(folder, "requirements_dynet.txt", "--target", folder / "dynet")
    if is_there():
        return True
    message("dynet is not there and is left out")
    return False
