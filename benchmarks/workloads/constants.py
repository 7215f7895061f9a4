"""The numbers that all contenders share: Adam's, BatchNorm's and LayerNorm's, as torch has them."""

from __future__ import annotations

from typing import Any

import numpy as np

Array = np.ndarray[Any, Any]

LEARNING_RATE = 1e-3
BETAS = (0.9, 0.999)
ADAM_EPS = 1e-8
BATCH_NORM_EPS = 1e-5
MOMENTUM = 0.1
LAYER_NORM_EPS = 1e-5
ITEM = 4  # bytes of an f32
