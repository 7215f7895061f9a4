"""Writes the oracles of `graphc.nn`: nn_activations.npz, nn_losses.npz, nn_layers.npz, nn_attention.npz,
nn_sliding.npz, nn_recurrent.npz, nn_init.npz.

Run from the repository's root, in an environment with `pip install torch==2.13.0 numpy`:

    python -m tests.oracles.make_nn_oracles

Same torch, same files: every input is drawn from a seed that stands in the maker's own file.
"""

import warnings

import torch
from tests.oracles.case import FOLDER, write
from tests.oracles.torch_cases import activations, attention, initialization, layers, losses, recurrent, sliding

TORCH = "2.13.0"


def main() -> None:
    if torch.__version__.partition("+")[0] != TORCH:
        raise SystemExit(f"the oracles are those of torch {TORCH}, but this is torch {torch.__version__}")
    torch.manual_seed(0)
    torch.set_num_threads(1)
    for maker in (activations, losses, layers, attention, sliding, recurrent, initialization):
        cases = list(maker.cases())
        write(maker.FILE, cases)
        size = (FOLDER / f"{maker.FILE}.npz").stat().st_size
        print(f"{maker.FILE}.npz: {len(cases)} cases, {size:,} bytes")


if __name__ == "__main__":
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        main()
