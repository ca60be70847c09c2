"""Where to write the names of points so that they cover neither each other nor the points."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

# Directions around a point, the customary ones (right, above) first, and distances in units of the gap.
ANGLES = np.deg2rad([0, 45, 90, 135, 180, 315, 270, 225, 22, 67, 112, 157, 202, 247, 292, 337])
STEPS = (1.0, 2.2, 4.0, 6.5, 10.0)
SWEEPS = 4


def place_labels(
    anchors: ArrayLike,
    sizes: ArrayLike,
    bounds: tuple[float, float, float, float],
    gap: float,
    lines: ArrayLike = (),
) -> NDArray[np.float64]:
    """Choose the centres of text boxes beside their points.

    Every box has candidate places around its point; boxes are placed one after the other where they overlap least,
    then moved again with the others known. Deterministic.

    Parameters
    ----------
    anchors
        Points to be named, (n, 2), in any length unit, e.g. pixels.
    sizes
        Width and height of the texts, (n, 2).
    bounds
        Left, bottom, right, top of the area to stay within.
    gap
        Room between a point's centre and its text.
    lines
        Points along lines that the texts should rather not cross, (m, 2).

    Returns
    -------
    array
        (n, 2) centres of the boxes.
    """
    points, extent = np.asarray(anchors, np.float64).reshape(-1, 2), np.asarray(sizes, np.float64).reshape(-1, 2)
    count = len(points)
    along = np.asarray(lines, np.float64).reshape(-1, 2)
    # A point is a small obstacle for all names, its own included.
    marks = np.concatenate([points - gap * 0.7, points + gap * 0.7], axis=1)
    directions = np.stack([np.cos(ANGLES), np.sin(ANGLES)], axis=1)
    centres, boxes, base = [], [], []
    for point, size in zip(points, extent, strict=True):
        options = np.concatenate([point + directions * (size / 2 + gap * step) for step in STEPS])
        box = np.concatenate([options - size / 2, options + size / 2], axis=1)
        outside = np.maximum(0, bounds[0] - box[:, 0]) + np.maximum(0, box[:, 2] - bounds[2])
        outside += np.maximum(0, bounds[1] - box[:, 1]) + np.maximum(0, box[:, 3] - bounds[3])
        # Far places and unusual directions cost little, covering anything costs much.
        far = np.repeat(STEPS, len(directions)) * 0.01 + np.tile(np.arange(len(directions)), len(STEPS)) * 0.001
        crossed = ((along >= box[:, None, :2]) & (along <= box[:, None, 2:])).all(axis=2).sum(axis=1)
        cost = (_shared(box, marks) / size.prod()).sum(axis=1) + 10 * outside / size.sum() + far
        # By a hair is outside, too, as long as there is any place inside.
        cost += 5.0 * (outside > 0)
        cost += 0.02 * np.minimum(crossed, 20)
        centres.append(options)
        boxes.append(box)
        base.append(cost)
    chosen = np.full(count, -1)
    crowd = np.array([(np.linalg.norm(points - point, axis=1) < 8 * gap).sum() for point in points])
    for _ in range(SWEEPS):
        # Names in the thick of it choose first.
        for item in np.argsort(-crowd, kind="stable"):
            others = [boxes[other][chosen[other]] for other in range(count) if other != item and chosen[other] >= 0]
            cost = base[item]
            if others:
                cost = cost + 2 * (_shared(boxes[item], np.array(others)) / extent[item].prod()).sum(axis=1)
            chosen[item] = int(np.argmin(cost))
    return np.array([centres[item][chosen[item]] for item in range(count)]).reshape(-1, 2)


def overlap_area(boxes: ArrayLike) -> float:
    """Total area that pairs of boxes (n, 4) share; 0 when no two overlap."""
    array = np.asarray(boxes, dtype=np.float64).reshape(-1, 4)
    shared = _shared(array, array)
    return float(shared[np.triu_indices(len(array), 1)].sum())


def _shared(first: NDArray[np.float64], second: NDArray[np.float64]) -> NDArray[np.float64]:
    """Area that each of (n, 4) boxes shares with each of (m, 4), (n, m)."""
    width = np.minimum(first[:, None, 2], second[None, :, 2]) - np.maximum(first[:, None, 0], second[None, :, 0])
    height = np.minimum(first[:, None, 3], second[None, :, 3]) - np.maximum(first[:, None, 1], second[None, :, 1])
    area: NDArray[np.float64] = np.maximum(width, 0) * np.maximum(height, 0)
    return area
