"""The visual style: equal figures give equal files, colours that can be told apart."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest
from intermodel import plotting

if TYPE_CHECKING:
    from matplotlib.figure import Figure


@pytest.fixture(autouse=True)
def styled() -> Iterator[None]:
    import matplotlib

    with matplotlib.rc_context():
        plotting.use_style()
        yield


def draw() -> Figure:
    import matplotlib.pyplot as plt

    figure, axes = plt.subplots(figsize=plotting.inches(plotting.SINGLE, 60))
    axes.scatter([1, 2, 3], [3, 1, 2], color=plotting.PALETTE[:3], label="models")
    axes.set_xlabel("layer")
    axes.legend()
    return figure


@pytest.mark.parametrize("suffix, beginning", [("svg", b"<?xml"), ("png", b"\x89PNG"), ("pdf", b"%PDF")])
def test_equal_figures_give_equal_files(tmp_path: Path, suffix: str, beginning: bytes) -> None:
    import matplotlib.pyplot as plt

    before = plt.get_fignums()
    files = [tmp_path / f"{name}.{suffix}" for name in ("a", "b")]
    for file in files:
        plotting.save(draw(), file)
    assert files[0].read_bytes() == files[1].read_bytes()
    assert files[0].read_bytes().startswith(beginning)
    assert sorted(tmp_path.iterdir()) == files
    assert plt.get_fignums() == before


def test_a_width_in_print_is_that_width(tmp_path: Path) -> None:
    width, height = plotting.inches(plotting.DOUBLE, 25.4)
    assert (round(width * 25.4, 6), height) == (plotting.DOUBLE, 1.0)


def test_colours_and_markers_tell_models_apart() -> None:
    names = [f"model-{number}" for number in range(64)]
    colors, markers = plotting.model_colors(names), plotting.model_markers(names)
    assert list(colors) == list(markers) == names
    assert len({(colors[name], markers[name]) for name in names}) == 64
    assert len({colors[name] for name in names[:8]}) == 8


def test_categories_have_colours_of_their_own() -> None:
    colors = list(plotting.CATEGORY_COLORS.values())
    assert len(set(colors)) == len(colors) == 6
    assert plotting.category_color("object") == plotting.CATEGORY_COLORS["object"]
    assert plotting.category_color("weather") == plotting.NEUTRAL
    # The palette is one that people with any colour vision deficiency tell apart.
    assert set(colors) <= set(plotting.PALETTE)
    assert plotting.NEUTRAL not in plotting.PALETTE


@pytest.mark.parametrize(("size", "expected"), [((400, 300), (144, 108)), ((40, 30), (96, 72)), ((100, 50), (100, 50))])
def test_thumbnails_have_a_size_fit_for_print(size: tuple[int, int], expected: tuple[int, int]) -> None:
    image = np.full((*size, 3), 7, dtype=np.uint8)
    assert plotting.thumbnail(image).shape == (*expected, 3)
    assert (plotting.thumbnail(image) == 7).all()
