"""Formulas for the units of a layer: what is counted, parts of the images, and the file."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from concepts.conftest import SETTINGS, Folder
from concepts.samples import ArrayMaps, problem, sums_of_parts, vocabulary
from intermodel.concepts.compose import compose, compose_layer, mean_and_error
from intermodel.concepts.composition_files import Compositions, read_compositions
from intermodel.concepts.files import read_tally, tally_layer
from intermodel.concepts.formula_counts import FormulaCounts
from intermodel.concepts.formulas import Formula
from intermodel.concepts.iou import iou_matrix
from intermodel.concepts.patterns import label_patterns
from intermodel.concepts.vocabulary import Vocabulary
from intermodel.engine.errors import UserError
from intermodel.store import Maps, create, read_attributes, write_strings


@pytest.mark.parametrize("boxes", ["whole", "same", "different"])
def test_counts_of_labels_are_those_of_the_tally(boxes: str) -> None:
    case = problem(7, images=10, boxes=boxes)
    total = case.tally(folds=1).folds.total()
    part = np.arange(10) % 3
    counts = FormulaCounts(ArrayMaps(case.maps, case.ids), case.patterns, case.threshold, part, case.boxes)
    np.testing.assert_array_equal(np.diagonal(counts.pairs().sum(axis=0)), total.label_area)
    labels = [Formula((label,)) for label in range(7)]
    for units in (slice(0, 4), slice(1, 3)):
        chosen = [labels if unit in range(4)[units] else [] for unit in range(4)]
        offset, found = counts.active_with_each(chosen, units)
        assert offset.tolist() == np.cumsum([0, *map(len, chosen)]).tolist()
        own = np.stack([np.diagonal(each) for each in found.sum(axis=0).reshape(-1, 7, 7)])
        np.testing.assert_array_equal(own, total.intersection[units])


def test_the_largest_unit_of_every_pixel() -> None:
    case = problem(8, images=6)
    counts = FormulaCounts(ArrayMaps(case.maps, case.ids), case.patterns, None, np.zeros(6, dtype=int))
    labels = [Formula((label,)) for label in range(7)]
    _, found = counts.active_with_each([labels] * 4, slice(0, 4))
    own = np.diagonal(found.reshape(4, 7, 7), axis1=1, axis2=2)
    np.testing.assert_array_equal(own.sum(axis=0), case.tally(folds=1).folds.total().label_area)


def planted() -> tuple[np.ndarray, np.ndarray]:
    """Label 1 on the left half, label 2 in stripes; unit 0 follows 1 AND NOT 2, unit 1 label 2, unit 2 is dead."""
    generator = np.random.default_rng(0)
    layers = np.zeros((40, 2, 12, 12), dtype=int)
    layers[:, 0, :, :6] = 1
    layers[:, 1] = 2 * (generator.random((40, 12, 1)) < 0.5)
    first = (layers[:, 0] == 1) & (layers[:, 1] != 2)
    return layers, np.stack([first, layers[:, 1] == 2, np.zeros_like(first)], axis=1).astype(float)


def composed(layers: np.ndarray, maps: np.ndarray, level: float, words: Vocabulary) -> Compositions:
    """Formulas of all units, images in four parts by turns."""
    patterns, level, part = label_patterns(layers, words), np.full(maps.shape[1], level), np.arange(len(maps)) % 4
    counts = FormulaCounts(ArrayMaps(maps), patterns, level, part)
    return compose(sums_of_parts(maps, patterns, level, part), counts, "late", words.titles)


def test_planted_formulas_are_found_and_hold() -> None:
    layers, maps = planted()
    found = composed(layers, maps, 0.5, vocabulary(3, categories=("object",)))
    assert found.formula.tolist() == ["label 0 AND NOT label 1", "label 1", ""]
    assert found.single.tolist() == ["label 0", "label 1", ""]
    assert found.length.tolist() == [2, 1, 0] and found.iou.tolist() == [1.0, 1.0, 0.0]
    assert found.holds.tolist() == [True, False, False]
    assert found.held_out_gain[1] == 0 and np.isnan(found.held_out_gain[2])
    # The single label of unit 0 covers the left half, half of which the unit leaves out.
    np.testing.assert_allclose(found.single_iou[0], (maps[:, 0].sum()) / (40 * 72), rtol=1e-12)
    gains = []
    for number in range(4):
        share = maps[number::4, 0].mean()
        # By chance a unit with this share shares a part of its pixels with what covers half, or as much as itself.
        chance = [share * size / (share + size - share * size) for size in (0.5, share)]
        gains.append((1 - chance[1]) - (share / 0.5 - chance[0]))
    np.testing.assert_allclose(found.held_out_gain[0], np.mean(gains), rtol=1e-12)
    np.testing.assert_allclose(found.held_out_error[0], np.std(gains, ddof=1) / 2, rtol=1e-12)


def test_noise_gains_on_the_images_it_was_fitted_to_alone() -> None:
    generator = np.random.default_rng(1)
    layers, maps = generator.integers(0, 21, (40, 3, 6, 6)), generator.normal(size=(40, 150, 6, 6))
    found = composed(layers, maps, 1.3, vocabulary(20, categories=("object",)))
    assert (found.length == 3).mean() > 0.9 and found.gain.mean() > 0.02
    assert abs(found.held_out_gain.mean()) < 0.1 * found.gain.mean()
    assert found.holds.mean() < 0.1


def test_means_of_few_parts_are_not_told() -> None:
    mean, error = mean_and_error(np.array([[1.0, 2.0, 3.0, np.nan], [1.0, np.nan, np.nan, 3.0], [2.0, 2.0, 2.0, 2.0]]))
    np.testing.assert_allclose(mean, [2.0, np.nan, 2.0])
    np.testing.assert_allclose(error, [np.sqrt(1 / 3), np.nan, 0.0])


def test_file_of_a_layer(tallied: Folder, tmp_path: Path) -> None:
    maps, patterns, tally = tallied.maps("seer", "late"), tallied.path / "patterns.h5", tallied.tally("seer", "late")
    compose_layer(maps, patterns, tally, tmp_path / "c.h5", length=3, beam=5)
    found = read_compositions(tmp_path / "c.h5")
    counted = read_tally(tally)
    best = np.nan_to_num(iou_matrix(counted.folds.total(), counted.vocabulary, "all")).max(axis=1)
    np.testing.assert_allclose(found.single_iou, best, rtol=1e-12)
    assert (found.iou >= found.single_iou).all() and found.layer == "late"
    assert found.single[:3].tolist() == ["label 0", "label 2", "label 4"] and found.formula[5] == ""
    assert read_attributes(tmp_path / "c.h5")["beam"] == 5
    # The largest unit of every pixel, too.
    tally_layer(maps, patterns, tmp_path / "t.h5", **SETTINGS | {"masks": "argmax"})
    compose_layer(maps, patterns, tmp_path / "t.h5", tmp_path / "d.h5", length=2, beam=1)
    assert read_compositions(tmp_path / "d.h5").length.max() <= 2


def test_other_states_of_the_data_set_are_refused(tallied: Folder, tmp_path: Path) -> None:
    with Maps(tallied.maps("seer", "late")) as source:
        attributes, values, ids = source.attributes, source.images(0, len(source.ids)), source.ids
    with create(tmp_path / "late.maps.h5", **attributes | {"dataset_fingerprint": "f2"}) as file:
        write_strings(file, "index", ids)
        file["maps"] = values
    with pytest.raises(UserError, match="different states of the data set; delete both"):
        compose_layer(
            tmp_path / "late.maps.h5", tallied.path / "patterns.h5", tallied.tally("seer", "late"), tmp_path / "c.h5",
            length=3, beam=5,
        )  # fmt: skip


def test_labels_of_the_same_name_are_told_apart() -> None:
    words = vocabulary(3, categories=("object", "scene"))
    same = type(words)(words.numbers, ("sea", "sea", "sky"), words.category, words.categories)
    assert same.titles == ("sea (object)", "sea (scene)", "sky")
