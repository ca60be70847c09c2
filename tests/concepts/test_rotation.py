"""Random rotations: orthogonal, uniform, the same by name, and tallied as any other units."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from concepts.conftest import MODELS, SETTINGS, Folder
from concepts.samples import ArrayMaps, problem, vocabulary
from intermodel.concepts.fan_in import read_layers, write_tables
from intermodel.concepts.figures import draw_overview
from intermodel.concepts.files import read_tally, tally_layer
from intermodel.concepts.findings import findings
from intermodel.concepts.patterns import label_patterns
from intermodel.concepts.result import merge
from intermodel.concepts.rotation import Rotation, random_rotation, rotate
from intermodel.concepts.survival import Survival, survival
from intermodel.concepts.tally import tally
from intermodel.concepts.thresholds import exact_thresholds
from intermodel.csv_tables import read_table
from intermodel.statistics.intervals import student_quantile

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


def test_intervals_cover_another_rotation() -> None:
    """An own basis that is one more rotation differs from the others by more than the interval in 1 of 20 cases."""
    generator = np.random.default_rng(0)
    own, counts = 30 + 3 * generator.normal(size=2000), 30 + 3 * generator.normal(size=(2000, 4))
    within, differs = [], []
    for value, others in zip(own, counts, strict=True):
        found = Survival(others, others)
        rotated, beyond = found.rotated("concepts"), found.beyond("concepts", value, 0.0, 16)
        within.append(rotated.low < value < rotated.high)
        differs.append(beyond.low > 0 or beyond.high < 0)
        assert rotated.estimate == others.mean() and beyond.estimate == value - others.mean()
    assert 0.935 < np.mean(within) < 0.965 and 0.035 < np.mean(differs) < 0.065


def test_differences_join_both_sources_of_error() -> None:
    found = Survival(np.array([20, 20, 20]), np.array([4, 6, 8]))
    # Rotations all alike: the error of the own count alone, with the degrees of freedom of its folds.
    beyond = found.beyond("detectors", 30.0, 2.0, 16)
    half = student_quantile(0.975, 15) * 2.0
    assert (beyond.low, beyond.high) == (10 - half, 10 + half)
    # Deviation 2, of one more rotation 2 * sqrt(4 / 3); error 1 of the own count.
    spread = 4 * (1 + 1 / 3)
    degrees = int((1 + spread) ** 2 / (1 / 15 + spread**2 / 2))
    beyond = found.beyond("concepts", 10.0, 1.0, 16)
    half = student_quantile(0.975, degrees) * np.sqrt(1 + spread)
    np.testing.assert_allclose((beyond.low, beyond.high), (4 - half, 4 + half), rtol=1e-12)
    for few in (1, 2):
        none = Survival(found.detectors[:few], found.concepts[:few])
        assert np.isnan(none.rotated("concepts").low) and np.isnan(none.beyond("concepts", 10.0, 1.0, 16).high)
        assert none.rotated("concepts").estimate == none.concepts.mean()
    # Nothing varies at all.
    exact = found.beyond("detectors", 30.0, 0.0, 16)
    assert (exact.low, exact.high) == (10.0, 10.0)
    assert np.isnan(found.beyond("concepts", 30.0, np.nan, 1).low)


@pytest.mark.parametrize("rotations", [2, 3])
def test_tables_and_findings_tell_of_rotations(rotations: int, tallied: Folder, tmp_path: Path) -> None:
    tally_layer(
        tallied.maps("seer", "late"),
        tallied.path / "patterns.h5",
        tmp_path / "late.h5",
        **SETTINGS | {"rotations": rotations},
    )
    write_tables([tmp_path / "late.h5"], MODELS, tmp_path)
    table = read_table(tmp_path / "summary.csv", ("model", "layer"))
    found = survival(read_tally(tmp_path / "late.h5"), 0.04)
    assert found is not None
    assert table["concepts_rotated"] == found.concepts.mean() and table["detectors_rotated"] == found.detectors.mean()
    gain = table["concepts"][0] - found.concepts.mean()
    assert table["concepts_beyond_rotated"] == gain
    statement = next(text for text in (tmp_path / "findings.csv").read_text().splitlines() if "rotation" in text)
    assert f"Seer {int(table['concepts'][0])} with its own axes, {found.concepts.mean():.3g} rotated" in statement
    assert f"a difference of {gain:.3g}" in statement
    known = rotations > 2
    assert ("there are no intervals" in statement) != known
    assert ("95 % interval" in statement) == known
    assert np.isnan(table["concepts_rotated_high"]) != known
    figure = draw_overview(read_table(tmp_path / "summary.csv", ("model", "layer", "title")))
    drawn = {line.get_label(): line for line in figure.axes[1].lines}
    rotated = next(line for label, line in drawn.items() if label.startswith("rotated units"))
    assert rotated.get_xdata() == found.concepts.mean()


@pytest.mark.parametrize(
    ("own", "sentence"),
    [
        (9.0, "No difference exceeds"),
        (30.0, "own axes detect more: Seer."),
        (1.0, "own axes detect fewer: Seer."),
    ],
)
def test_findings_judge_the_difference(own: float, sentence: str, tallied: Folder) -> None:
    layer = read_layers([tallied.tally("seer", "late")], MODELS)[0]
    rotated = Survival(np.full(3, 10), np.array([9, 10, 11]))
    estimate = float(layer.concepts.counts("concepts").estimate[0])
    shifted = Survival(rotated.detectors, rotated.concepts + int(estimate - own))
    found = [text for text, _ in findings([replace(layer, concepts=replace(layer.concepts, rotated=shifted))])]
    assert any(sentence in text for text in found)
