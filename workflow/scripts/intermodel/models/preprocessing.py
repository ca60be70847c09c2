"""Preprocessing as data: from an image of any size to the tensor that enters the network.

Geometry is done with Pillow on 8-bit pixels, rounded as torchvision's and timm's evaluation transforms round, so
that published accuracies hold; scaling and normalisation are done on whole batches.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from intermodel.engine.errors import UserError
from intermodel.models.record import check_keys
from intermodel.models.resampling import FILTERS, resize_and_crop

if TYPE_CHECKING:
    import torch

IMAGENET_MEAN = (0.485, 0.456, 0.406)
IMAGENET_STD = (0.229, 0.224, 0.225)

_CHOICES = {
    "resize": ("shorter", "squash", "none"),
    "crop": ("center", "none"),
    "interpolation": ("bicubic", "bilinear", "nearest"),
    "channel_order": ("rgb", "bgr"),
}
# Of a resized image, before the crop: some 500 MB.
MOST_PIXELS = 2**28 * 2 // 3


@dataclass(frozen=True)
class Preprocessing:
    """What happens to an image before the network sees it.

    Attributes
    ----------
    size
        Height and width of the tensor that enters the network, in pixels.
    resize
        ``"shorter"``: the shorter side becomes `resize_size`, the aspect is kept; ``"squash"``: both sides are
        resized, the aspect is not kept; ``"none"``: no resizing.
    crop
        ``"center"``: the central `size` pixels are kept; ``"none"``: the resized image must have `size`.
    resize_size
        Length of the side(s) after resizing; None for ``floor(size / crop_fraction)``.
    crop_fraction
        Share of the resized image that the crop keeps (timm's ``crop_pct``).
    interpolation
        Resampling filter; bicubic and bilinear are antialiased.
    mean, std
        Subtracted from and divided into pixels on the scale 0..1, in the order in which the network takes the
        channels; both None for a network that takes 0..1.
    channel_order
        Order in which the network takes the channels.
    """

    size: tuple[int, int]
    resize: str = "shorter"
    crop: str = "center"
    resize_size: int | None = None
    crop_fraction: float = 1.0
    interpolation: str = "bicubic"
    mean: tuple[float, float, float] | None = None
    std: tuple[float, float, float] | None = None
    channel_order: str = "rgb"

    @classmethod
    def from_dict(cls, record: Mapping[str, Any]) -> Preprocessing:
        """Read and check the `preprocessing` of a model record.

        Raises
        ------
        UserError
            If a key is unknown, a value is out of range, or the combination cannot give tensors of equal size.
        """
        check_keys(record, [field.name for field in fields(cls)], "preprocessing")
        if "size" not in record:
            raise UserError("preprocessing lacks `size`: the height and width in pixels that the network takes.")
        values = dict(record)
        size = values["size"]
        values["size"] = tuple(size) if isinstance(size, Sequence) and not isinstance(size, str) else (size, size)
        for key in ("mean", "std"):
            if values.get(key) is not None:
                values[key] = tuple(values[key]) if isinstance(values[key], Sequence) else (values[key],)
        return cls(**values)

    def __post_init__(self) -> None:
        if len(self.size) != 2 or not all(_whole(side) and side > 0 for side in self.size):
            raise UserError(f"preprocessing.size is {self.size!r}, expected one or two whole numbers above 0.")
        for key, choices in _CHOICES.items():
            if getattr(self, key) not in choices:
                raise UserError(f"preprocessing.{key} is {getattr(self, key)!r}, expected one of {', '.join(choices)}.")
        if self.resize_size is not None and not (_whole(self.resize_size) and self.resize_size > 0):
            raise UserError(f"preprocessing.resize_size is {self.resize_size!r}, expected a whole number above 0.")
        if not (_number(self.crop_fraction) and 0 < self.crop_fraction <= 1):
            raise UserError(f"preprocessing.crop_fraction is {self.crop_fraction!r}, expected a number in (0, 1].")
        if (self.mean is None) != (self.std is None):
            raise UserError("preprocessing has only one of mean and std; give both, or neither for pixels in 0..1.")
        for key in ("mean", "std"):
            value = getattr(self, key)
            if value is not None and (len(value) != 3 or not all(_number(number) for number in value)):
                raise UserError(f"preprocessing.{key} is {value!r}, expected three numbers, one for each channel.")
        if self.std is not None and min(self.std) <= 0:
            raise UserError(f"preprocessing.std is {self.std!r}, expected three numbers above 0.")
        if self.resize == "shorter" and self.crop == "none":
            raise UserError(
                "preprocessing resizes the shorter side but does not crop, so images of different shapes cannot form a "
                "batch; set crop: center, or resize: squash."
            )
        if self.resize == "shorter" and min(self.scaled_size) < max(self.size):
            raise UserError(
                f"preprocessing resizes the shorter side to {self.scaled_size[0]} pixels, which is less than the crop "
                f"of {self.size[0]}x{self.size[1]}; raise resize_size, or set resize: squash."
            )
        if self.resize == "squash" and self.crop == "none" and self.scaled_size != self.size:
            raise UserError(
                f"preprocessing squashes to {self.scaled_size[0]}x{self.scaled_size[1]} pixels without a crop, "
                f"but size is {self.size[0]}x{self.size[1]}; set crop: center, or leave resize_size and "
                "crop_fraction out."
            )

    def to_dict(self) -> dict[str, Any]:
        """The record, every key written out (JSON types)."""
        return {key: list(value) if isinstance(value, tuple) else value for key, value in asdict(self).items()}

    @property
    def scaled_size(self) -> tuple[int, int]:
        """Height and width aimed at by resizing; for ``"shorter"`` both are the length of the shorter side."""
        if self.resize_size is not None:
            return self.resize_size, self.resize_size
        height, width = (math.floor(side / self.crop_fraction) for side in self.size)
        return (max(height, width),) * 2 if self.resize == "shorter" else (height, width)

    def resized(self, width: int, height: int) -> tuple[int, int]:
        """Width and height of an image of `width` x `height` pixels after resizing."""
        if self.resize == "none":
            return width, height
        if self.resize == "squash":
            return self.scaled_size[1], self.scaled_size[0]
        short = self.scaled_size[0]
        return (short, short * height // width) if width <= height else (short * width // height, short)

    def visible_box(self, width: int, height: int) -> tuple[float, float, float, float]:
        """The part of an image that the network sees: left, top, right, bottom in pixels of the image.

        Activation maps cover this box and nothing else, so masks must be cut to it before they meet a map.
        """
        new_width, new_height = self.resized(width, height)
        left, top = self._corner(new_width, new_height)
        x, y = width / new_width, height / new_height
        return left * x, top * y, (left + self.size[1]) * x, (top + self.size[0]) * y

    def pixels(self, image: NDArray[np.uint8], name: str = "the image", compiled: bool = False) -> NDArray[np.uint8]:
        """Resize and crop an image.

        Parameters
        ----------
        image
            (H, W, 3) uint8, RGB.
        name
            What the image is called, for error messages.
        compiled
            As for `resampling.resize_and_crop`: the same pixels, faster for many images.

        Returns
        -------
        ndarray
            (size[0], size[1], 3) uint8, RGB.

        Raises
        ------
        UserError
            If the image is not (H, W, 3) uint8, or is smaller than the crop.
        """
        if image.ndim != 3 or image.shape[2] != 3 or image.dtype != np.uint8 or 0 in image.shape:
            raise UserError(
                f"{name} is an array of {image.dtype} and shape {image.shape}, expected 8-bit RGB pixels, (H, W, 3)."
            )
        height, width = image.shape[:2]
        new_width, new_height = self.resized(width, height)
        if new_width * new_height > MOST_PIXELS:
            raise UserError(
                f"{name} has {height}x{width} pixels (height x width), so long and narrow that resize: {self.resize} "
                f"makes {new_height}x{new_width} of it; set resize: squash, or remove the image."
            )
        fits = (new_height, new_width) == self.size
        if not fits and (self.crop == "none" or new_height < self.size[0] or new_width < self.size[1]):
            raise UserError(
                f"{name} has {new_height}x{new_width} pixels (height x width) after resize: {self.resize}, but the "
                f"network takes {self.size[0]}x{self.size[1]} with crop: {self.crop}; set resize: shorter or squash."
            )
        left, top = self._corner(new_width, new_height)
        return resize_and_crop(image, (new_height, new_width), (top, left), self.size, self.interpolation, compiled)

    def normalise(self, batch: torch.Tensor) -> torch.Tensor:
        """Scale and normalise a batch.

        Parameters
        ----------
        batch
            (n, h, w, 3) uint8, RGB, on any device.

        Returns
        -------
        torch.Tensor
            (n, 3, h, w) float32 in channels-last memory order, on the same device.
        """
        import torch

        values = (batch.flip(3) if self.channel_order == "bgr" else batch).to(torch.float32).div_(255)
        if self.mean is not None:
            # Whole rows at a time: three values alone are too few for vector instructions.
            rows = values.view(*values.shape[:2], -1)
            for change, constants in ((rows.sub_, self.mean), (rows.div_, self.std)):
                change(torch.tensor(constants, device=batch.device).repeat(values.shape[2]))
        return values.permute(0, 3, 1, 2)

    def check_input(self, tensor: torch.Tensor) -> None:
        """Raise `UserError` unless `tensor` can be what this preprocessing makes of images.

        Shape (n, 3, h, w), dtype float32, no NaN, all values inside the range that pixels in 0..255 can take, and those
        of the first image inside the range of their channel: so a batch that was normalised twice, or for another
        network, is found before it gives wrong features.
        """
        import torch

        shape = (3, *self.size)
        if tensor.ndim != 4 or tuple(tensor.shape[1:]) != shape or tensor.dtype != torch.float32:
            raise UserError(
                f"The network's input is {tensor.dtype} of shape {tuple(tensor.shape)}, expected torch.float32 of "
                f"shape (n, {', '.join(map(str, shape))}) as its preprocessing says."
            )
        mean, std = self.mean or (0.0,) * 3, self.std or (1.0,) * 3
        low, high = [(0 - m) / s for m, s in zip(mean, std)], [(1 - m) / s for m, s in zip(mean, std)]
        # Channels by the first image alone: reading a whole batch with strides takes a noticeable part of a pass.
        parts = [*tensor[:1].unbind(1), tensor.permute(0, 2, 3, 1)]
        extremes = torch.stack([torch.stack(torch.aminmax(part)) for part in parts]).tolist()
        bounds = [*zip(low, high), (min(low), max(high))]
        names = [*(f"channel {channel}" for channel in range(3)), "some channel"]
        for (lowest, highest), (least, most), name in zip(extremes, bounds, names, strict=True):
            slack = 1e-5 * (1 + max(abs(least), abs(most)))
            # Written so that NaN fails too.
            if not (lowest >= least - slack and highest <= most + slack):
                raise UserError(
                    f"The network's input has values from {lowest:.4g} to {highest:.4g} in {name}, but its "
                    f"preprocessing (mean {self.mean}, std {self.std}) gives values from {least:.4g} to {most:.4g}; "
                    "feed the output of `Preprocessing.normalise`."
                )

    def _corner(self, width: int, height: int) -> tuple[int, int]:
        """Left and top of the central crop, rounded as torchvision's CenterCrop rounds."""
        return round((width - self.size[1]) / 2), round((height - self.size[0]) / 2)


def from_timm(config: Mapping[str, Any], size: tuple[int, int] | None = None) -> Preprocessing:
    """The preprocessing that a timm configuration (``pretrained_cfg``) describes.

    Parameters
    ----------
    config
        With ``input_size``, ``crop_pct``, ``crop_mode``, ``interpolation``, ``mean``, ``std``.
    size
        Height and width, where the model was built for another size than its configuration says.
    """
    height, width = size or tuple(config["input_size"][1:])
    mode = config.get("crop_mode") or "center"
    interpolation = config.get("interpolation") or "bicubic"
    supported = mode == "squash" or (mode == "center" and height == width)
    if not supported or interpolation not in FILTERS:
        raise UserError(
            f"The model's timm configuration asks for crop_mode {mode!r}, interpolation {interpolation!r} and an "
            f"input of {height}x{width}, which cannot be taken over as it is; write `preprocessing` into the "
            "model's record."
        )
    return Preprocessing(
        size=(height, width),
        resize="squash" if mode == "squash" else "shorter",
        crop_fraction=float(config.get("crop_pct") or 0.875),
        interpolation=interpolation,
        mean=tuple(config["mean"]),
        std=tuple(config["std"]),
    )


def _whole(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def _number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)
