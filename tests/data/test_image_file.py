from __future__ import annotations

import io
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from intermodel.data.image_file import encode_png, image_size, read_image, read_label_map
from intermodel.engine.errors import UserError
from PIL import Image

from .conftest import picture

Save = Callable[..., Path]


def test_rgb_is_read_exactly(tmp_path: Path, save: Save) -> None:
    np.testing.assert_array_equal(read_image(save(tmp_path / "a.png", 3)), picture(3))


@pytest.mark.parametrize("orientation", range(1, 9))
def test_orientation_flag(tmp_path: Path, orientation: int) -> None:
    upright = picture(0)
    # How a camera would store the upright picture under each flag of the EXIF standard.
    stored = {
        1: upright, 2: upright[:, ::-1], 3: upright[::-1, ::-1], 4: upright[::-1], 5: upright.transpose(1, 0, 2),
        6: np.rot90(upright, 1), 7: upright[::-1, ::-1].transpose(1, 0, 2), 8: np.rot90(upright, -1),
    }[orientation]  # fmt: skip
    exif = Image.Exif()
    exif[0x0112] = orientation
    path = tmp_path / "turned.png"
    Image.fromarray(np.ascontiguousarray(stored)).save(path, exif=exif)
    np.testing.assert_array_equal(read_image(path), upright)
    assert image_size(path) == (16, 12)


def test_sixteen_bits_are_scaled_not_cut(tmp_path: Path) -> None:
    values = np.array([[0, 256, 257, 32768, 65535]], np.uint16)
    path = tmp_path / "deep.png"
    Image.fromarray(values).save(path)
    np.testing.assert_array_equal(read_image(path), np.repeat(np.array([[[0], [1], [1], [128], [255]]]), 3, axis=2))


def test_transparent_pixels_lie_over_white(tmp_path: Path) -> None:
    pixels = np.array([[[10, 20, 30, 255], [10, 20, 30, 0], [0, 0, 0, 128]]], np.uint8)
    path = tmp_path / "clear.png"
    Image.fromarray(pixels).save(path)
    np.testing.assert_array_equal(read_image(path)[0], [[10, 20, 30], [255, 255, 255], [127, 127, 127]])


def test_palette_with_transparency(tmp_path: Path) -> None:
    image = Image.fromarray(np.array([[0, 1]], np.uint8), "P")
    image.putpalette([200, 0, 0, 0, 0, 200])
    path = tmp_path / "palette.png"
    image.save(path, transparency=0)
    np.testing.assert_array_equal(read_image(path)[0], [[255, 255, 255], [0, 0, 200]])


def test_grey_with_alpha_and_one_bit(tmp_path: Path) -> None:
    Image.fromarray(np.array([[[7, 255], [7, 0]]], np.uint8), "LA").save(tmp_path / "la.png")
    np.testing.assert_array_equal(read_image(tmp_path / "la.png")[0], [[7] * 3, [255] * 3])
    Image.fromarray(np.array([[True, False]])).save(tmp_path / "bit.png")
    np.testing.assert_array_equal(read_image(tmp_path / "bit.png")[0], [[255] * 3, [0] * 3])


def test_cmyk(tmp_path: Path) -> None:
    # Uniform, so that the compression loses nothing: no cyan, full magenta and yellow, no black.
    ink = np.tile(np.array([0, 255, 255, 0], np.uint8), (16, 16, 1))
    path = tmp_path / "print.jpg"
    Image.fromarray(ink, "CMYK").save(path, quality=95)
    red, green, blue = read_image(path).mean(axis=(0, 1))
    assert red > 245 and green < 10 and blue < 10


def test_first_frame_of_an_animation(tmp_path: Path) -> None:
    frames = [Image.new("RGB", (6, 5), color) for color in ("red", "lime")]
    frames[0].save(tmp_path / "moving.gif", save_all=True, append_images=frames[1:])
    np.testing.assert_array_equal(read_image(tmp_path / "moving.gif"), np.full((5, 6, 3), [255, 0, 0]))


