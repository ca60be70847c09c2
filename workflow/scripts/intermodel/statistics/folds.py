"""Which images serve, and in which fold of a jackknife: told by a hash of their ids alone, so that all models agree."""

from __future__ import annotations

import hashlib

import numpy as np
from numpy.typing import NDArray


def folds_of(ids: NDArray[np.str_], folds: int) -> NDArray[np.int32]:
    """Fold of each image, (N,), from a hash of its id: it does not depend on what else is in the data set."""
    digests = (hashlib.sha256(str(name).encode()).digest()[:8] for name in ids)
    return np.array([int.from_bytes(digest, "little") % folds for digest in digests], dtype=np.int32)


def chosen_images(ids: NDArray[np.str_], images: int | None) -> NDArray[np.intp]:
    """Rows of the images to use: all, or those with the lowest hash of their id, in the order of the file.

    The choice depends on the ids alone, so that every model of a data set uses the same images.
    """
    if images is None or images >= len(ids):
        return np.arange(len(ids))
    keys = [hashlib.sha256(str(name).encode()).digest() for name in ids]
    return np.sort(np.array(sorted(range(len(ids)), key=keys.__getitem__)[:images], dtype=np.intp))
