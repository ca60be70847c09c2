"""Baselines that look at one feature vector alone: norm, sparsity, spikiness. No label, no other image."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from intermodel.quality.events import FloatArray, Rows, StandardRows, as_finite, check_shape, row_blocks, standardise


def row_scores(features: Rows, chunk: int = 1024) -> dict[str, FloatArray]:
    """All scores of this module for every row; see `block_scores`."""
    check_shape(features)
    blocks = [block_scores(standardise(as_finite(rows, start))) for start, rows in row_blocks(features, chunk)]
    return {name: np.concatenate([block[name] for block in blocks]) for name in blocks[0]}


def block_scores(rows: StandardRows) -> dict[str, FloatArray]:
    """Scores of a block of rows, (n,) each; larger is meant to say: more likely classified correctly.

    With u the row scaled to length 1, C features, mu and sigma the moments of u over the features:

    - `l2norm`: length of the raw row;
    - `neg_l1_of_unit`: -sum |u|, larger for sparser rows;
    - `std_of_unit`, `max_of_unit`: sigma and the largest entry of u;
    - `zmax`: (max u - mu) / sigma;
    - `q_v1`: zmax / sum |u|, the first version of Q-Score (arXiv 2203.01881 v1);
    - `hoyer`: (sqrt C - sum |u|) / (sqrt C - 1), 1 for one-hot, 0 for equal entries (Hoyer 2004);
    - `gini`: Gini index of the absolute entries (Hurley and Rickard 2009);
    - `kurtosis`: mean((u - mu)^4) / sigma^4.

    A row of zeros counts as one of equal entries, which has the least structure; `zmax`, `q_v1` and `kurtosis` of
    equal entries are 0, which is below all other values of the latter.
    """
    unit, count = rows.unit, rows.unit.shape[1]
    sizes = np.abs(unit)
    zero = rows.length == 0
    l1 = np.where(zero, np.sqrt(count), sizes.sum(axis=1))
    mean, deviation = rows.mean[:, 0], rows.deviation[:, 0]
    flat = deviation == 0
    safe = np.where(flat, 1.0, deviation)
    largest = unit.max(axis=1)
    zmax = np.where(flat, 0.0, (largest - mean) / safe)
    sizes.sort(axis=1)
    rank_weight = (count - np.arange(1, count + 1) + 0.5) / count
    fourth = np.square(np.square(unit - rows.mean)).mean(axis=1)
    return {
        "l2norm": rows.length,
        "neg_l1_of_unit": -l1,
        "std_of_unit": deviation,
        "max_of_unit": largest,
        "zmax": zmax,
        "q_v1": zmax / l1,
        "hoyer": (np.sqrt(count) - l1) / (np.sqrt(count) - 1),
        "gini": np.where(zero, 0.0, 1 - 2 * (sizes @ rank_weight) / l1),
        "kurtosis": np.where(flat, 0.0, fourth / safe**4),
    }


def unit_rows(features: NDArray[np.floating]) -> FloatArray:
    """Rows scaled to length 1, rows of zeros kept."""
    return standardise(np.asarray(features, dtype=np.float64)).unit
