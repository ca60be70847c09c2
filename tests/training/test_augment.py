"""Batched augmentations."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from intermodel.engine.errors import UserError
from intermodel.training.augment import (
    AREA,
    DRAWS,
    FLIP,
    GREYSCALE,
    JITTER,
    SELF_SUPERVISED,
    SUPERVISED,
    Augmentation,
    augment,
    change_colour,
    colour_changes,
    crop_boxes,
    draw,
    gaussian_blur,
    resized_crop,
)
from scipy.ndimage import gaussian_filter1d


def pictures(count: int = 6, height: int = 16, width: int = 16, seed: int = 0) -> torch.Tensor:
    values = np.random.default_rng(seed).integers(0, 256, (count, 3, height, width), dtype=np.uint8)
    return torch.from_numpy(values)


def draws(count: int, seed: int = 0) -> torch.Tensor:
    return draw(count, torch.Generator().manual_seed(seed))


def test_default_changes_nothing():
    images = pictures()
    assert torch.equal(augment(images, Augmentation(), draws(6)), images.float() / 255)


def test_identity_settings_of_every_step_change_nothing():
    images = pictures().float() / 255
    still = Augmentation(jitter=1.0, brightness=0.0, contrast=0.0, saturation=0.0, hue=0.0)
    torch.testing.assert_close(augment(images, still, draws(6)), images, atol=1e-6, rtol=0)
    whole = torch.tensor([[0.0, 0.0, 1.0, 1.0]]).repeat(6, 1)
    torch.testing.assert_close(resized_crop(images, whole, torch.zeros(6, dtype=torch.bool)), images, atol=1e-5, rtol=0)
    torch.testing.assert_close(gaussian_blur(images, torch.full((6,), 0.05)), images, atol=1e-6, rtol=0)


@given(
    seed=st.integers(0, 2**32 - 1),
    low=st.floats(0.05, 1.0),
    ratio=st.floats(0.3, 1.0),
    flip=st.floats(0, 1),
    jitter=st.floats(0, 1),
    strength=st.floats(0, 0.99),
    grey=st.floats(0, 1),
    blur=st.floats(0, 1),
    count=st.integers(1, 5),
    size=st.integers(2, 20),
)
@settings(max_examples=30, deadline=None)
def test_any_settings_give_finite_values_in_range_and_the_same_twice(
    seed, low, ratio, flip, jitter, strength, grey, blur, count, size
):
    settings_ = Augmentation(
        (low, 1.0), (ratio, 1 / ratio), flip, jitter, strength, strength, strength, strength / 2, grey, blur, (0.1, 3.0)
    )
    images = pictures(count, size, size + 1, seed % 1000)
    changed = augment(images, settings_, draws(count, seed))
    assert changed.shape == images.shape
    assert changed.dtype == torch.float32
    assert torch.isfinite(changed).all()
    assert changed.min() >= 0 and changed.max() <= 1
    assert torch.equal(changed, augment(images, settings_, draws(count, seed)))


def test_images_are_changed_independently():
    images = pictures(8)
    table = draws(8)
    together = augment(images, SELF_SUPERVISED, table)
    for i in range(8):
        alone = augment(images[i : i + 1], SELF_SUPERVISED, table[i : i + 1])
        torch.testing.assert_close(together[i : i + 1], alone, atol=1e-5, rtol=0)


def test_other_seeds_give_other_changes_and_input_is_untouched():
    images = pictures().float() / 255
    before = images.clone()
    first, second = (augment(images, SUPERVISED, draws(6, seed)) for seed in (0, 1))
    assert not torch.equal(first, second)
    assert torch.equal(images, before)


def test_flip_mirrors_left_and_right():
    images = pictures()
    table = draws(6)
    table[:, FLIP] = torch.tensor([0.0, 0.9, 0.0, 0.9, 0.0, 0.9])
    changed = augment(images, Augmentation(flip=0.5), table)
    expected = images.float() / 255
    torch.testing.assert_close(changed[0::2], expected[0::2].flip(3), atol=1e-5, rtol=0)
    torch.testing.assert_close(changed[1::2], expected[1::2], atol=1e-5, rtol=0)


def test_crop_of_a_quadrant_matches_bilinear_enlargement():
    images = pictures(1).float() / 255
    changed = resized_crop(images, torch.tensor([[0.5, 0.0, 0.5, 0.5]]), torch.tensor([False]))
    corner = images[:, :, :8, 8:]
    enlarged = torch.nn.functional.interpolate(corner, size=(16, 16), mode="bilinear", align_corners=False)
    # At the quadrant's inner borders the crop sees the neighbouring pixels, the enlargement does not.
    torch.testing.assert_close(changed[:, :, 1:-1, 1:-1], enlarged[:, :, 1:-1, 1:-1], atol=1e-5, rtol=0)


def test_boxes_lie_inside_and_have_the_asked_area_and_ratio():
    boxes = crop_boxes(draws(4000), (0.2, 0.6), (0.8, 1.25))
    left, top, width, height = boxes.double().unbind(1)
    assert min(left.min(), top.min()) >= 0
    assert max((left + width).max(), (top + height).max()) <= 1 + 1e-6
    area, ratio = width * height, width / height
    assert area.min() >= 0.2 - 1e-6 and area.max() <= 0.6 + 1e-6
    assert ratio.min() >= 0.8 - 1e-5 and ratio.max() <= 1.25 + 1e-5
    assert float(area.mean()) == pytest.approx(0.4, abs=0.01)
    assert float(torch.log(ratio).mean()) == pytest.approx(0.0, abs=0.01)


def test_colour_changes_match_a_plain_computation_on_one_image():
    """Independent scalar arithmetic: brightness, saturation and hue in YIQ, then contrast about the mean luma."""
    table = draws(1, 3)
    table[:, JITTER] = 0.0
    augmentation = Augmentation(jitter=1.0, brightness=0.3, contrast=0.3, saturation=0.3, hue=0.1)
    image = torch.rand((1, 3, 5, 4), generator=torch.Generator().manual_seed(0)) * 0.2 + 0.4
    changed = augment(image, augmentation, table)[0].double().numpy()
    brightness, contrast, saturation, hue = (float(2 * table[0, column] - 1) for column in (6, 7, 8, 9))
    angle = 2 * math.pi * 0.1 * hue
    pixels = image[0].double().numpy()
    expected = np.empty_like(pixels)
    for row in range(5):
        for column in range(4):
            r, g, b = pixels[:, row, column]
            y = 0.299 * r + 0.587 * g + 0.114 * b
            i = 0.595716 * r - 0.274453 * g - 0.321263 * b
            q = 0.211456 * r - 0.522591 * g + 0.311135 * b
            chroma = complex(i, q) * (1 + 0.3 * saturation) * complex(math.cos(angle), math.sin(angle))
            i, q = chroma.real, chroma.imag
            rgb = np.linalg.solve(
                [[0.299, 0.587, 0.114], [0.595716, -0.274453, -0.321263], [0.211456, -0.522591, 0.311135]], [y, i, q]
            )
            expected[:, row, column] = (1 + 0.3 * brightness) * rgb
    mean = (0.299 * expected[0] + 0.587 * expected[1] + 0.114 * expected[2]).mean()
    expected = mean + (1 + 0.3 * contrast) * (expected - mean)
    assert expected.min() > 0 and expected.max() < 1  # nothing is clipped in this example
    np.testing.assert_allclose(changed, expected, atol=1e-5)


def test_grey_images_have_equal_channels_and_keep_their_luma():
    table = draws(4)
    table[:, GREYSCALE] = 0.0
    images = pictures(4)
    grey = augment(images, Augmentation(greyscale=0.5), table)
    luma = torch.einsum("c,nchw->nhw", torch.tensor([0.299, 0.587, 0.114]), images.float() / 255)
    for channel in range(3):
        torch.testing.assert_close(grey[:, channel], luma, atol=1e-5, rtol=0)


def test_a_turned_hue_keeps_grey_pixels_and_luma():
    table = draws(16)
    matrices, contrasts = colour_changes(
        table, Augmentation(jitter=1.0, brightness=0.0, contrast=0.0, saturation=0.0, hue=0.5)
    )
    torch.testing.assert_close(contrasts, torch.ones(16))
    torch.testing.assert_close(matrices @ torch.ones(3), torch.ones(16, 3), atol=1e-5, rtol=0)
    luma = torch.tensor([0.299, 0.587, 0.114])
    torch.testing.assert_close(luma @ matrices, luma.expand(16, 3), atol=1e-5, rtol=0)


def test_contrast_zero_leaves_the_mean_luma():
    images = pictures(2).float() / 255
    flat = change_colour(images, torch.eye(3).expand(2, 3, 3), torch.zeros(2))
    luma = torch.einsum("c,nchw->n", torch.tensor([0.299, 0.587, 0.114]), images) / images[0, 0].numel()
    torch.testing.assert_close(flat, luma[:, None, None, None].expand_as(flat), atol=1e-5, rtol=0)


def test_blur_matches_a_gaussian_filter_inside_and_keeps_uniform_images():
    images = pictures(2, 24, 30).float() / 255
    sigmas = torch.tensor([0.7, 1.5])
    blurred = gaussian_blur(images, sigmas).numpy()
    for i, sigma in enumerate((0.7, 1.5)):
        expected = images[i].double().numpy()
        for axis in (1, 2):
            expected = gaussian_filter1d(expected, sigma, axis=axis, truncate=8)
        np.testing.assert_allclose(blurred[i][:, 9:-9, 9:-9], expected[:, 9:-9, 9:-9], atol=1e-4)
    uniform = torch.full((1, 3, 8, 8), 0.3)
    torch.testing.assert_close(gaussian_blur(uniform, torch.tensor([2.0])), uniform)


def test_probabilities_are_met():
    table = draws(20_000)
    matrices, contrasts = colour_changes(table, Augmentation(jitter=0.7, greyscale=0.2))
    assert float((contrasts != 1).float().mean()) == pytest.approx(0.7, abs=0.02)
    grey = (matrices - matrices[:, :1]).abs().amax(dim=(1, 2)) < 1e-5
    assert float(grey.float().mean()) == pytest.approx(0.2, abs=0.02)


def test_wrong_shapes_are_refused():
    with pytest.raises(ValueError, match="expected \\(N, 3, H, W\\)"):
        augment(torch.zeros(2, 8, 8, 3), SUPERVISED, draws(2))
    with pytest.raises(ValueError, match="draws have shape"):
        augment(pictures(3), SUPERVISED, draws(2))


@pytest.mark.parametrize(
    ("settings_", "key"),
    [
        ({"crop_area": (0.0, 1.0)}, "crop_area"),
        ({"crop_area": (0.5, 1.5)}, "crop_area"),
        ({"crop_area": (0.8, 0.5)}, "crop_area"),
        ({"crop_ratio": (-1.0, 1.0)}, "crop_ratio"),
        ({"blur_sigma": (1.0,)}, "blur_sigma"),
        ({"flip": 1.5}, "flip"),
        ({"jitter": float("nan")}, "jitter"),
        ({"hue": 0.6}, "hue"),
        ({"blur": -0.1}, "blur"),
    ],
)
def test_settings_out_of_range_are_refused(settings_, key):
    with pytest.raises(UserError, match=f"augmentation.{key}"):
        Augmentation(**settings_)


def test_draws_are_uniform_and_from_the_generator_alone():
    table = draws(5000)
    assert table.shape == (5000, DRAWS)
    torch.manual_seed(99)
    assert torch.equal(table, draws(5000))
    assert float(table[:, AREA].mean()) == pytest.approx(0.5, abs=0.02)
