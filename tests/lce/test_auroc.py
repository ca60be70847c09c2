"""AUROC under weightings of folds: that of images repeated as often as the weights say."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from intermodel.concepts.auroc import auroc
from intermodel.concepts.files import index_label_maps
from intermodel.concepts.vocabulary import Vocabulary
from intermodel.engine.errors import UserError
from intermodel.lce import auroc as module
from intermodel.lce.auroc import alternate, best_auroc, fold_pair_sums, read_resampled, resample_auroc
from intermodel.lce.settings import Settings
from intermodel.lce.uncertainty import drawn
from intermodel.statistics.folds import folds_of
from intermodel.store import create, write_strings

DRAWS = {"bootstrap": 30, "splits": 20, "seed": 3}


@pytest.fixture
def problem() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """90 images in 5 folds, 7 units with many ties, 4 concepts of which the last is in one fold only."""
    generator = np.random.default_rng(0)
    fold = generator.integers(0, 5, 90)
    labels = generator.random((90, 4)) < [0.1, 0.5, 0.9, 0.5]
    labels[:, 3] &= fold == 2
    values = generator.integers(0, 6, (90, 7)) / 5 + labels[:, :1] * generator.random(7)
    return values, labels, fold


def test_equals_the_auroc_of_repeated_images(
    problem: tuple[np.ndarray, np.ndarray, np.ndarray], monkeypatch: pytest.MonkeyPatch
) -> None:
    values, labels, fold = problem
    weights = np.random.default_rng(1).integers(0, 4, (12, 5))
    weights[0] = 1
    weights[1] = [2, 1, 0, 1, 1]
    found = best_auroc(values, labels, fold, weights)
    for row, parts in enumerate(zip(*alternate(weights), strict=True)):
        images = [np.repeat(np.arange(90), part[fold]) for part in parts]
        one, other = (auroc(values[rows], labels[rows]).auroc for rows in images)
        for concept in range(3):
            mean = (other[one[:, concept].argmax(), concept] + one[other[:, concept].argmax(), concept]) / 2
            np.testing.assert_allclose(found[row, concept], mean, rtol=1e-12)
    # The last concept is in one fold, and so in one part.
    assert np.isnan(found[:, 3]).all() and not np.isnan(found[:2, :3]).any()
    monkeypatch.setattr(module, "BLOCK_ELEMENTS", 1)
    np.testing.assert_array_equal(best_auroc(values, labels, fold, weights), found)


def test_folds_that_count_take_turns() -> None:
    first, second = alternate(np.array([[1, 0, 2, 1, 3], [0, 1, 1, 0, 0]]))
    assert first.tolist() == [[1, 0, 0, 1, 0], [0, 1, 0, 0, 0]]
    assert second.tolist() == [[0, 0, 2, 0, 3], [0, 0, 1, 0, 0]]


def test_units_that_know_nothing_are_at_chance() -> None:
    """The best of them is above it on the images that chose it."""
    generator = np.random.default_rng(3)
    values, labels, fold = generator.normal(size=(400, 60)), generator.random((400, 40)) < 0.2, np.arange(400) % 16
    found = best_auroc(values, labels, fold, np.ones((1, 16), int))
    assert found.mean() == pytest.approx(0.5, abs=0.02)
    assert auroc(values, labels).auroc.max(axis=0).mean() > 0.57


def test_sums_count_pairs_of_images(problem: tuple[np.ndarray, np.ndarray, np.ndarray]) -> None:
    values, labels, fold = problem
    found = fold_pair_sums(values, labels, fold, 5)
    unit, concept, g, h = 4, 1, 3, 0
    first, second = values[(fold == g) & labels[:, concept], unit], values[fold == h, unit]
    expected = (first[:, None] > second).sum() + 0.5 * (first[:, None] == second).sum()
    assert found[g, h, unit, concept] == expected


def write_dataset(folder: Path, vocabulary: Vocabulary, values: np.ndarray) -> np.ndarray:
    """Label maps of two pixels per image and a feature file; returns which image holds which label, (N, L)."""
    images = len(values)
    ids = np.array([f"image {number:03}" for number in range(images)])
    layers = np.random.default_rng(5).choice(vocabulary.numbers[:6], (images, 1, 1, 2))
    with create(folder / "manifest.h5", fingerprint="f") as file:
        write_strings(file, "id", ids)
        file["height"], file["width"] = np.full(images, 1), np.full(images, 2)
    with create(folder / "segmentation.h5", fingerprint="s", **vocabulary.attributes()) as file:
        write_strings(file, "id", ids)
        file["layers"] = layers.astype(np.uint16)
        file["image_label_offset"], file["image_label"] = np.zeros(images + 1, int), np.zeros(0, np.uint16)
    index_label_maps(folder / "segmentation.h5", folder / "manifest.h5", folder / "patterns.h5")
    # Another order than that of the label maps.
    order = np.random.default_rng(6).permutation(images)
    seen = {"size": [1, 2], "resize": "none", "crop": "none"}
    with create(folder / "late.h5", dataset_fingerprint="f", preprocessing=seen) as file:
        write_strings(file, "index", ids[order])
        file["pooled"] = values[order].astype(np.float32)
    return (layers[:, 0, 0, :, None] == vocabulary.numbers).any(axis=1)


def test_a_layer_is_drawn_as_the_tallies_are(vocabulary: Vocabulary, tmp_path: Path) -> None:
    values = np.random.default_rng(2).normal(size=(60, 3)).astype(np.float32)
    held = write_dataset(tmp_path, vocabulary, values)
    resample_auroc(tmp_path / "late.h5", tmp_path / "patterns.h5", tmp_path / "best.h5", 8, DRAWS)
    settings = Settings(variant="soft_auroc", **DRAWS)
    fold = folds_of(np.array([f"image {number:03}" for number in range(60)]), 8)
    images = np.bincount(fold, minlength=8)
    found = read_resampled(tmp_path / "best.h5", images, settings)
    expected = best_auroc(values, held, fold, drawn(images, settings, "x").stacked())
    np.testing.assert_allclose(found, expected, rtol=1e-12)
    assert np.isnan(found[:, 6:]).all() and not np.isnan(found[0, :6]).any()
    for changed, other in ((images, Settings(bootstrap=31, splits=20, seed=3)), (images[::-1] + 1, settings)):
        with pytest.raises(UserError, match=r"best.h5 was made with other images, folds or draws"):
            read_resampled(tmp_path / "best.h5", changed, other)
    with pytest.raises(UserError, match="expected at least 4 folds"):
        resample_auroc(tmp_path / "late.h5", tmp_path / "patterns.h5", tmp_path / "few.h5", 2, DRAWS)
