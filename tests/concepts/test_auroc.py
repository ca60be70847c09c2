"""AUROC: its pairwise definition, its p-values, its interval, and its file."""

from __future__ import annotations

from pathlib import Path

import h5py
import numpy as np
import pytest
from concepts.conftest import PREPROCESSING, WORDS, Folder
from hypothesis import given, settings
from hypothesis import strategies as st
from intermodel.concepts import auroc as module
from intermodel.concepts.auroc import auroc, auroc_interval, score_layers
from intermodel.concepts.scores import best_concepts, read_scores
from intermodel.engine.errors import UserError
from intermodel.statistics.multiple_testing import benjamini_hochberg
from intermodel.store import Maps, create, write_strings
from scipy.stats import mannwhitneyu


def problems() -> st.SearchStrategy[tuple[np.ndarray, np.ndarray]]:
    """Few different values, so that most are tied."""

    def make(seed: int, images: int, levels: int) -> tuple[np.ndarray, np.ndarray]:
        generator = np.random.default_rng(seed)
        return generator.integers(0, levels, (images, 3)) / 7, generator.random((images, 4)) < generator.random(4)

    return st.builds(make, st.integers(0, 2**32 - 1), st.integers(1, 14), st.integers(1, 9))


@settings(deadline=None, max_examples=80)
@given(problems())
def test_is_the_share_of_pairs(problem: tuple[np.ndarray, np.ndarray]) -> None:
    values, labels = problem
    found = auroc(values, labels)
    for unit in range(values.shape[1]):
        for concept in range(labels.shape[1]):
            z, y = values[:, unit], labels[:, concept]
            more = (z[y][:, None] > z[~y]) + 0.5 * (z[y][:, None] == z[~y])
            expected = more.mean() if more.size else np.nan
            np.testing.assert_allclose(found.auroc[unit, concept], expected, rtol=1e-12)
    np.testing.assert_array_equal(found.positives, labels.sum(axis=0))


@settings(deadline=None, max_examples=40)
@given(problems())
def test_turning_a_unit_or_a_concept_around(problem: tuple[np.ndarray, np.ndarray]) -> None:
    values, labels = problem
    found = auroc(values, labels)
    for other in (auroc(-values, labels), auroc(values, ~labels)):
        np.testing.assert_allclose(other.auroc, 1 - found.auroc, rtol=1e-12)
        np.testing.assert_allclose(other.p_value, found.p_value, rtol=1e-9)


@settings(deadline=None, max_examples=60)
@given(problems())
def test_p_values_are_those_of_mann_and_whitney(problem: tuple[np.ndarray, np.ndarray]) -> None:
    values, labels = problem
    found = auroc(values, labels)
    for unit in range(values.shape[1]):
        for concept in range(labels.shape[1]):
            z, y = values[:, unit], labels[:, concept]
            p = found.p_value[unit, concept]
            if not 0 < y.sum() < len(y):
                assert np.isnan(p)
            elif (z == z[0]).all():
                assert p == 1
            else:
                expected = mannwhitneyu(z[y], z[~y], method="asymptotic", use_continuity=False).pvalue
                np.testing.assert_allclose(p, expected, rtol=1e-9)


def test_blocks_of_units_change_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    generator = np.random.default_rng(0)
    values, labels = generator.normal(size=(50, 7)), generator.random((50, 5)) < 0.3
    whole = auroc(values, labels)
    monkeypatch.setattr(module, "BLOCK_VALUES", 1)
    np.testing.assert_array_equal(auroc(values, labels).auroc, whole.auroc)
    np.testing.assert_array_equal(auroc(values, labels).p_value, whole.p_value)


def test_interval_covers_as_often_as_it_says() -> None:
    generator = np.random.default_rng(0)
    labels = np.arange(120) < 30
    shift, hits = 1.2, 0
    pairs = generator.normal(size=200_000) + shift > generator.normal(size=200_000)
    for _ in range(400):
        low, high = auroc_interval(generator.normal(size=120) + shift * labels, labels)
        hits += bool(low <= pairs.mean() <= high)
    assert 370 <= hits <= 395


