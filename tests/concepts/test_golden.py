"""The whole tally against the values of public programs and of the definition."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from concepts.samples import GOLDEN, ArrayMaps
from intermodel.concepts.iou import iou_matrix
from intermodel.concepts.labels import assign_labels
from intermodel.concepts.patterns import Patterns, label_patterns
from intermodel.concepts.tally import tally, tally_masks
from intermodel.concepts.thresholds import hazen_thresholds
from intermodel.concepts.upsampling import geometry, upsample
from intermodel.concepts.vocabulary import Vocabulary

FILES = ["netdissect_a", "netdissect_b", "netdissect_c_awkward", "netdissect_h_scene_only"]


def load(name: str) -> dict[str, np.ndarray]:
    with np.load(Path(GOLDEN, f"{name}.npz")) as data:
        return dict(data)


def label_maps(data: dict[str, np.ndarray]) -> Patterns:
    """All categories of a Broden-style file as one stack of layers, -1 (no layer) as unlabelled."""
    categories = [str(name) for name in data["categories"]]
    rows = zip(data["label_numbers"], data["label_names"], data["primary_category"], strict=True)
    words = Vocabulary.from_records(
        [{"number": int(n), "name": str(name), "category": categories[k]} for n, name, k in rows], categories
    )
    layers = np.concatenate([np.maximum(data[f"pixels_{name}"], 0) for name in categories], axis=1)
    whole = np.concatenate([data[f"scalars_{name}"] for name in categories], axis=1)
    return label_patterns(layers, words, None, list(whole))


@pytest.mark.parametrize("name", FILES)
def test_counts_follow_the_definition(name: str) -> None:
    data = load(name)
    result = tally(ArrayMaps(data["features"]), label_maps(data), data["thresholds"])
    order = np.argsort(data["label_numbers"])
    sums = result.folds.total()
    np.testing.assert_array_equal(sums.intersection, data["def_intersection"][:, order])
    np.testing.assert_array_equal(sums.unit_area, data["def_activation"])
    np.testing.assert_array_equal(sums.label_area, data["def_truth"][order])
    np.testing.assert_array_equal(sums.unit_area_category, data["def_activation_per_category"])
    assert sums.pixels == data["total_pixels"] and sums.images == len(data["features"])
    # Absent labels are 0 there; here nothing can be said about them.
    for denominator, key in (("category", "def_iou_category"), ("all", "def_iou_all_pixels")):
        found = iou_matrix(sums, result.vocabulary, denominator)
        np.testing.assert_allclose(np.nan_to_num(found), data[key][:, order], rtol=0, atol=1e-12)
        np.testing.assert_array_equal(np.isnan(found).all(axis=0), data["def_truth"][order] == 0)


@pytest.mark.parametrize("name", FILES)
def test_activity_agrees_with_netdissect_lite(name: str) -> None:
    data = load(name)
    result = tally(ArrayMaps(data["features"]), label_maps(data), data["thresholds"])
    np.testing.assert_array_equal(result.folds.total().unit_area, data["lite_activation"])
    # That program counts a label once per layer, so it never counts less.
    order = np.argsort(data["label_numbers"])
    assert (result.folds.total().intersection <= data["lite_intersection"][:, order]).all()


def test_planted_units_get_the_labels_that_netdissect_lite_gives() -> None:
    data = load("netdissect_a")
    result = tally(ArrayMaps(data["features"]), label_maps(data), data["thresholds"])
    words = result.vocabulary
    labels = assign_labels(iou_matrix(result.folds.total(), words), words)
    best = data["lite_best_iou_per_category"]
    # Three units follow a concept, some of whose labels belong to a second category, too.
    clear = best > 0.02
    assert clear.sum() == 5
    numbers = words.numbers[labels.category_label]
    np.testing.assert_array_equal(numbers[clear], data["lite_best_label_per_category"][clear])


def test_dissect_with_its_own_masks() -> None:
    data = load("dissect_a")
    maps, layers = data["features"], data["segmentation"]
    height, width = data["target_shape"]
    # That program pads with zeros: enlarge the padded map and cut the rim off.
    padded = np.pad(maps, [(0, 0), (0, 0), (1, 1), (1, 1)])
    scale = height // maps.shape[2]
    enlarged = upsample(padded, geometry(padded.shape[2:], (height + 2 * scale, width + 2 * scale)))
    enlarged = enlarged[:, :, scale:-scale, scale:-scale]
    np.testing.assert_allclose(enlarged[:2], data["upsampled"], atol=1e-12)
    units = maps.shape[1]
    level = hazen_thresholds(enlarged.swapaxes(0, 1).reshape(units, -1), float(data["tail"]))
    np.testing.assert_allclose(level, data["level_exact_hazen"], rtol=1e-12)
    names = range(1, data["iou_definition"].shape[1])
    words = Vocabulary.from_records([{"number": n, "name": f"{n}", "category": "object"} for n in names], ["object"])
    result = tally_masks(enlarged > level[None, :, None, None], label_patterns(layers, words))
    sums = result.folds.total()
    np.testing.assert_array_equal(sums.unit_area, data["activation"])
    np.testing.assert_array_equal(sums.label_area, data["truth"][1:])
    np.testing.assert_array_equal(sums.intersection, data["intersection"][:, 1:])
    np.testing.assert_allclose(iou_matrix(sums, words, "all"), data["iou_definition"][:, 1:], atol=1e-12)
