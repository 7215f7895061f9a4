"""`python -m benchmarks`, `graphc bench`: graphc against its peers, and each of its parts against what bounds it.

python -m benchmarks --quick                                     # training steps and predictions, two minutes
python -m benchmarks --only mlp_small,mlp_bn --contenders graphc,jax
python -m benchmarks cold --backend cpu                          # the first call, with and without a cache
python -m benchmarks contractions --threads 2                    # products and convolutions against libraries
python -m benchmarks kernels                                     # fused kernels against their bytes
python -m benchmarks scaling                                     # depth, width, batch, threads
python -m benchmarks passes                                      # passes over graphs of up to 100,000 nodes
"""

from __future__ import annotations

import importlib
import sys

# Loaded when chosen: some set a number of threads that libraries read as they are loaded.
PARTS = {
    "cold": "cold_start",
    "contractions": "contractions",
    "kernels": "fused_kernels",
    "scaling": "scaling",
    "passes": "pass_scaling",
}


def main(arguments: list[str]) -> int:
    """Run one of the benchmarks; gives the exit status."""
    name, rest = "comparison", arguments
    if arguments and arguments[0] in PARTS:
        name, rest = PARTS[arguments[0]], arguments[1:]
    status: int = importlib.import_module(f"benchmarks.{name}").main(rest)
    return status


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
