"""The handwritten digits that scikit-learn carries: 1,797 images of 8×8 pixels, ten classes.

Source: E. Alpaydin, C. Kaynak, "Optical Recognition of Handwritten Digits", UCI Machine Learning Repository, 1998.
"""

from __future__ import annotations

import numpy as np

from graphc.data.dataset import ArrayDataset
from graphc.errors import MissingPackageError


def digits() -> ArrayDataset:
    """Images and labels: f32[1797,64] with pixels from 0 to 1, row by row, and i64[1797] with 0 to 9.

        image, label = digits()[0]       # f32[64], i64[]

    Raises MissingPackageError where scikit-learn is not installed.
    """
    try:
        from sklearn.datasets import load_digits
    except ModuleNotFoundError as error:
        raise MissingPackageError.of("scikit-learn", "the digits", "examples") from error
    images, labels = load_digits(return_X_y=True)
    return ArrayDataset((images / 16).astype(np.float32), labels.astype(np.int64))
