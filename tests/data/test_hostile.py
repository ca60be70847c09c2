"""Files that are broken or made to do harm: a sentence that names the file, never another exception."""

from __future__ import annotations

import io
import random
import struct
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
from intermodel.data.image_file import image_size, read_image, read_label_map
from intermodel.data.manifest import build_manifest
from intermodel.data.open import open_dataset
from intermodel.engine.errors import UserError
from PIL import Image

from .conftest import picture

READERS = (read_image, image_size, read_label_map)


def encoded(kind: str, **options: Any) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(picture(0)).save(buffer, kind, **options)
    return buffer.getvalue()


def damaged(content: bytes, generator: random.Random) -> bytes:
    """The bytes with some changed, more often near the start, where the structure is told; some are cut."""
    found = bytearray(content)
    for _ in range(generator.choice([1, 1, 2, 4, 8])):
        end = min(len(found), generator.choice([40, 200, len(found)]))
        found[generator.randrange(end)] = generator.choice([0, 255, generator.randrange(256)])
    return bytes(found[: generator.randrange(len(found))] if generator.random() < 0.1 else found)


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "TIFF", "GIF", "WEBP", "BMP", "PPM"])
def test_damaged_images_raise_nothing_else(tmp_path: Path, kind: str) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    whole = encoded(kind, **({"exif": exif} if kind in ("JPEG", "PNG", "TIFF", "WEBP") else {}))
    path = tmp_path / "image.bin"
    generator = random.Random(kind)
    refused = 0
    for _ in range(150):
        path.write_bytes(damaged(whole, generator))
        for read in READERS:
            try:
                read(path)
            except UserError as error:
                refused += 1
                assert str(path) in str(error) and "\n" not in str(error)
    assert refused > 50


@pytest.mark.parametrize("name", ["data.npz", "data.h5"])
def test_damaged_arrays_raise_nothing_else(tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    arrays = {"images": np.stack([picture(seed) for seed in range(3)]), "labels": np.arange(3)}
    if name == "data.npz":
        np.savez(path, **arrays)
    else:
        with h5py.File(path, "w") as file:
            for key, values in arrays.items():
                file[key] = values
    whole = path.read_bytes()
    generator = random.Random(name)
    refused = 0
    for number in range(300):
        torn = path.with_stem(f"{number}")
        torn.write_bytes(damaged(whole, generator))
        try:
            dataset = open_dataset({"source": "arrays", "path": str(torn)})
            dataset.image(0)
        except UserError as error:
            refused += 1
            assert repr(str(torn)) in str(error) and "\n" not in str(error)
        torn.unlink()
    assert refused > 30


def bomb(width: int, height: int) -> bytes:
    """A PNG of a few bytes whose heading promises width x height pixels."""
    chunk = b"IHDR" + struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    heading = struct.pack(">I", 13) + chunk + struct.pack(">I", zlib.crc32(chunk))
    return encoded("PNG")[:8] + heading + encoded("PNG")[33:]


@pytest.mark.parametrize("read", READERS)
def test_decompression_bombs_are_not_unpacked(tmp_path: Path, read: Callable[[Path], Any]) -> None:
    path = tmp_path / "bomb.png"
    path.write_bytes(bomb(60_000, 60_000))
    with pytest.raises(UserError, match=r"bomb\.png' has more than 178,956,970 pixels; scale it down"):
        read(path)


def test_postscript_is_not_run(tmp_path: Path) -> None:
    """Pillow would hand it to an interpreter, whatever the file is called."""
    path = tmp_path / "photo.jpg"
    path.write_text("%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 8 8\n%%EndComments\n(x) run\n%%EOF\n")
    with Image.open(path) as image:
        assert image.format == "EPS"
    with pytest.raises(UserError, match=r"photo\.jpg.* is not an image of a kind that is read"):
        read_image(path)


def test_extreme_shapes_are_read_exactly(tmp_path: Path) -> None:
    for number, shape in enumerate([(1, 1, 3), (3, 20_000, 3), (20_000, 1, 3)]):
        pixels = np.random.default_rng(number).integers(0, 256, shape, dtype=np.uint8)
        path = tmp_path / f"{number}.png"
        Image.fromarray(pixels).save(path)
        np.testing.assert_array_equal(read_image(path), pixels)
        assert image_size(path) == (shape[1], shape[0])


def test_arrays_of_another_file_are_refused(tmp_path: Path) -> None:
    """A raw external store could be any file of the reader's, whose bytes would end up as pixels in the report."""
    secret = tmp_path / "secret"
    secret.write_bytes(bytes(3 * 4 * 4))
    with h5py.File(tmp_path / "raw.h5", "w") as file:
        file.create_dataset("images", (1, 4, 4, 3), "u1", external=[(str(secret), 0, 48)])
    with h5py.File(tmp_path / "link.h5", "w") as file:
        file["images"] = h5py.ExternalLink("raw.h5", "images")
    for name in ("raw.h5", "link.h5"):
        with pytest.raises(UserError, match=rf"{name}' takes the array 'images' from another file"):
            open_dataset({"source": "arrays", "path": str(tmp_path / name)})


ODD_NAMES = ("with space", 'it\'s "quoted" & <b>', "Übung 日本語", "new\nline", "-rf", "a..b", "$HOME `id` %s {wild}")


def test_odd_names_of_classes_and_files_are_kept(tmp_path: Path, save: Callable[..., Path]) -> None:
    names = sorted(f"{name}/{name}.png" for name in ODD_NAMES)
    for name in names:
        save(tmp_path / "data" / name)
    spec = {"source": "folder", "path": str(tmp_path / "data")}
    build_manifest(spec, tmp_path / "manifest.h5")
    dataset = open_dataset(spec, tmp_path / "manifest.h5")
    assert dataset.ids.tolist() == names
    assert list(dataset.classes) == sorted(ODD_NAMES)
    assert dataset.image(len(names) - 1).shape == (12, 16, 3)
    assert sorted(entry.name for entry in tmp_path.iterdir()) == ["data", "manifest.h5"]