def test_interval_of_what_cannot_be_told() -> None:
    labels = np.array([True, True, False, False])
    assert np.isnan(auroc_interval(np.array([3.0, 4.0, 1.0, 2.0]), labels)).all()
    assert np.isnan(auroc_interval(np.arange(4.0), np.array([True, False, False, False]))).all()
    low, high = auroc_interval(np.array([1.0, 3.0, 2.0, 0.0]), labels)
    assert 0 < low < 0.75 < high < 1


def test_best_concepts_are_significant_and_not_rare() -> None:
    score = np.array([[0.9, 0.05, 0.7, np.nan], [0.6, 0.5, 0.55, np.nan]])
    q = np.array([[0.01, 0.01, 0.2, np.nan], [0.5, 0.9, 0.5, np.nan]])
    assert best_concepts(score, q, np.array([50, 50, 50, 0]), 100).tolist() == [1, -1]
    assert best_concepts(score, q, np.array([50, 9, 50, 0]), 100).tolist() == [0, -1]
    assert best_concepts(score, q, np.array([50, 91, 50, 0]), 100).tolist() == [0, -1]


def write_pooled(path: Path, folder: Folder, rows: np.ndarray, fingerprint: str = "f1") -> np.ndarray:
    """Means of the maps of Seer's late units, images in the order of `rows`."""
    with Maps(folder.maps("seer", "late")) as source:
        values = source.images(0, len(folder.ids)).mean(axis=(2, 3))
    # Noise, so that no unit tells all images apart, which would leave nothing to estimate an error from.
    values[:, :5] += np.random.default_rng(0).normal(size=(len(values), 5), scale=0.1).astype(np.float32)
    with create(path, dataset_fingerprint=fingerprint, preprocessing=PREPROCESSING) as file:
        write_strings(file, "index", folder.ids[rows])
        file["pooled"] = values[rows]
    return values


def test_file_joins_images_by_id(tallied: Folder, tmp_path: Path) -> None:
    rows = np.random.default_rng(3).permutation(len(tallied.ids))
    values = write_pooled(tmp_path / "late.h5", tallied, rows)
    score_layers({"late": tmp_path / "late.h5"}, tallied.path / "patterns.h5", tmp_path / "auroc.h5")
    held = np.stack([(tallied.layers == number).any(axis=(1, 2, 3)) for number in WORDS.numbers], axis=1)
    for image, numbers in enumerate(tallied.image_labels):
        held[image, np.isin(WORDS.numbers, numbers)] = True
    expected = auroc(values, held)
    found = read_scores(tmp_path / "auroc.h5", "late")
    np.testing.assert_allclose(found.matrix, expected.auroc, rtol=1e-6)
    # The objects of units 0 to 2 are told by them.
    assert found.concept[:3].tolist() == [0, 2, 4] and found.clear[:3].all()
    assert (found.low[:3] < found.auroc[:3]).all() and (found.auroc[:3] < found.high[:3]).all()
    assert auroc_interval(values[:, 1], held[:, 2]) == (found.low[1], found.high[1])
    assert found.concept[5] == -1 and np.isnan(found.auroc[5]) and not found.clear[5]
    with h5py.File(tmp_path / "auroc.h5") as file:
        np.testing.assert_array_equal(file["positives"], held.sum(axis=0))
        np.testing.assert_allclose(file["late/q_value"], benjamini_hochberg(expected.p_value), rtol=1e-5)
    with pytest.raises(UserError, match="lacks the layer early"):
        read_scores(tmp_path / "auroc.h5", "early")


def test_other_states_of_the_data_set_are_refused(tallied: Folder, tmp_path: Path) -> None:
    write_pooled(tmp_path / "late.h5", tallied, np.arange(len(tallied.ids)), "f2")
    with pytest.raises(UserError, match="different states of the data set"):
        score_layers({"late": tmp_path / "late.h5"}, tallied.path / "patterns.h5", tmp_path / "auroc.h5")
