"""`python -m benchmarks`: training steps against the peers; `python -m benchmarks cold`: the first call.

python -m benchmarks --only mlp_small,mlp_bn --contenders graphc,jax --quick
python -m benchmarks --json benchmarks/results/training_steps.json
python -m benchmarks cold --backend cpu
"""

from __future__ import annotations

import sys

from benchmarks import cold_start, comparison


def main(arguments: list[str]) -> int:
    """Run one of the benchmarks; gives the exit status."""
    if arguments[:1] == ["cold"]:
        return cold_start.main(arguments[1:])
    return comparison.main(arguments)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
