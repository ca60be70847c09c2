"""Random rotations: orthogonal, uniform, the same by name, and tallied as any other units."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from concepts.conftest import MODELS, SETTINGS, Folder
from concepts.samples import ArrayMaps, problem, vocabulary
from intermodel.concepts.fan_in import write_tables
from intermodel.concepts.files import read_tally, tally_layer
from intermodel.concepts.patterns import label_patterns
from intermodel.concepts.result import merge
from intermodel.concepts.rotation import Rotation, random_rotation, rotate
from intermodel.concepts.survival import survival
from intermodel.concepts.tally import tally
from intermodel.concepts.thresholds import exact_thresholds
from intermodel.store import read_table

pytestmark = pytest.mark.filterwarnings("ignore:Only .* activations:UserWarning")


def test_rotations_are_orthogonal_and_follow_their_name() -> None:
    first = random_rotation(40, "a")
    np.testing.assert_allclose(first @ first.T, np.eye(40), atol=1e-5)
    np.testing.assert_array_equal(first, random_rotation(40, "a"))
    assert abs(first - random_rotation(40, "b")).max() > 0.1


def test_rotations_favour_no_sign() -> None:
    # Without the signs of R, LAPACK's reflections leave the diagonal of Q negative on average.
    corner = np.array([random_rotation(3, str(number))[0, 0] for number in range(400)])
    assert abs(corner.mean()) < 4 * corner.std() / 20
    # Haar in three dimensions: an entry is uniform between -1 and 1.
    assert abs(corner.std() - 1 / np.sqrt(3)) < 0.05


def test_batches_change_no_bit() -> None:
    maps = np.random.default_rng(0).normal(size=(7, 33, 3, 5)).astype(np.float32)
    rotation = random_rotation(33, "a")
    whole = rotate(maps, rotation)
    np.testing.assert_array_equal(whole, np.concatenate([rotate(maps[i : i + 2], rotation) for i in range(0, 7, 2)]))
    np.testing.assert_allclose(whole[3, :, 1, 2], rotation @ maps[3, :, 1, 2], atol=1e-5)


def test_rotated_units_are_tallied_as_units() -> None:
    case = problem(3, boxes="different")
    turned = []
    for name in ("a", "b"):
        matrix = random_rotation(4, name)
        maps = rotate(case.maps, matrix)
        level = exact_thresholds(maps.swapaxes(0, 1).reshape(4, -1), 0.1)
        turned.append((Rotation(matrix, level), replace(case, maps=maps, threshold=level).tally().folds.total()))
    result = tally(
        ArrayMaps(case.maps, case.ids), case.patterns, case.threshold, boxes=case.boxes, batch=2,
        rotations=[rotation for rotation, _ in turned],
    )  # fmt: skip
    assert len(result.rotated) == 2
    for number, (_, expected) in enumerate(turned):
        np.testing.assert_array_equal(result.rotated.of(number).intersection, expected.intersection)
        np.testing.assert_array_equal(result.rotated.of(number).unit_area_category, expected.unit_area_category)
    assert len(case.tally().rotated) == 0
    twice = merge([result, result])
    np.testing.assert_array_equal(twice.rotated.unit_area, 2 * result.rotated.unit_area)


def test_units_that_are_labels_lose_them_when_rotated() -> None:
    generator = np.random.default_rng(0)
    words = vocabulary(8, categories=("object",))
    layers = generator.integers(1, 9, (60, 1, 12, 12))
    # Unit u is label u: every unit detects, a mixture of eight of them knows less.
    maps = (layers == np.arange(1, 9)[None, :, None, None]).astype(np.float32)
    matrix = random_rotation(8, "a")
    level = exact_thresholds(rotate(maps, matrix).swapaxes(0, 1).reshape(8, -1), 0.02)
    same = Rotation(np.eye(8, dtype=np.float32), np.full(8, 0.5))
    result = tally(
        ArrayMaps(maps), label_patterns(layers, words), np.full(8, 0.5), rotations=[same, Rotation(matrix, level)]
    )
    found = survival(result, 0.9)
    assert found is not None
    assert (found.detectors[0], found.concepts[0]) == (8, 8)
    assert found.detectors[1] < 8 and found.concepts[1] <= found.detectors[1]
    assert survival(replace(result, rotated=result.rotated.none()), 0.9) is None


def test_tables_and_findings_tell_of_rotations(tallied: Folder, tmp_path: Path) -> None:
    tally_layer(
        tallied.maps("seer", "late"), tallied.path / "patterns.h5", tmp_path / "late.h5", **SETTINGS | {"rotations": 2}
    )
    write_tables([tmp_path / "late.h5"], MODELS, tmp_path)
    table = read_table(tmp_path / "summary.csv", ("model", "layer"))
    found = survival(read_tally(tmp_path / "late.h5"), 0.04)
    assert found is not None
    assert table["concepts_rotated"] == found.concepts.mean() and table["detectors_rotated"] == found.detectors.mean()
    statement = next(text for text in (tmp_path / "findings.csv").read_text().splitlines() if "rotation" in text)
    assert f"Seer {int(table['concepts'][0])} with its own axes, {found.concepts.mean():.3g} rotated" in statement
