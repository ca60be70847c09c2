from __future__ import annotations

import numpy as np
import pytest
from intermodel.data.scenes.canvas import Canvas, Surface
from intermodel.data.scenes.vocabulary import NUMBER

RED, BLUE = (1.0, 0.0, 0.0), (0.0, 0.0, 1.0)


@pytest.fixture
def canvas() -> Canvas:
    canvas = Canvas(64, np.random.default_rng(0))
    canvas.box(canvas.add(Surface(BLUE, "sky")), -1, -1, 65, 65)
    return canvas


def area(canvas: Canvas, surface: int) -> float:
    """Area in square units."""
    return float((canvas.surface == surface).mean()) * 64 * 64


def test_areas_of_shapes(canvas: Canvas) -> None:
    thing = canvas.add(Surface(RED, "ball"))
    canvas.box(thing, 10, 20, 30, 24)
    assert area(canvas, thing) == 80
    other = canvas.add(Surface(RED, "ball"))
    canvas.ellipse(other, 40, 40, 10, 6)
    assert area(canvas, other) == pytest.approx(np.pi * 60, rel=0.02)
    half = canvas.add(Surface(RED, "ball"))
    canvas.ellipse(half, 40, 40, 10, 6, upper=True)
    assert area(canvas, half) == pytest.approx(np.pi * 30, rel=0.02)
    triangle = canvas.add(Surface(RED, "ball"))
    canvas.taper(triangle, 14, 30, 60, 0, 10)
    assert area(canvas, triangle) == pytest.approx(300, rel=0.02)
    leaning = canvas.add(Surface(RED, "ball"))
    canvas.taper(leaning, 14, 30, 60, 0, 10, lean=8)
    assert area(canvas, leaning) == pytest.approx(300, rel=0.02)
    stroke = canvas.add(Surface(RED, "ball"))
    canvas.bar(stroke, 40, 50, 58, 60, 2)
    assert area(canvas, stroke) == pytest.approx(2 * (np.hypot(18, 10) + 2), rel=0.06)


def test_later_shapes_hide_earlier_ones(canvas: Canvas) -> None:
    first, second = (canvas.add(Surface(RED, name)) for name in ("ball", "car"))
    canvas.box(first, 10, 10, 20, 20)
    canvas.box(second, 10, 10, 20, 15)
    assert area(canvas, first) == area(canvas, second) == 50
    canvas.shade(BLUE)
    objects = canvas.labels()[0]
    assert (objects[12, 12], objects[18, 12]) == (NUMBER["object", "car"], NUMBER["object", "ball"])
    assert objects[40, 40] == NUMBER["object", "sky"]


def test_shapes_outside_of_the_view_leave_no_trace(canvas: Canvas) -> None:
    thing = canvas.add(Surface(RED, "ball"))
    canvas.box(thing, -20, -20, -5, 80)
    canvas.ellipse(thing, 90, 90, 10, 10)
    canvas.taper(thing, -50, 0, 60, 3, 3)
    canvas.bar(thing, 70, 70, 90, 90, 3)
    canvas.shadow(-30, -30, 5, 5)
    assert area(canvas, thing) == 0
    assert (canvas.light > 0.9).all()


def test_zoom_shows_a_part_larger() -> None:
    view = Canvas(64, np.random.default_rng(0), left=16, top=16, zoom=2)
    view.box(view.add(Surface(BLUE, "sky")), -1, -1, 65, 65)
    thing = view.add(Surface(RED, "ball"))
    view.box(thing, 16, 16, 32, 32)
    assert (view.surface == thing).mean() == 0.25
    assert (view.surface[:64, :64] == thing).all()


def test_colours_and_patterns() -> None:
    canvas = Canvas(64, np.random.default_rng(0))
    canvas.box(canvas.add(Surface(RED, "wall", texture="striped", second=BLUE, period=8)), -1, -1, 65, 65, turn=0)
    image = canvas.shade(BLUE)
    assert canvas.labels()[3].min() == NUMBER["texture", "striped"]
    rows = image[0].mean(axis=1)
    spectrum = np.abs(np.fft.rfft(rows - rows.mean()))
    assert np.argmax(spectrum) == 8  # 64 units hold eight periods
    assert image[0].mean() == pytest.approx(0.5, abs=0.05) and image[2].mean() == pytest.approx(0.5, abs=0.05)
    assert image[1].max() == 0


def test_windows_are_a_part_made_of_glass() -> None:
    canvas = Canvas(64, np.random.default_rng(0))
    tower = Surface(RED, "skyscraper", "", "stone", "", BLUE, "windows", 8.0)
    canvas.box(canvas.add(tower), -1, -1, 65, 65)
    canvas.shade(BLUE)
    parts, materials, textures = canvas.labels()[1:]
    assert set(np.unique(parts)) == {0, NUMBER["part", "window"]}
    assert (materials[parts > 0] == NUMBER["material", "glass"]).all()
    assert (materials[parts == 0] == NUMBER["material", "stone"]).all()
    assert not textures.any()


def test_a_plane_fades_towards_its_horizon(canvas: Canvas) -> None:
    ground = canvas.add(Surface(RED, "floor", texture="chequered", second=BLUE, receding=True))
    canvas.plane(ground, 20, 32, 20)
    image = canvas.shade((0.0, 1.0, 0.0), 1.0)
    assert (canvas.surface[: 2 * 20] != ground).all() and (canvas.surface[2 * 20 :] == ground).all()
    near, far = image[:, 120:, :], image[:, 42:46, :]
    assert near[0].std() > 4 * far[0].std()
    assert far[1].mean() > near[1].mean() + 0.5  # the haze
