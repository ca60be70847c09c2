"""One layer in CLIP's space, from arrays and from files."""

from __future__ import annotations

from itertools import combinations
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from intermodel.clip_dissect.dissect import (
    Dissection,
    best_cosines,
    clarity,
    dissect,
    dissect_with_clip,
    mean_embeddings,
    read_dissection,
)
from intermodel.engine.errors import UserError
from intermodel.store import create, write_strings
from numpy.typing import NDArray


def directions(rows: int, width: int, seed: int) -> NDArray[np.float64]:
    values = np.random.default_rng(seed).normal(size=(rows, width))
    return np.asarray(values / np.linalg.norm(values, axis=1, keepdims=True))


@pytest.fixture
def planted() -> tuple[NDArray[np.float32], NDArray[np.float64], NDArray[np.float64]]:
    """Images near one of five words each, and a unit for each word; unit 5 is constant."""
    text = np.eye(5, 8)
    kind = np.arange(200) % 5
    images = text[kind] + 0.1 * np.random.default_rng(0).normal(size=(200, 8))
    images /= np.linalg.norm(images, axis=1, keepdims=True)
    units = np.zeros((200, 6), dtype=np.float32)
    units[np.arange(200), kind] = 1.0
    units[:, :5] += 0.1 * np.random.default_rng(1).random((200, 5)).astype(np.float32)
    units[:, 5] = 3.0
    return units, images, text


def dissected(planted: Any, score: Any = "soft_wpmi", top: int | None = 30, exemplars: int = 20) -> Dissection:
    return dissect(*planted, score, top, exemplars, 0, {"dataset": "d", "model": "m", "layer": "l"})


@pytest.mark.parametrize("score", ["soft_wpmi", "wpmi", "cubed_cosine", "cosine"])
def test_units_find_their_word(planted: Any, score: Any) -> None:
    found = dissected(planted, score)
    assert found.evidence.argmax(axis=1)[:5].tolist() == [0, 1, 2, 3, 4]
    assert np.isnan(found.evidence[5]).all()
    assert found.live.tolist() == [True] * 5 + [False]
    assert (found.log_total.shape == (5,)) == (score in ("soft_wpmi", "wpmi"))


def test_units_are_clear_when_their_images_are_alike(planted: Any) -> None:
    found = dissected(planted)
    assert (found.clarity[:5] > 0.8).all()
    assert np.isnan(found.clarity[5])
    assert 0.1 < found.attributes["clarity_of_all"] < 0.3


def test_clarity_is_the_mean_cosine_of_two_images() -> None:
    images = directions(30, 6, 0)
    rows = np.array([[3, 7, 11, 20], [1, 2, 4, 29]])
    expected = [np.mean([images[a] @ images[b] for a, b in combinations(unit, 2)]) for unit in rows.tolist()]
    np.testing.assert_allclose(clarity(mean_embeddings(images, rows), 4), expected, atol=1e-12)


def test_best_cosines_in_both_directions() -> None:
    a, b = np.array([[2.0, 0.0], [0.0, 1.0], [np.nan, np.nan]]), np.array([[5.0, 0.0], [3.0, 4.0], [1.0, 0.0]])
    one, other = best_cosines(a, b)
    assert one == pytest.approx((1 + 0.8) / 2)
    assert other == pytest.approx((1 + 0.8 + 1) / 3)
    assert np.isnan(best_cosines(a[2:], b)).all()


def test_random_images_mean_little(planted: Any) -> None:
    found = dissected(planted)
    within = best_cosines(found.embedding, found.embedding)[0]
    assert within == pytest.approx(1.0)
    assert np.linalg.norm(found.random[:5], axis=1).max() < np.linalg.norm(found.embedding[:5], axis=1).min()


@pytest.mark.parametrize(("key", "settings"), [("top_images", {"top": 200}), ("exemplars", {"exemplars": 200})])
def test_too_few_images(planted: Any, key: str, settings: dict[str, int]) -> None:
    with pytest.raises(
        UserError, match=rf"analyses\.clip_dissect\.{key} is 200, but the data set holds 200 images.*20"
    ):
        dissected(planted, **settings)


def test_the_default_number_of_images_is_that_of_the_score(planted: Any) -> None:
    assert dissected(planted, "soft_wpmi", None).attributes["top_images"] == 100
    assert dissected(planted, "wpmi", None).attributes["top_images"] == 28
    assert dissected(planted, "cosine", None).attributes["top_images"] == 0


def test_a_layer_without_a_unit_that_varies(planted: Any) -> None:
    units, images, text = planted
    found = dissected((np.ones_like(units), images, text))
    assert not found.live.any()
    assert np.isnan(found.evidence).all()
    assert found.log_total.shape == (0,)


class Files:
    """Files of one small data set."""

    def __init__(self, folder: Path, planted: Any) -> None:
        self.units, self.embedding, self.text = planted
        self.folder = folder
        self.ids = [f"i{number:03d}" for number in range(200)]

    def write(self, order: NDArray[np.intp] | None = None, clip: str = "c", state: str = "f") -> list[Path]:
        rows = np.arange(200) if order is None else order
        paths = [self.folder / f"{name}.h5" for name in ("features", "images", "words")]
        about = {"dataset": "d", "model": "m", "layer": "l", "dataset_fingerprint": state}
        with create(paths[0], **about) as file:
            file["pooled"] = self.units[rows]
            write_strings(file, "index", [self.ids[row] for row in rows])
        with create(paths[1], dataset="d", dataset_fingerprint="f", clip="c", clip_sha256="") as file:
            file["embedding"] = self.embedding
            write_strings(file, "index", self.ids)
        with create(paths[2], clip=clip, clip_sha256="") as file:
            file["embedding"] = self.text
            write_strings(file, "word", ["a", "b", "c", "d", "e"])
        return paths


def test_images_are_joined_by_id(planted: Any, tmp_path: Path) -> None:
    files = Files(tmp_path, planted)
    found = []
    for order in (None, np.random.default_rng(3).permutation(200)):
        dissect_with_clip(*files.write(order), tmp_path / "out.h5", top_images=30, exemplars=10)
        found.append(read_dissection(tmp_path / "out.h5"))
    np.testing.assert_array_equal(found[0].evidence, found[1].evidence)
    np.testing.assert_array_equal(found[0].images, found[1].images)
    np.testing.assert_array_equal(found[0].random, found[1].random)
    assert found[0].evidence.argmax(axis=1)[:5].tolist() == [0, 1, 2, 3, 4]


def test_files_that_do_not_belong_together(planted: Any, tmp_path: Path) -> None:
    files = Files(tmp_path, planted)
    with pytest.raises(UserError, match="were made from different states of the data set"):
        dissect_with_clip(*files.write(state="g"), tmp_path / "out.h5")
    with pytest.raises(UserError, match=r"was embedded by c and .*words\.h5 by other"):
        dissect_with_clip(*files.write(clip="other"), tmp_path / "out.h5")
    files.units = files.units.copy()
    files.units[17, 2] = np.nan
    with pytest.raises(UserError, match="unit 2 is not finite on image 'i017'"):
        dissect_with_clip(*files.write(), tmp_path / "out.h5")
