"""Pair files: from files of maps or pooled features to matches."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from intermodel.engine.errors import UserError
from intermodel.unit_matching.pair import match_models, read_pair

Write = Callable[..., Path]


@pytest.fixture
def maps() -> np.ndarray:
    return np.random.default_rng(0).normal(size=(100, 5, 4, 4)).astype(np.float16)


def test_a_layer_and_its_units_in_another_order(
    layer_file: Write, manifest: Path, maps: np.ndarray, tmp_path: Path
) -> None:
    order = [4, 2, 0, 1, 3]
    a, b = layer_file(maps, "a"), layer_file(maps[:, order], "b")
    match_models(a, b, manifest, tmp_path / "pair.h5")
    found = read_pair(tmp_path / "pair.h5")
    assert found.matching.mutual.tolist() == [[unit, order.index(unit)] for unit in range(5)]
    assert found.matching.similarity == pytest.approx(1.0)
    about = found.attributes
    assert (about["model_a"], about["model_b"], about["layer_a"], about["over"]) == ("a", "b", "l", "maps")
    assert (about["images"], about["positions"]) == (100, 16)


def test_images_are_joined_by_id(layer_file: Write, manifest: Path, maps: np.ndarray, tmp_path: Path) -> None:
    order = np.random.default_rng(1).permutation(100)
    a = layer_file(maps, "a")
    b = layer_file(maps[order], "b", [f"i{number:03d}" for number in order])
    match_models(a, b, manifest, tmp_path / "pair.h5")
    np.testing.assert_allclose(read_pair(tmp_path / "pair.h5").matching.correlation, 1.0, atol=1e-12)


def test_a_larger_map_is_averaged_to_the_smaller(
    layer_file: Write, manifest: Path, maps: np.ndarray, tmp_path: Path
) -> None:
    means = maps.astype(np.float64).reshape(100, 5, 2, 2, 2, 2).mean(axis=(3, 5)).astype(np.float32)
    match_models(layer_file(maps, "a"), layer_file(means, "b"), manifest, tmp_path / "pair.h5")
    found = read_pair(tmp_path / "pair.h5")
    np.testing.assert_allclose(found.matching.correlation, 1.0, atol=1e-6)
    assert found.attributes["positions"] == 4


def test_networks_with_other_crops_meet_in_what_both_see(layer_file: Write, manifest: Path, tmp_path: Path) -> None:
    """A field over the image: one network sees it whole, the other the central square of the wide images."""
    field = np.random.default_rng(2).normal(size=(100, 3, 8, 4))
    crop = field.copy()[:, :, 2:6].repeat(2, axis=2)
    # Of the square images both see everything.
    crop[50:] = field[50:]
    whole, centre = (values.swapaxes(2, 3).astype(np.float32) for values in (field, crop))
    a = layer_file(whole, "a")
    b = layer_file(centre, "b", preprocessing={"size": [8, 8], "resize": "shorter", "crop": "center"})
    match_models(a, b, manifest, tmp_path / "crops.h5")
    match_models(a, layer_file(centre, "c"), manifest, tmp_path / "ignored.h5")
    known, ignored = (read_pair(tmp_path / f"{name}.h5").matching for name in ("crops", "ignored"))
    np.testing.assert_allclose(known.correlation, 1.0, atol=1e-6)
    assert ignored.correlation.max() < 0.9


def test_pooled_features_are_matched_over_images(layer_file: Write, manifest: Path, tmp_path: Path) -> None:
    pooled = np.random.default_rng(3).normal(size=(100, 4)).astype(np.float32)
    a, b = layer_file(pooled, "a"), layer_file(pooled[:, ::-1] ** 3, "b")
    match_models(a, b, manifest, tmp_path / "pair.h5", over="pooled", shuffles=2)
    found = read_pair(tmp_path / "pair.h5")
    expected = np.corrcoef(pooled.T, (pooled[:, ::-1] ** 3).T)[:4, 4:]
    np.testing.assert_allclose(found.matching.correlation, np.diag(expected[:, ::-1]), atol=1e-7)
    np.testing.assert_allclose(found.matching.position, 0.0, atol=1e-12)
    assert (found.attributes["positions"], found.attributes["over"]) == (1, "pooled")


def test_chosen_images_are_the_same_for_all_pairs(
    layer_file: Write, manifest: Path, maps: np.ndarray, tmp_path: Path
) -> None:
    a, b = layer_file(maps, "a"), layer_file(maps + np.float16(1), "b")
    match_models(a, b, manifest, tmp_path / "pair.h5", images=30)
    assert read_pair(tmp_path / "pair.h5").attributes["images"] == 30


def test_files_of_different_states_are_refused(
    layer_file: Write, manifest: Path, maps: np.ndarray, tmp_path: Path
) -> None:
    a = layer_file(maps, "a")
    with pytest.raises(UserError, match=r"b\.maps\.h5 was made from state of the data set 'g'"):
        match_models(a, layer_file(maps, "b", dataset_fingerprint="g"), manifest, tmp_path / "pair.h5")
    with pytest.raises(UserError, match=r"c\.maps\.h5 holds 90 images, but .*a\.maps\.h5 holds 100"):
        match_models(a, layer_file(maps[:90], "c"), manifest, tmp_path / "pair.h5")


def test_values_that_are_not_finite_name_unit_and_image(
    layer_file: Write, manifest: Path, maps: np.ndarray, tmp_path: Path
) -> None:
    broken = maps.copy()
    broken[37, 3, 1, 1] = np.inf
    with pytest.raises(UserError, match=r"b\.maps\.h5: unit 3 has the value inf on image 'i037'"):
        match_models(layer_file(maps, "a"), layer_file(broken, "b"), manifest, tmp_path / "pair.h5")
    assert not (tmp_path / "pair.h5").exists()
