import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from intermodel.models import resampling
from intermodel.models.preprocessing import Preprocessing
from intermodel.models.resampling import FILTERS, resize_and_crop
from PIL import Image

# Of photographs: lying, standing, of usual cameras, smaller than what networks take, as large as that, much larger.
SHAPES = [
    *[(375, 500), (500, 375), (333, 500), (500, 333)],
    *[(240, 320), (150, 150), (256, 257), (1200, 1600), (2000, 2000)],
]


def noise(height: int, width: int, seed: int = 0) -> np.ndarray:
    """Black, white and grey pixels, whose weighted sums leave 0..255 often."""
    choices = np.array([0, 0, 255, 255, 128, 31], dtype=np.uint8)
    return choices[np.random.default_rng(seed).integers(0, len(choices), (height, width, 3))]


def pillow(image: np.ndarray, height: int, width: int, interpolation: str) -> np.ndarray:
    return np.asarray(Image.fromarray(image).resize((width, height), FILTERS[interpolation]))


def no_pillow(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever resizes with Pillow from now on fails."""

    def refuse(*_: object) -> None:
        raise AssertionError("Pillow was asked")

    resampling._equals_pillow("bicubic")
    resampling._equals_pillow("bilinear")
    monkeypatch.setattr(Image.Image, "resize", refuse)


@settings(deadline=None, max_examples=150)
@given(st.integers(1, 400), st.integers(1, 400), st.data())
def test_compiled_code_gives_every_bit_of_pillow_whatever_is_cropped(height, width, data):
    short = data.draw(st.integers(1, 2 * min(height, width)))
    new = (short * height // width, short) if width <= height else (short, short * width // height)
    interpolation = data.draw(st.sampled_from(list(FILTERS)))
    image = noise(height, width)
    expected = pillow(image, *new, interpolation)
    top, left = data.draw(st.integers(0, new[0] - 1)), data.draw(st.integers(0, new[1] - 1))
    size = data.draw(st.integers(1, new[0] - top)), data.draw(st.integers(1, new[1] - left))
    found = resize_and_crop(image, new, (top, left), size, interpolation, compiled=True)
    assert found.dtype == np.uint8
    assert np.array_equal(found, expected[top : top + size[0], left : left + size[1]])


@settings(deadline=None, max_examples=100)
@given(*(st.integers(1, 200) for _ in range(4)), st.sampled_from(list(FILTERS)))
def test_sides_that_change_differently_give_the_pixels_of_pillow(height, width, new_height, new_width, interpolation):
    assume((height, width) != (new_height, new_width))
    image = noise(height, width)
    found = resize_and_crop(
        image, (new_height, new_width), (0, 0), (new_height, new_width), interpolation, compiled=True
    )
    assert np.array_equal(found, pillow(image, new_height, new_width, interpolation))


@pytest.mark.parametrize("interpolation", ["bicubic", "bilinear"])
@pytest.mark.parametrize("shape", SHAPES)
def test_photographs_of_usual_shapes_are_resized_by_compiled_code(monkeypatch, shape, interpolation):
    preprocessing = Preprocessing((224, 224), interpolation=interpolation, crop_fraction=0.95)
    image = noise(*shape)
    expected = preprocessing.pixels(image)
    no_pillow(monkeypatch)
    assert np.array_equal(preprocessing.pixels(image, compiled=True), expected)
    image.setflags(write=False)
    assert np.array_equal(preprocessing.pixels(image, compiled=True), expected)
    with pytest.raises(AssertionError, match="Pillow was asked"):
        preprocessing.pixels(image)


def test_a_pillow_that_rounds_otherwise_does_it_itself(monkeypatch):
    exact = Image.Image.resize

    def otherwise(self: Image.Image, *arguments: object) -> Image.Image:
        return exact(self, *arguments).point(lambda value: value ^ 1)

    resampling._equals_pillow.cache_clear()
    monkeypatch.setattr(Image.Image, "resize", otherwise)
    try:
        image = noise(90, 120)
        found = resize_and_crop(image, (45, 60), (3, 4), (20, 30), "bicubic", compiled=True)
        assert np.array_equal(found, pillow(image, 45, 60, "bicubic")[3:23, 4:34])
    finally:
        resampling._equals_pillow.cache_clear()


def test_what_is_not_resized_is_only_cropped():
    image = noise(40, 50)
    for compiled in (False, True):
        assert np.array_equal(
            resize_and_crop(image, (40, 50), (3, 7), (20, 10), "bicubic", compiled), image[3:23, 7:17]
        )
