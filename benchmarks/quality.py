"""Q-Score from one pass over the features against the direct way, which reads them twice, and the bare read.

    python benchmarks/quality.py [--full]

Both ways give the same scores; the event table then serves every further band of units and every larger threshold
without another read. One thread.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path

from measuring import Row, alternate, main, peak, row  # before numpy: it sets the number of threads

# isort: split
import h5py
import numpy as np
from intermodel.quality.events import active_events, row_blocks, standardise
from intermodel.quality.qscore import activation_rate, discriminative_mask, qscore

EPS = 4.0
CHUNK = 1024
# Bands of activation rates that a user might compare.
BANDS = [(low, low + 45.0) for low in range(0, 55, 5)]


def write_features(path: Path, images: int, units: int) -> None:
    """Sparse features such as a pooled ReLU layer has."""
    generator = np.random.default_rng(0)
    with h5py.File(path, "w") as file:
        features = file.create_dataset("pooled", (images, units), np.float32, chunks=(min(256, images), units))
        for start in range(0, images, CHUNK):
            rows = min(CHUNK, images - start)
            features[start : start + rows] = generator.gamma(0.3, size=(rows, units))


def bare_read(path: Path) -> None:
    """Read every row once and do nothing."""
    with h5py.File(path, "r") as file:
        for start in range(0, file["pooled"].shape[0], CHUNK):
            file["pooled"][start : start + CHUNK]


def one_pass(path: Path, bands: list[tuple[float, float]]) -> list[np.ndarray]:
    """Scores for every band from the event table."""
    with h5py.File(path, "r") as file:
        events = active_events(file["pooled"], EPS)
    rate = activation_rate(events, EPS)
    return [qscore(events, discriminative_mask(rate, low, high).units, EPS)[0] for low, high in bands]


def two_passes(path: Path, bands: list[tuple[float, float]]) -> list[np.ndarray]:
    """Scores by the definition: one read for the activation rates, one more for the scores of each band."""
    with h5py.File(path, "r") as file:
        features = file["pooled"]
        images, units = features.shape
        count = np.zeros(units)
        for _, block in row_blocks(features, CHUNK):
            rows = standardise(np.asarray(block, dtype=np.float64))
            count += (rows.unit > rows.mean + EPS * rows.deviation).sum(axis=0)
        scores = []
        for low, high in bands:
            mask = discriminative_mask(100 * count / images, low, high).units
            score = np.zeros(images)
            for start, block in row_blocks(features, CHUNK):
                rows = standardise(np.asarray(block, dtype=np.float64))
                active = (rows.unit > rows.mean + EPS * rows.deviation) & mask
                excess = np.where(active, rows.unit - rows.mean, 0.0).sum(axis=1)
                score[start : start + len(block)] = excess / np.maximum(active.sum(axis=1), 1)
            scores.append(score)
    return scores


def measure(full: bool) -> Iterator[Row]:
    """One row for the usual band of units, one for several bands."""
    images, units, rounds = (16384, 1024, 3) if full else (4096, 512, 2)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "features.h5"
        write_features(path, images, units)
        memory = peak(lambda: one_pass(path, BANDS))
        for table, direct in zip(one_pass(path, BANDS), two_passes(path, BANDS), strict=True):
            np.testing.assert_allclose(table, direct, atol=1e-12, rtol=0)
        for bands in ([(50.0, 95.0)], BANDS):
            ways = {
                "ours": lambda b=bands: one_pass(path, b),
                "reading all rows": lambda: bare_read(path),
                "two passes": lambda b=bands: two_passes(path, b),
            }
            what = f"Q-Score, {len(bands)} band{'s' * (len(bands) > 1)} of units, {images} images, {units} units"
            yield row(what, alternate(ways, rounds), limit="reading all rows", baseline="two passes", memory=memory)


if __name__ == "__main__":
    main(measure, __doc__)
