"""What int8 numbers stand for: scale * (number - zero)."""

from typing import NamedTuple

import numpy as np


class Quantized(NamedTuple):
    """maps: scale and zero of each tensor. weights: int8, by operation. steps: of weights, float32, one or one a filter."""

    maps: dict[str, tuple[float, int]]
    weights: dict[str, np.ndarray]
    steps: dict[str, np.ndarray]
