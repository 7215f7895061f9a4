"""onnxruntime: predictions by an ONNX model built here, with all of its graph optimisations.

load(WORKLOADS["predict_mlp_bn_1"], arrays, {"threads": 2}).run(1)

The batch is a named extent of the model, as in an exported one. Threads within an op, none between ops.
"""

from __future__ import annotations

from typing import Any

from benchmarks.contenders.onnxruntime_.models import build
from benchmarks.contenders.runner import AbsentError, Runner
from benchmarks.workloads import Prediction, Workload
from benchmarks.workloads.constants import Array


def imports() -> dict[str, str]:
    """Import onnxruntime, and onnx, which makes the models."""
    import onnx
    import onnxruntime

    return {"onnxruntime": onnxruntime.__version__, "onnx": onnx.__version__}


def load(workload: Workload, arrays: dict[str, Array], options: dict[str, Any]) -> Runner:
    """The workload in a session with `options["threads"]` threads."""
    if not isinstance(workload, Prediction):
        raise AbsentError("onnxruntime predicts only")
    return Predictions(workload, arrays, options["threads"])


class Predictions:
    """Predictions of a network."""

    def __init__(self, workload: Prediction, arrays: dict[str, Array], threads: int) -> None:
        import onnxruntime

        settings = onnxruntime.SessionOptions()
        settings.intra_op_num_threads = threads
        settings.inter_op_num_threads = 1
        settings.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_ENABLE_ALL
        model = build(workload.network, arrays).SerializeToString()
        self._session = onnxruntime.InferenceSession(model, settings, providers=["CPUExecutionProvider"])
        self._feed = {"x": arrays["x"]}
        self._logits: Any = None

    def run(self, steps: int) -> None:
        run, feed = self._session.run, self._feed
        for _ in range(steps):
            (self._logits,) = run(None, feed)

    def witness(self) -> list[float]:
        return self._logits.ravel().tolist()  # type: ignore[no-any-return]

    def take(self, size: int) -> None:
        self._feed = {"x": self._feed["x"][:size]}
