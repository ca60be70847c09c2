"""Files: what is read back is what was counted, and files that do not belong together are refused."""

from __future__ import annotations

import json
from pathlib import Path

import h5py
import numpy as np
import pytest
from concepts.conftest import SETTINGS, SIDE, WORDS, Folder, write_manifest, write_maps, write_segmentation
from concepts.samples import ArrayMaps, assert_equal_sums
from intermodel.concepts import files
from intermodel.concepts.files import (
    index_label_maps,
    open_patterns,
    read_tally,
    tally_layer,
    visible_boxes,
    write_tally,
)
from intermodel.concepts.patterns import label_patterns
from intermodel.concepts.reference import loop_tally
from intermodel.concepts.sums import folds_of
from intermodel.concepts.thresholds import unit_thresholds
from intermodel.engine.errors import UserError
from intermodel.store import Maps, read_attributes


def test_a_tally_is_what_the_definition_counts(tallied: Folder) -> None:
    with Maps(tallied.maps("seer", "late")) as source:
        maps = source.images(0, len(source.ids))
    threshold = unit_thresholds(ArrayMaps(maps), SETTINGS["tail"])
    result = read_tally(tallied.tally("seer", "late"))
    np.testing.assert_array_equal(result.threshold, threshold)
    plain = loop_tally(
        maps, threshold, tallied.layers, WORDS, tallied.ids, tallied.image_labels, folds=SETTINGS["folds"]
    )
    assert_equal_sums(result.folds, plain)
    assert len(result.shuffled) == 2 and result.shuffled.images.tolist() == [80, 80]
    peaks = maps.max(axis=(2, 3))
    np.testing.assert_array_equal(result.top_values, -np.sort(-peaks, axis=0)[:5].T)


def test_what_a_tally_says_about_itself(tallied: Folder) -> None:
    path = tallied.tally("seer", "late")
    about = read_attributes(path)
    assert {name: about[name] for name in ("dataset", "model", "layer", "tail", "masks", "images")} == {
        "dataset": "d", "model": "seer", "layer": "late", "tail": 0.05, "masks": "quantile", "images": 80,
    }  # fmt: skip
    assert (
        about["positions"] == 80 * 64 and about["dataset_fingerprint"] == "f1" and json.loads(about["size"]) == [16, 16]
    )
    assert json.loads(about["warnings"]) == [] and json.loads(about["spatial"]) == [8, 8]
    with h5py.File(path) as file:
        assert file["index"].asstr()[...].tolist() == tallied.ids.tolist()
        np.testing.assert_array_equal(file["fold"], folds_of(tallied.ids, 8))
        assert file["intersection"].shape == (8, 6, 6)


def test_writing_and_reading_is_the_identity(tallied: Folder, tmp_path: Path) -> None:
    result = read_tally(tallied.tally("noise", "late"))
    write_tally(tmp_path / "again.h5", result, tallied.ids, tail=0.05)
    again = read_tally(tmp_path / "again.h5")
    assert_equal_sums(result.folds, again.folds)
    assert_equal_sums(result.shuffled, again.shuffled)
    for name in ("threshold", "top_images", "top_values", "top_maps"):
        np.testing.assert_array_equal(getattr(result, name), getattr(again, name))
    assert again.vocabulary.names == WORDS.names and again.folds.intersection.dtype == np.int64


