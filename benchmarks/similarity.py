"""Cost of comparing all pairs of representations: factorised once each, against each pair by itself.

    python benchmarks/similarity.py [--full]

Three ways compute SVCCA, unbiased linear CKA and mutual k-NN of every pair, to the same numbers:

pair by pair   the definitions in plain numpy, everything anew for every pair: centre, decompose both sides, correlate;
               CKA from the D x D moments; neighbours by sorting all similarities
cached         the same, but the decomposition, moments and neighbours of each representation are kept in memory
intermodel     bases written to files and read back for every pair, as the workflow does

All agree to 1e-6. One thread. With --full the pairs of three representations are timed pair by pair, and count for all.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator
from functools import partial
from itertools import combinations
from pathlib import Path

from measuring import Row, alternate, main, peak, row  # before numpy: it sets the number of threads

# isort: split
import numpy as np
from intermodel.similarity.pair import compare_models
from intermodel.similarity.representation import factorise_representation
from intermodel.store import create, open_file, write_strings
from numpy.typing import NDArray

Floats = NDArray[np.float64]
MEASURES = ("svcca", "cka_unbiased", "mutual_knn")
VARIANCE, NEIGHBOURS = 0.99, 10


def representations(count: int, images: int, units: int) -> list[NDArray[np.float32]]:
    """Representations that share directions with a power-law spectrum, in noise."""
    generator = np.random.default_rng(0)
    shared = generator.normal(size=(images, units // 2)) * np.arange(1, units // 2 + 1) ** -0.5
    return [
        (shared @ generator.normal(size=(units // 2, units)) + 0.1 * generator.normal(size=(images, units))).astype(
            np.float32
        )
        for _ in range(count)
    ]


def decompose(values: NDArray[np.float32]) -> tuple[Floats, Floats]:
    """Centred features, and their leading left singular vectors."""
    centred = values - values.mean(axis=0, dtype=np.float64)
    left, singular_values, _ = np.linalg.svd(centred, full_matrices=False)
    explained = np.cumsum(singular_values**2) / (singular_values**2).sum()
    return centred, left[:, : int(np.searchsorted(explained, VARIANCE)) + 1]


def unbiased_hsic(x: Floats, y: Floats) -> float:
    """Unbiased HSIC of centred features from their moments, up to a factor."""
    count = len(x)
    a, b = (x**2).sum(axis=1), (y**2).sum(axis=1)
    return float(
        ((x.T @ y) ** 2).sum() - count / (count - 2) * (a @ b) + a.sum() * b.sum() / ((count - 1) * (count - 2))
    )


def neighbours(values: NDArray[np.float32]) -> NDArray[np.intp]:
    """Nearest images by cosine."""
    unit = values.astype(np.float64)
    unit /= np.linalg.norm(unit, axis=1, keepdims=True)
    similarity = unit @ unit.T
    np.fill_diagonal(similarity, -np.inf)
    return np.argsort(-similarity, axis=1, kind="stable")[:, :NEIGHBOURS]


def overlap(a: NDArray[np.intp], b: NDArray[np.intp]) -> float:
    """Mean share of common neighbours."""
    return float(np.mean([len(set(i) & set(j)) / NEIGHBOURS for i, j in zip(a.tolist(), b.tolist(), strict=True)]))


def pair_by_pair(features: list[NDArray[np.float32]]) -> list[tuple[float, ...]]:
    """Every pair from its features alone."""
    found = []
    for x, y in combinations(features, 2):
        (centred_x, left_x), (centred_y, left_y) = decompose(x), decompose(y)
        svcca = np.linalg.svd(left_x.T @ left_y, compute_uv=False).mean()
        own = unbiased_hsic(centred_x, centred_x) * unbiased_hsic(centred_y, centred_y)
        cka = unbiased_hsic(centred_x, centred_y) / np.sqrt(own)
        found.append((float(svcca), float(cka), overlap(neighbours(x), neighbours(y))))
    return found


def cached(features: list[NDArray[np.float32]]) -> list[tuple[float, ...]]:
    """Every pair from what was kept of each side."""
    sides = []
    for x in features:
        centred, left = decompose(x)
        sides.append((centred, left, unbiased_hsic(centred, centred), neighbours(x)))
    return [
        (
            float(np.linalg.svd(a[1].T @ b[1], compute_uv=False).mean()),
            float(unbiased_hsic(a[0], b[0]) / np.sqrt(a[2] * b[2])),
            overlap(a[3], b[3]),
        )
        for a, b in combinations(sides, 2)
    ]


def intermodel(features: list[NDArray[np.float32]], folder: Path) -> list[tuple[float, ...]]:
    """Every pair through basis files and pair files."""
    bases = []
    for number, values in enumerate(features):
        source = folder / f"{number}.features.h5"
        with create(source, dataset="random", model=str(number), layer="last") as file:
            file["pooled"] = values
            write_strings(file, "index", [f"{row:06}" for row in range(len(values))])
        bases.append(folder / f"{number}.h5")
        factorise_representation(source, bases[-1], neighbours=NEIGHBOURS)
    found = []
    for a, b in combinations(bases, 2):
        compare_models([a], [b], folder / "pair.h5", MEASURES, [VARIANCE])
        with open_file(folder / "pair.h5") as file:
            found.append(tuple(float(file[name][0, 0]) for name in MEASURES))
    return found


def measure(full: bool) -> Iterator[Row]:
    """One row for each of the two other ways."""
    count, images, units, rounds = (8, 5000, 512, 1) if full else (8, 2000, 256, 1)
    timed = 3 if full else count
    features = representations(count, images, units)
    pairs = list(combinations(range(count), 2))
    first = [number for number, pair in enumerate(pairs) if max(pair) < timed]
    with tempfile.TemporaryDirectory() as folder:
        ways = {
            "ours": lambda: intermodel(features, Path(folder)),
            "pair by pair": lambda: pair_by_pair(features[:timed]),
            "cached": lambda: cached(features),
        }
        memory = peak(ways["ours"])
        found: dict[str, list[tuple[float, ...]]] = {}
        seconds = alternate({name: partial(_keep, found, name, way) for name, way in ways.items()}, rounds)
    expected = np.array(found["ours"])
    np.testing.assert_allclose(np.array(found["pair by pair"]), expected[first], atol=1e-6, err_msg="pair by pair")
    np.testing.assert_allclose(np.array(found["cached"]), expected, atol=1e-6, err_msg="cached")
    seconds["pair by pair"] = [spent * len(pairs) / len(first) for spent in seconds["pair by pair"]]
    what = f"SVCCA, CKA, k-NN of {len(pairs)} pairs, {images} images, {units} units"
    yield row(what, seconds, baseline="pair by pair", memory=memory)
    yield row(what, seconds, baseline="cached", memory=memory)


def _keep(found: dict[str, list[tuple[float, ...]]], name: str, way: Callable[[], list[tuple[float, ...]]]) -> None:
    found[name] = way()


if __name__ == "__main__":
    main(measure, __doc__)
