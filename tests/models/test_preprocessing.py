import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from intermodel.engine.errors import UserError
from intermodel.models.preprocessing import Preprocessing, from_timm
from PIL import Image


def image(height: int, width: int, seed: int = 0) -> np.ndarray:
    """Noise that is smooth enough for resampling filters to differ."""
    small = np.random.default_rng(seed).integers(0, 256, (max(1, height // 4), max(1, width // 4), 3), dtype=np.uint8)
    return np.asarray(Image.fromarray(small).resize((width, height), Image.Resampling.BILINEAR))


@pytest.mark.parametrize("crop_mode", ["center", "squash"])
@pytest.mark.parametrize("interpolation", ["bicubic", "bilinear", "nearest"])
@pytest.mark.parametrize("shape", [(97, 63), (40, 40), (33, 128), (64, 65)])
def test_tensor_equals_that_of_timms_own_transform(shape, interpolation, crop_mode):
    timm_data = pytest.importorskip("timm.data")
    config = {
        "input_size": (3, 32, 32),
        "crop_pct": 0.875,
        "crop_mode": crop_mode,
        "interpolation": interpolation,
        "mean": (0.485, 0.456, 0.406),
        "std": (0.229, 0.224, 0.225),
    }
    picture = image(*shape)
    expected = timm_data.create_transform(**config)(Image.fromarray(picture))
    preprocessing = from_timm(config)
    found = preprocessing.normalise(torch.from_numpy(preprocessing.pixels(picture)[None].copy()))
    assert found.shape == (1, 3, 32, 32)
    torch.testing.assert_close(found[0], expected, rtol=0, atol=1e-6)
    preprocessing.check_input(found)


def test_pixels_without_mean_and_std_are_divided_by_255_exactly():
    preprocessing = Preprocessing((2, 2), resize="none")
    pixels = torch.arange(12, dtype=torch.uint8).reshape(1, 2, 2, 3) * 20
    assert torch.equal(preprocessing.normalise(pixels), pixels.permute(0, 3, 1, 2).float() / 255)


def test_bgr_swaps_channels_before_mean_and_std_which_are_in_the_networks_order():
    pixels = torch.tensor([255, 51, 0], dtype=torch.uint8).reshape(1, 1, 1, 3)
    preprocessing = Preprocessing((1, 1), resize="none", channel_order="bgr", mean=(0.0, 0.1, 0.5), std=(1.0, 0.1, 2.0))
    torch.testing.assert_close(preprocessing.normalise(pixels).flatten(), torch.tensor([0.0, 1.0, 0.25]))


@settings(deadline=None, max_examples=60)
@given(
    st.integers(8, 90), st.integers(8, 90), st.sampled_from(["shorter", "squash"]), st.sampled_from([0.7, 0.875, 1.0])
)
def test_visible_box_lies_in_the_image_and_has_the_size_that_the_crop_takes(height, width, resize, fraction):
    preprocessing = Preprocessing((16, 16), resize=resize, crop_fraction=fraction)
    left, top, right, bottom = preprocessing.visible_box(width, height)
    assert -1e-9 <= left < right <= width + 1e-9
    assert -1e-9 <= top < bottom <= height + 1e-9
    if resize == "squash":
        assert right - left == pytest.approx(16 / int(16 / fraction) * width)
    assert preprocessing.pixels(image(height, width)).shape == (16, 16, 3)


def test_visible_box_is_where_the_pixels_come_from():
    picture = np.zeros((40, 80, 3), dtype=np.uint8)
    preprocessing = Preprocessing((20, 20), crop_fraction=1.0)
    assert preprocessing.visible_box(80, 40) == (20.0, 0.0, 60.0, 40.0)
    picture[:, 20:60] = 255
    assert (preprocessing.pixels(picture)[:, 1:-1] == 255).all()
    picture[:] = 0
    picture[:, :16] = picture[:, 64:] = 255
    assert (preprocessing.pixels(picture) == 0).all()


@pytest.mark.parametrize(
    ("record", "words"),
    [
        ({}, "lacks `size`"),
        ({"size": 0}, "preprocessing.size is (0, 0)"),
        ({"size": [4, 4, 4]}, "one or two whole numbers"),
        ({"size": 8, "sise": 3}, "unknown key 'sise'; did you mean 'size'"),
        ({"size": 8, "resize": "longer"}, "preprocessing.resize is 'longer', expected one of shorter, squash, none"),
        ({"size": 8, "crop": "none"}, "does not crop"),
        ({"size": 8, "resize_size": 7}, "less than the crop of 8x8"),
        ({"size": 8, "resize": "squash", "crop": "none", "resize_size": 9}, "squashes to 9x9"),
        ({"size": 8, "crop_fraction": 0}, "crop_fraction is 0, expected a number in (0, 1]"),
        ({"size": 8, "mean": [0.5, 0.5, 0.5]}, "only one of mean and std"),
        ({"size": 8, "mean": [0.5], "std": [0.5]}, "expected three numbers"),
        ({"size": 8, "mean": [0, 0, 0], "std": [1, 0, 1]}, "three numbers above 0"),
    ],
)
def test_a_wrong_record_is_refused_in_one_sentence(record, words):
    with pytest.raises(UserError) as error:
        Preprocessing.from_dict(record)
    assert words in str(error.value)


def test_a_record_survives_being_written_out():
    preprocessing = Preprocessing.from_dict({"size": [8, 6], "resize": "squash", "mean": [0, 0, 0], "std": [1, 1, 1]})
    assert Preprocessing.from_dict(preprocessing.to_dict()) == preprocessing


@pytest.mark.parametrize(
    "wrong", [np.zeros((4, 4), np.uint8), np.zeros((4, 4, 3), np.float32), np.zeros((4, 4, 4), np.uint8)]
)
def test_an_image_that_is_no_rgb_is_refused(wrong):
    with pytest.raises(UserError, match=r"The image 'a' is an array .* expected 8-bit RGB"):
        Preprocessing((4, 4)).pixels(wrong, "The image 'a'")


def test_an_image_that_does_not_fit_without_resizing_is_refused():
    with pytest.raises(UserError, match=r"has 5x6 pixels .* the network takes 8x8"):
        Preprocessing((8, 8), resize="none").pixels(np.zeros((5, 6, 3), np.uint8))
    with pytest.raises(UserError, match=r"has 9x9 pixels .* crop: none"):
        Preprocessing((8, 8), resize="none", crop="none").pixels(np.zeros((9, 9, 3), np.uint8))


def test_an_image_that_resizing_would_make_gigantic_is_refused():
    line = np.zeros((1, 20_000, 3), np.uint8)
    with pytest.raises(UserError, match=r"'line' has 1x20000 pixels .* makes 224x4480000 of it; set resize: squash"):
        Preprocessing((224, 224)).pixels(line, "The image 'line'")
    assert Preprocessing((224, 224), resize="squash").pixels(line).shape == (224, 224, 3)
    assert Preprocessing((224, 224)).pixels(np.zeros((1, 1, 3), np.uint8)).shape == (224, 224, 3)


def test_input_of_another_network_is_noticed():
    plain = Preprocessing((4, 4), resize="none")
    normalised = Preprocessing((4, 4), resize="none", mean=(0.5,) * 3, std=(0.5,) * 3)
    pixels = torch.randint(0, 256, (2, 4, 4, 3), dtype=torch.uint8, generator=torch.Generator().manual_seed(0))
    with pytest.raises(UserError, match=r"values from -.* but its preprocessing \(mean None"):
        plain.check_input(normalised.normalise(pixels))
    with pytest.raises(UserError, match="values from"):
        plain.check_input(plain.normalise(pixels) * 255)
    with pytest.raises(UserError, match="float64"):
        plain.check_input(plain.normalise(pixels).double())
    with pytest.raises(UserError, match=r"shape \(2, 3, 4, 4\), expected .*\(n, 3, 5, 5\)"):
        Preprocessing((5, 5)).check_input(plain.normalise(pixels))
    broken = plain.normalise(pixels)
    broken[1, 2, 0, 0] = float("nan")
    with pytest.raises(UserError, match=r"nan .*some channel"):
        plain.check_input(broken)
    # A channel that lies in the range of another one.
    uneven = Preprocessing((4, 4), resize="none", mean=(0.5, 0.5, 0.5), std=(0.5, 0.5, 0.25))
    with pytest.raises(UserError, match="in channel 0"):
        uneven.check_input(uneven.normalise(pixels).flip(1))


def test_a_configuration_that_cannot_be_followed_is_refused():
    config = {"input_size": (3, 8, 8), "crop_mode": "border", "mean": (0, 0, 0), "std": (1, 1, 1)}
    with pytest.raises(UserError, match="crop_mode 'border'"):
        from_timm(config)
