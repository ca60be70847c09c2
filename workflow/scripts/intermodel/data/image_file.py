"""Any image file to 8-bit RGB."""

from __future__ import annotations

import hashlib
import io
import os
import struct
import warnings
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps

from intermodel.engine.errors import UserError

PathLike = str | os.PathLike[str]

# What Pillow and its codecs raise on broken files.
_BROKEN = (OSError, SyntaxError, ValueError, EOFError, IndexError, struct.error, zlib.error, MemoryError)
_ORIENTATION = 0x0112  # the EXIF tag
# What the suffixes of `walk.SUFFIXES` stand for. Pillow knows more, and would hand PostScript to an interpreter.
_FORMATS = ("JPEG", "PNG", "BMP", "TIFF", "WEBP", "GIF", "PPM")

# Pillow tells e.g. of broken EXIF beside good pixels. Once and for all: `catch_warnings` around each image would mix up
# the filters of threads that decode at the same time.
warnings.filterwarnings("ignore", module=r"PIL\.")


@contextmanager
def _opened(path: PathLike, what: str) -> Iterator[Image.Image]:
    """Open an image file; what goes wrong in the block is told as the fault of this file, which is called `what`."""
    try:
        with Image.open(path, formats=_FORMATS) as image:
            yield image
    except UserError:
        raise
    except FileNotFoundError as error:
        raise UserError(f"the {what} {str(path)!r} does not exist") from error
    except Image.DecompressionBombError as error:
        raise UserError(
            f"the {what} {str(path)!r} has more than {2 * (Image.MAX_IMAGE_PIXELS or 0):,} pixels; scale it down"
        ) from error
    except _BROKEN as error:
        size = Path(path).stat().st_size if Path(path).exists() else 0
        raise UserError(f"the {what} {str(path)!r} ({size:,} bytes) cannot be decoded ({_reason(error)})") from error


def read_image(path: PathLike) -> NDArray[np.uint8]:
    """Decode an image file completely, (H, W, 3) uint8.

    The orientation flag is applied. Of an animation the first frame is taken. Transparent pixels are laid over white;
    greyscale, palette, CMYK and 16-bit images are converted (16 bits are scaled to 8, not cut off).

    Raises
    ------
    UserError
        If the file is missing, truncated, not an image, or of a kind that has no definite RGB values.
    """
    with _opened(path, "image") as image:
        image.load()
        ImageOps.exif_transpose(image, in_place=True)  # which copies nothing where nothing is to be turned
        return to_rgb(image, str(path))


def to_rgb(image: Image.Image, name: str) -> NDArray[np.uint8]:
    """Pixels of an opened image as (H, W, 3) uint8; `name` is for the error message."""
    mode = image.mode
    if mode == "RGB" and "transparency" not in image.info:
        return np.asarray(image)
    if mode.startswith("I"):
        grey = _to_8_bits(np.asarray(image), name)
        return np.repeat(grey[..., None], 3, axis=2)
    if mode in ("RGBA", "LA", "PA", "La", "RGBa") or "transparency" in image.info:
        over = np.asarray(image.convert("RGBA")).astype(np.uint32)
        color, alpha = over[..., :3], over[..., 3:]
        return ((color * alpha + 255 * (255 - alpha) + 127) // 255).astype(np.uint8)
    if mode in ("1", "L", "P", "CMYK", "YCbCr", "HSV", "RGBX"):
        return np.asarray(image.convert("RGB"))
    raise UserError(
        f"the image {name!r} has pixels of kind {mode!r}, whose range of values is not known; save it as 8-bit RGB"
    )


def _to_8_bits(values: NDArray[np.integer], name: str) -> NDArray[np.uint8]:
    if values.size and (values.min() < 0 or values.max() > 65535):
        raise UserError(
            f"the image {name!r} has values from {values.min()} to {values.max()}, expected 16 bits (0 to 65535)"
        )
    return ((values.astype(np.uint32) * 255 + 32767) // 65535).astype(np.uint8)


def image_size(path: PathLike) -> tuple[int, int]:
    """Width and height after the orientation flag is applied, read from the file's header.

    Raises
    ------
    UserError
        If the file is missing or not an image.
    """
    with _opened(path, "image") as image:
        width, height = image.size
        turned = image.getexif().get(_ORIENTATION, 1) in (5, 6, 7, 8)
    return (height, width) if turned else (width, height)


def read_label_map(path: PathLike) -> NDArray[np.integer]:
    """Decode a label map: (H, W) values of a greyscale or palette image, or (H, W, 3) of a coloured one.

    Raises
    ------
    UserError
        If the file cannot be decoded, or its compression would have changed the values.
    """
    with _opened(path, "label map") as image:
        if image.format in ("JPEG", "WEBP"):
            raise UserError(
                f"the label map {str(path)!r} is a {image.format} file, whose compression changes values; save label "
                "maps as PNG"
            )
        image.load()
        if image.mode in ("L", "P", "1") or image.mode.startswith("I"):
            return np.asarray(image).astype(np.int32)
        if image.mode in ("RGB", "RGBA"):
            return np.asarray(image)[..., :3]
        raise UserError(
            f"the label map {str(path)!r} has pixels of kind {image.mode!r}, expected greyscale, palette or RGB"
        )


def file_digest(path: PathLike) -> bytes:
    """sha256 of a file's bytes.

    Raises
    ------
    UserError
        If it cannot be read.
    """
    try:
        with open(path, "rb") as file:
            return hashlib.file_digest(file, "sha256").digest()
    except OSError as error:
        raise UserError(f"the file {str(path)!r} cannot be read ({_reason(error)})") from error


def encode_png(pixels: NDArray[np.uint8]) -> bytes:
    """A PNG file with these pixels, (H, W) or (H, W, 3)."""
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, "png")
    return buffer.getvalue()


def _reason(error: BaseException) -> str:
    text = str(error).splitlines()[0] if str(error) else type(error).__name__
    # Pillow names the file object; the path is told anyway.
    return "it is not an image of a kind that is read" if text.startswith("cannot identify image file") else text
