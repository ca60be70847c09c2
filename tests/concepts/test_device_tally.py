"""The tally on a device counts what the tally on the processor counts, to the last pixel."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from concepts.samples import ArrayMaps, assert_equal_sums, problem
from concepts.test_golden import FILES, label_maps, load
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from intermodel.concepts import device_tally
from intermodel.concepts.activity import above
from intermodel.concepts.device_largest import DeviceLargest
from intermodel.concepts.device_tally import DeviceTally, pixels_above
from intermodel.concepts.largest import Largest
from intermodel.concepts.patterns import Patterns
from intermodel.concepts.result import Tally
from intermodel.concepts.rotation import Rotation, random_rotation
from intermodel.concepts.tally import tally
from intermodel.concepts.upsampling import Geometry, geometry, upsample

# Where there is a GPU it is tried as well.
DEVICES = ["cpu", *(["cuda"] if torch.cuda.is_available() else [])]
SIZES = [((4, 5), (12, 13)), ((7, 7), (28, 28)), ((3, 3), (13, 29)), ((1, 1), (6, 5)), ((9, 8), (9, 8)),
         ((9, 8), (5, 4)), ((2, 6), (16, 6))]  # fmt: skip

pytestmark = [
    pytest.mark.parametrize("device", DEVICES),
    pytest.mark.filterwarnings("ignore:Only .* activations:UserWarning"),
]


def on_device(
    maps: np.ndarray, patterns: Patterns, threshold: np.ndarray, device: str, batch: int, half: bool = False,
    **options: object,
) -> Tally:  # fmt: skip
    place = torch.device(device)
    running = DeviceTally(patterns, maps.shape[1], threshold, device=place, **options)
    for start in range(0, len(maps), batch):
        block = torch.from_numpy(maps[start : start + batch]).to(place)
        running.add(start, block.half() if half else block)
    return running.result()


def assert_equal_tallies(found: Tally, expected: Tally) -> None:
    for name in ("folds", "shuffled", "rotated"):
        assert_equal_sums(getattr(found, name), getattr(expected, name))
    for name in ("threshold", "top_images", "top_values", "top_maps"):
        np.testing.assert_array_equal(getattr(found, name), getattr(expected, name), err_msg=name)


@settings(deadline=None, max_examples=40)
@given(
    st.integers(0, 2**32 - 1), st.sampled_from(SIZES), st.sampled_from([0.02, 0.1, 0.4]), st.booleans(),
    st.sampled_from(["whole", "same", "different"]), st.integers(1, 9), st.booleans(),
)  # fmt: skip
def test_counts_are_those_of_the_processor(
    device: str, seed: int, sizes: tuple[tuple[int, int], tuple[int, int]], tail: float, void: bool, boxes: str,
    batch: int, half: bool,
) -> None:  # fmt: skip
    case = problem(seed, *sizes, tail=tail, void=void, boxes=boxes)
    found = on_device(
        case.maps, case.patterns, case.threshold, device, batch, half, boxes=case.boxes, folds=4, shuffles=2
    )
    assert_equal_tallies(found, case.tally(shuffles=2))


@pytest.mark.parametrize("name", FILES)
def test_golden_counts(device: str, name: str) -> None:
    data = load(name)
    patterns, maps = label_maps(data), data["features"].astype(np.float32)
    found = on_device(maps, patterns, data["thresholds"], device, 7)
    assert_equal_tallies(found, tally(ArrayMaps(maps), patterns, data["thresholds"]))
    order = np.argsort(data["label_numbers"])
    np.testing.assert_array_equal(found.folds.total().intersection, data["def_intersection"][:, order])


def test_blocks_do_not_matter(device: str, monkeypatch: pytest.MonkeyPatch) -> None:
    case = problem(3, tail=0.3)
    options = {"boxes": case.boxes, "folds": 4, "shuffles": 1}
    whole = on_device(case.maps, case.patterns, case.threshold, device, 9, **options)
    monkeypatch.setattr(device_tally, "CELLS", 1)
    monkeypatch.setattr(device_tally, "PIXELS", 40)
    assert_equal_tallies(on_device(case.maps, case.patterns, case.threshold, device, 9, **options), whole)
    assert whole.folds.intersection.sum() > 1000


def test_rotated_units(device: str) -> None:
    case = problem(4)
    turned = [Rotation(random_rotation(4, name), case.threshold * 0.9) for name in ("a", "b")]
    found = on_device(case.maps, case.patterns, case.threshold, device, 4, folds=4, rotations=turned)
    assert_equal_tallies(found, case.tally(rotations=turned))
    assert found.rotated.intersection.sum() > 0


# ------------------------------------------------------------------------------------------------------ the last bit


def pixels(maps: np.ndarray, level: np.ndarray, grid: Geometry, device: str) -> np.ndarray:
    """Masks (n, U, H * W) from the device."""
    masks = np.zeros((*maps.shape[:2], grid.size[0] * grid.size[1]), dtype=bool)
    place = torch.device(device)
    for image, unit, pixel in pixels_above(torch.from_numpy(maps).to(place), torch.from_numpy(level).to(place), grid):
        masks[image.cpu(), unit.cpu(), pixel.cpu()] = True
    return masks


def on_the_edge(seed: int, grid: Geometry) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Maps (1, U, 7, 7), the thresholds at which one pixel of each unit lies exactly, and these pixels."""
    generator = np.random.default_rng(seed)
    maps = generator.normal(size=(1, 500, 7, 7)).astype(np.float32)
    values = upsample(maps, grid)[0].reshape(500, -1)
    pixel = generator.integers(0, values.shape[1], 500)
    return maps, values[np.arange(500), pixel], pixel


