"""Metrics: how good predictions are, as numbers of NumPy arrays.

>>> accuracy(predict(images), labels)        # f32[359,10], i64[359]
0.9833
"""

from __future__ import annotations

from typing import Any

import numpy as np

from graphc.errors import ShapeError


def accuracy(scores: Any, labels: Any) -> float:
    """The share of examples whose highest score is that of their label.

        accuracy([[0.1, 0.9], [0.8, 0.2]], [1, 1])      # scores: (N, classes), labels: (N,)  ->  0.5

    Of equal scores the first counts; an example with a score that is NaN counts as wrong. Raises ShapeError where the
    arrays do not fit, and where there is no example.
    """
    scores, labels = np.asarray(scores), np.asarray(labels)
    if scores.ndim != 2 or labels.shape != scores.shape[:1] or 0 in scores.shape:
        raise ShapeError(f"accuracy takes scores (N, classes) and labels (N,), not {scores.shape} and {labels.shape}")
    right = (scores.argmax(axis=1) == labels) & ~np.isnan(scores).any(axis=1)
    return float(right.mean())