@pytest.mark.parametrize("kept", [0.1, 0.5, 0.97])
@pytest.mark.parametrize("suffix", ["jpg", "png", "tif", "webp"])
def test_truncated_files_are_named(tmp_path: Path, save: Save, suffix: str, kept: float) -> None:
    whole = save(tmp_path / f"whole.{suffix}", np.asarray(picture(1, 64, 64))).read_bytes()
    path = tmp_path / f"torn.{suffix}"
    path.write_bytes(whole[: int(kept * len(whole))])
    with pytest.raises(UserError, match=rf"torn\.{suffix}.* cannot be decoded"):
        read_image(path)


def test_what_is_no_image_is_named(tmp_path: Path) -> None:
    (tmp_path / "text.jpg").write_text("not an image")
    with pytest.raises(UserError, match=r"text\.jpg.*it is not an image"):
        read_image(tmp_path / "text.jpg")
    (tmp_path / "empty.png").touch()
    with pytest.raises(UserError, match=r"empty\.png.*\(0 bytes\)"):
        read_image(tmp_path / "empty.png")
    with pytest.raises(UserError, match=r"none\.png' does not exist"):
        read_image(tmp_path / "none.png")


def test_values_without_a_range_are_refused(tmp_path: Path) -> None:
    Image.fromarray(np.ones((4, 4), np.float32)).save(tmp_path / "float.tif")
    with pytest.raises(UserError, match="kind 'F'"):
        read_image(tmp_path / "float.tif")
    Image.fromarray(np.full((4, 4), 70000, np.int32)).save(tmp_path / "long.tif")
    with pytest.raises(UserError, match="from 70000 to 70000, expected 16 bits"):
        read_image(tmp_path / "long.tif")


@settings(deadline=None, max_examples=20)
@given(values=st.lists(st.integers(0, 65535), min_size=1, max_size=12))
def test_sixteen_bit_label_maps_keep_their_values(values: list[int], tmp_path_factory: pytest.TempPathFactory) -> None:
    path = tmp_path_factory.getbasetemp() / "map.png"
    Image.fromarray(np.array([values], np.uint16)).save(path)
    np.testing.assert_array_equal(read_label_map(path), [values])


def test_palette_label_maps_give_indices(tmp_path: Path) -> None:
    image = Image.fromarray(np.array([[0, 2, 1]], np.uint8), "P")
    image.putpalette([9, 9, 9, 8, 8, 8, 7, 7, 7])
    image.save(tmp_path / "map.png")
    np.testing.assert_array_equal(read_label_map(tmp_path / "map.png"), [[0, 2, 1]])


def test_lossy_label_maps_are_refused(tmp_path: Path, save: Save) -> None:
    with pytest.raises(UserError, match=r"map\.jpg' is a JPEG file, whose compression changes values"):
        read_label_map(save(tmp_path / "map.jpg"))


def test_encode_png() -> None:
    np.testing.assert_array_equal(np.asarray(Image.open(io.BytesIO(encode_png(picture(2))))), picture(2))


def test_broken_exif_beside_good_pixels_is_read_in_silence_by_any_number_of_threads(tmp_path: Path) -> None:
    path = tmp_path / "broken.jpg"
    Image.new("RGB", (8, 6), (200, 0, 0)).save(path, exif=b"Exif\0\0II*\0\x08\0\0\0\x05\0\x12\x01\x03\0\x01\0\0\0")
    code = f"""
import sys
sys.path[:] = {sys.path!r}
import warnings
warnings.simplefilter("always")
from concurrent.futures import ThreadPoolExecutor
from intermodel.data.image_file import read_image
before = list(warnings.filters)
with ThreadPoolExecutor(8) as pool:
    print({{pixels.shape for pixels in pool.map(read_image, [{str(path)!r}] * 400)}})
print(warnings.filters == before)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert (done.stdout.split("\n")[:2], done.stderr) == (["{(6, 8, 3)}", "True"], "")
