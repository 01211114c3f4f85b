"""Kinds of values that several modules here pass on."""

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

Wave = NDArray[np.float32]  # samples of one channel, in [-1, 1]
Tell = Callable[[str, int, int], None]  # what is being done, how many are done, of how many
