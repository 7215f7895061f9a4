"""What is measured: the same weights and data for every contender, made by NumPy from a seed and handed over.

    WORKLOADS["mlp_bn"].arrays(seed=0)["x"].shape        # (128, 784)
    select(["inference", "mlp_bn"])                      # all predictions, and one training step

A workload is a training step or a prediction of a network (`network.py`, and a file for each family), or the chain;
for the micro-benchmarks, a contraction by itself (`single.py`).
"""

from __future__ import annotations

from collections.abc import Iterable

from benchmarks.workloads.chain import Chain
from benchmarks.workloads.lstm import Lstm
from benchmarks.workloads.mlp import Mlp
from benchmarks.workloads.network import Network, Prediction, Training
from benchmarks.workloads.resnet import ResNet
from benchmarks.workloads.single import Case, all_cases
from benchmarks.workloads.stack import LENET, MOBILENET, VGG, VGG11
from benchmarks.workloads.transformer import Transformer

Workload = Training | Prediction | Chain | Case

MLP_SMALL, MLP_BN, MLP_WIDE = Mlp((64, 32, 10)), Mlp((784, 512, 512, 10)), Mlp((1024, 2048, 2048, 10))
RESNET20, TRANSFORMER, LSTM = ResNet(), Transformer(), Lstm()

WORKLOADS: dict[str, Training | Prediction | Chain] = {
    workload.name: workload
    for workload in (
        Training("mlp_small", MLP_SMALL, 32),
        Training("mlp_bn", MLP_BN, 128),
        Training("mlp_wide", MLP_WIDE, 512),
        Training("resnet20", RESNET20, 64, checked=3),  # torch and its channels last part by 8e-5 at the fifth
        Training("transformer", TRANSFORMER, 16),
        Training("lstm", LSTM, 32),
        Training("lenet", LENET, 128, kind="stacks"),
        Training("vgg", VGG, 32, checked=3, kind="stacks"),
        Training("vgg11", VGG11, 32, checked=3, kind="stacks"),
        Training("mobilenet", MOBILENET, 32, checked=3, kind="stacks"),
        Training("transformer_long", Transformer(tokens=1024), 2, kind="stacks"),
        Chain("chain", 4096, 3072),
        Prediction("predict_mlp_small_1", MLP_SMALL, 1),
        Prediction("predict_mlp_small_32", MLP_SMALL, 32),
        Prediction("predict_mlp_bn_1", MLP_BN, 1),
        Prediction("predict_mlp_bn_128", MLP_BN, 128),
        Prediction("predict_resnet20_1", RESNET20, 1),
        Prediction("predict_resnet20_64", RESNET20, 64),
        Prediction("predict_transformer_1", TRANSFORMER, 1),
        Prediction("predict_transformer_16", TRANSFORMER, 16),
        Prediction("predict_lstm_1", LSTM, 1),
        Prediction("predict_lstm_32", LSTM, 32),
    )
}


SINGLES: dict[str, Case] = {
    case.name: case
    for case in all_cases(
        [
            (workload.network.contractions, workload.batch, isinstance(workload, Training))
            for workload in WORKLOADS.values()
            if not isinstance(workload, Chain) and "stacks" not in workload.kinds
        ]
    )
}


def find(name: str) -> Workload:
    """The workload or single contraction of this name."""
    found = WORKLOADS.get(name) or SINGLES.get(name)
    if found is None:
        raise ValueError(f"there is no workload {name}")
    return found


def select(names: Iterable[str]) -> list[Training | Prediction | Chain]:
    """The workloads of these names or kinds, in the order of WORKLOADS; ValueError names what there is."""
    wanted = set(names)
    kinds = {kind for workload in WORKLOADS.values() for kind in workload.kinds}
    unknown = wanted - set(WORKLOADS) - kinds
    if unknown:
        known = f"{', '.join(WORKLOADS)}; kinds {', '.join(sorted(kinds))}"
        raise ValueError(f"there is no workload {', '.join(sorted(unknown))}; there are {known}")
    return [workload for workload in WORKLOADS.values() if wanted & {workload.name, *workload.kinds}]


__all__ = ["SINGLES", "WORKLOADS", "Chain", "Network", "Prediction", "Training", "Workload", "find", "select"]