@pytest.mark.parametrize("void", [True, False])
def test_patterns_come_back_from_the_disk(
    void: bool, folder: Folder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(files, "BATCH_IMAGES", 7)
    valid = np.random.default_rng(0).random((80, SIDE, SIDE)) > 0.3 if void else None
    write_segmentation(tmp_path / "s.h5", folder.ids, folder.layers, folder.image_labels, valid)
    index_label_maps(tmp_path / "s.h5", folder.manifest, tmp_path / "p.h5")
    expected = label_patterns(folder.layers, WORDS, folder.ids, folder.image_labels, valid)
    rows = np.array([3, 4, 5, 50, 2, 79, 0])
    with open_patterns(tmp_path / "p.h5") as (known, about):
        found, wanted = known.take(rows), expected.take(rows)
        np.testing.assert_array_equal(known.label_offset, expected.label_offset)
        assert about["width"].tolist() == [16] * 80 and known.size == (16, 16)
    for name in (
        *("ids", "run_offset", "run_length", "run_pattern", "pattern_offset"),
        *("label_start", "label_count", "label_offset", "label"),
    ):
        np.testing.assert_array_equal(getattr(found, name), getattr(wanted, name), err_msg=name)


def test_maps_are_joined_by_image_id(folder: Folder, tallied: Folder, tmp_path: Path) -> None:
    with Maps(folder.maps("seer", "late")) as source:
        maps = source.images(0, 80)
    order = np.random.default_rng(1).permutation(80)
    write_maps(tmp_path / "seer" / "late.maps.h5", folder.ids[order], maps[order])
    tally_layer(tmp_path / "seer" / "late.maps.h5", folder.path / "patterns.h5", tmp_path / "t.h5", **SETTINGS)
    turned, straight = read_tally(tmp_path / "t.h5"), read_tally(tallied.tally("seer", "late"))
    assert_equal_sums(turned.folds, straight.folds)
    assert_equal_sums(turned.shuffled, straight.shuffled)
    assert set(order[turned.top_images[0, :1]]) == set(straight.top_images[0, :1])


@pytest.mark.parametrize("change", ["fingerprint", "fewer", "others"])
def test_maps_of_another_state_of_the_data_are_refused(change: str, tallied: Folder, tmp_path: Path) -> None:
    ids = tallied.ids[:70] if change == "fewer" else tallied.ids
    ids = np.append(ids[:-1], "new image") if change == "others" else ids
    path = tmp_path / "m" / "late.maps.h5"
    fingerprint = "f2" if change == "fingerprint" else "f1"
    write_maps(path, ids, np.ones((len(ids), 1, 4, 4)), dataset_fingerprint=fingerprint)
    with pytest.raises(UserError, match=r"state.? of the data set"):
        tally_layer(path, tallied.path / "patterns.h5", tmp_path / "t.h5", **SETTINGS)
    assert not (tmp_path / "t.h5").exists()


def test_label_maps_of_another_state_of_the_data_are_refused(folder: Folder, tmp_path: Path) -> None:
    write_manifest(tmp_path / "m.h5", np.append(folder.ids, "new"))
    with pytest.raises(UserError, match=r"80 label maps, .* 81 images"):
        index_label_maps(folder.segmentation, tmp_path / "m.h5", tmp_path / "p.h5")
    write_manifest(tmp_path / "m.h5", folder.ids[:-1])
    with pytest.raises(UserError, match="lacks 1 of 80 images"):
        index_label_maps(folder.segmentation, tmp_path / "m.h5", tmp_path / "p.h5")


def test_a_wrong_label_is_told_with_file_and_image(folder: Folder, tmp_path: Path) -> None:
    layers = folder.layers.copy()
    layers[41, 0, 3, 3] = 99
    write_segmentation(tmp_path / "s.h5", folder.ids, layers, folder.image_labels)
    with pytest.raises(UserError, match=r"label map of image 'image 041' in s.h5 holds the label number 99"):
        index_label_maps(tmp_path / "s.h5", folder.manifest, tmp_path / "p.h5")


def test_warnings_are_kept(folder: Folder, tallied: Folder, tmp_path: Path) -> None:
    path = tmp_path / "t.h5"
    with pytest.warns(UserWarning, match="Only 25 of 5120"):
        tally_layer(folder.maps("noise", "late"), folder.path / "patterns.h5", path, **SETTINGS | {"tail": 0.005})
    assert "Only 25 of 5120" in json.loads(read_attributes(path)["warnings"])[0]


def test_argmax_needs_no_thresholds(tallied: Folder, tmp_path: Path) -> None:
    settings = SETTINGS | {"masks": "argmax"}
    tally_layer(tallied.maps("seer", "late"), tallied.path / "patterns.h5", tmp_path / "t.h5", **settings)
    result = read_tally(tmp_path / "t.h5")
    assert np.isnan(result.threshold).all()
    assert result.folds.total().unit_area.sum() == 80 * SIDE * SIDE


def test_boxes_follow_the_preprocessing() -> None:
    width, height = np.array([640, 300, 640]), np.array([480, 400, 480])
    crop = {"size": 224, "resize_size": 256}
    boxes = visible_boxes(crop, width, height, (120, 160))
    # 640 x 480 becomes 341 x 256; the central 224 of it, in pixels of a label map of 160 x 120.
    scale_x, scale_y = 160 / 341, 120 / 256
    expected = np.array([58 * scale_x, 16 * scale_y, 282 * scale_x, 240 * scale_y])
    np.testing.assert_allclose(boxes[0], expected, atol=0.6)
    np.testing.assert_array_equal(boxes[0], boxes[2])
    assert boxes[1, 0] == pytest.approx(160 / 16) and boxes[1, 2] == pytest.approx(150)
    assert visible_boxes({"size": 224, "resize": "squash"}, width, height, (120, 160)) is None
    assert visible_boxes(crop | {"resize": "none"}, np.array([224]), np.array([224]), (7, 9)) is None


@pytest.mark.parametrize("side", [97, 299, 333, 641])
@pytest.mark.parametrize("pixels", [49, 64, 112])
def test_rounding_cuts_nothing_off(side: int, pixels: int) -> None:
    """Scaling there and back again gives sides such as 63.999999."""
    for size in range(50, 90):
        assert visible_boxes({"size": size}, np.array([side]), np.array([side]), (pixels, pixels)) is None


def test_what_the_network_does_not_see_is_not_counted(folder: Folder, tmp_path: Path) -> None:
    """Maps of the central half, dissected with label maps of the whole, equal maps of images that are that half."""
    preprocessing = {"size": [8, 8], "resize": "none", "crop": "center"}
    maps = np.random.default_rng(0).normal(size=(80, 3, 4, 4))
    write_maps(tmp_path / "a" / "late.maps.h5", folder.ids, maps, preprocessing=preprocessing)
    index_label_maps(folder.segmentation, folder.manifest, tmp_path / "whole.h5")
    tally_layer(tmp_path / "a" / "late.maps.h5", tmp_path / "whole.h5", tmp_path / "cropped.h5", **SETTINGS)

    write_manifest(tmp_path / "m.h5", folder.ids, (8, 8))
    write_segmentation(tmp_path / "s.h5", folder.ids, folder.layers[:, :, 4:12, 4:12], folder.image_labels)
    write_maps(tmp_path / "b" / "late.maps.h5", folder.ids, maps, preprocessing=preprocessing)
    index_label_maps(tmp_path / "s.h5", tmp_path / "m.h5", tmp_path / "half.h5")
    tally_layer(tmp_path / "b" / "late.maps.h5", tmp_path / "half.h5", tmp_path / "direct.h5", **SETTINGS)
    cropped, direct = read_tally(tmp_path / "cropped.h5"), read_tally(tmp_path / "direct.h5")
    assert_equal_sums(cropped.folds, direct.folds)
    assert_equal_sums(cropped.shuffled, direct.shuffled)