def fused(maps: np.ndarray, grid: Geometry) -> np.ndarray:
    """What a device with fused products and sums would make of the enlargement: one rounding where there are two."""

    def between(a: np.ndarray, b: np.ndarray, fraction: np.ndarray) -> np.ndarray:
        a = a.astype(np.float64)
        return (a + fraction.astype(np.longdouble) * (b - a)).astype(np.float64)

    lines = between(maps[..., grid.y.low, :], maps[..., grid.y.high, :], grid.y.fraction[:, None])
    return between(lines[..., grid.x.low], lines[..., grid.x.high], grid.x.fraction)


def test_a_threshold_at_a_pixel_tells_the_last_bit(device: str) -> None:
    grid = geometry((7, 7), (113, 90))
    maps, level, pixel = on_the_edge(0, grid)
    unit = np.arange(len(level))
    at, below = level, np.nextafter(level, -np.inf)
    assert not pixels(maps, at, grid, device)[0, unit, pixel].any()
    assert pixels(maps, below, grid, device)[0, unit, pixel].all()
    # It would not go unnoticed: with one rounding fewer some of these pixels are on the wrong side.
    wrong = fused(maps, grid)[0].reshape(len(level), -1)[unit, pixel]
    assert (wrong > at).any() and (wrong <= below).any()


@settings(deadline=None, max_examples=60)
@given(
    st.data(), st.integers(1, 5), st.integers(1, 5), st.integers(1, 17), st.integers(1, 17), st.booleans(),
    st.sampled_from([np.float16, np.float32, np.float64]),
)  # fmt: skip
def test_awkward_maps(
    device: str, data: st.DataObject, h: int, w: int, height: int, width: int, part: bool, dtype: type
) -> None:
    values = st.integers(-2, 3).map(float) | st.floats(-2, 2, width=16)
    maps = data.draw(arrays(dtype, (2, 3, h, w), elements=values))
    level = data.draw(arrays(np.float64, 3, elements=values))
    box = (0.3 * width, 0.1 * height, 0.95 * width, 0.8 * height) if part else None
    grid = geometry((h, w), (height, width), box)
    expected = np.zeros((2, 3, height * width), dtype=bool)
    for active in above(maps.astype(np.float64), level, grid):
        unit = np.repeat(np.arange(3), np.diff(active.offset))
        expected[active.image, unit, active.pixel] = True
    np.testing.assert_array_equal(pixels(maps, level, grid, device), expected)


@pytest.mark.parametrize("plateau", [3.0, 0.1, 1e-30])
def test_a_plateau_at_the_threshold_is_not_active(device: str, plateau: float) -> None:
    maps = np.full((1, 1, 3, 3), plateau, dtype=np.float32)
    maps[0, 0, 0, 0] = -1.0
    assert not pixels(maps, maps.max(axis=(2, 3))[0].astype(np.float64), geometry((3, 3), (13, 29)), device).any()


# ------------------------------------------------------------------------------------------------------- thresholds


@settings(deadline=None, max_examples=60)
@given(st.integers(0, 2**32 - 1), st.sampled_from([1, 5, 60, 179, 180, 250]), st.integers(1, 9), st.booleans(),
       st.booleans())  # fmt: skip
def test_the_largest_activations(
    device: str, seed: int, keep: int, batch: int, rectified: bool, unit_by_unit: bool
) -> None:
    maps = np.random.default_rng(seed).normal(size=(30, 3, 2, 3)).astype(np.float32)
    maps = np.maximum(maps, 0) if rectified else maps
    found, expected = DeviceLargest(3, keep, torch.device(device)), Largest(3, keep)
    with pytest.MonkeyPatch.context() as patch:
        if unit_by_unit:
            patch.setattr("intermodel.concepts.device_largest.SEARCHED", 1)
        for start in range(0, 30, batch):
            found.add(torch.from_numpy(maps[start : start + batch]).to(device))
            expected.add(maps[start : start + batch])
            assert sum(part.shape[1] for part in found._fresh) <= keep // 4
        np.testing.assert_array_equal(np.sort(found.values()), np.sort(expected.values()))
