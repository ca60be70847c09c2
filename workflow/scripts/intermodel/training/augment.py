"""Random changes of images, for a whole batch at once.

Everything random is drawn first, as a table of uniform numbers (`draw`); what is done to the images is a plain
function of that table (`augment`). The table is drawn on the CPU whatever the device of the images, so that the same
seed asks for the same changes on every machine.

The set of changes is the one of contrastive learning (Chen et al. 2020, SimCLR, appendix A): a random crop resized to
the full image, a horizontal flip, colour jitter, loss of colour, a Gaussian blur. In two points it is simpler than
image libraries do it, since all images of a batch go through the same few tensor operations: the colour changes come
in a fixed order and values are clipped once, at their end; and the hue is turned in the chroma plane of YIQ, which
keeps the luma, not in HSV.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, fields

import torch
from torch import Tensor
from torch.nn import functional

from intermodel.engine.errors import UserError

# Rec. 601 luma and the two chroma axes of YIQ, the colour space of NTSC television.
YIQ_FROM_RGB = ((0.299, 0.587, 0.114), (0.595716, -0.274453, -0.321263), (0.211456, -0.522591, 0.311135))

# Columns of the table of uniform numbers.
AREA, RATIO, LEFT, TOP, FLIP, JITTER, BRIGHTNESS, CONTRAST, SATURATION, HUE, GREYSCALE, BLUR, SIGMA = range(13)
DRAWS = 13


@dataclass(frozen=True)
class Augmentation:
    """How far and how often images are changed; the default changes nothing.

    Attributes
    ----------
    crop_area
        Smallest and largest share of the image's area that the crop keeps, in (0, 1].
    crop_ratio
        Smallest and largest ratio of the crop's width to its height; drawn log-uniformly.
    flip
        Probability of a horizontal flip.
    jitter
        Probability that brightness, contrast, saturation and hue change.
    brightness, contrast, saturation
        Largest relative change; factors are uniform in [1 - x, 1 + x].
    hue
        Largest turn of the hue either way, in full circles.
    greyscale
        Probability that all colour is lost.
    blur
        Probability of a Gaussian blur.
    blur_sigma
        Smallest and largest standard deviation of the blur in pixels.
    """

    crop_area: tuple[float, float] = (1.0, 1.0)
    crop_ratio: tuple[float, float] = (1.0, 1.0)
    flip: float = 0.0
    jitter: float = 0.0
    brightness: float = 0.4
    contrast: float = 0.4
    saturation: float = 0.4
    hue: float = 0.1
    greyscale: float = 0.0
    blur: float = 0.0
    blur_sigma: tuple[float, float] = (0.1, 1.0)

    def __post_init__(self) -> None:
        for name in ("crop_area", "crop_ratio", "blur_sigma"):
            values = tuple(getattr(self, name))
            ceiling = 1.0 if name == "crop_area" else math.inf
            if len(values) != 2 or not 0.0 < values[0] <= values[1] <= ceiling:
                limit = " <= 1" if name == "crop_area" else ""
                raise UserError(
                    f"augmentation.{name} is {list(values)}, but two numbers with 0 < low <= high{limit} are expected."
                )
            object.__setattr__(self, name, (float(values[0]), float(values[1])))
        ceilings = {"hue": 0.5}
        for field in fields(self):
            value = getattr(self, field.name)
            if isinstance(value, tuple):
                continue
            ceiling = ceilings.get(field.name, 1.0)
            if not 0.0 <= value <= ceiling:
                raise UserError(
                    f"augmentation.{field.name} is {value}, but a number from 0 to {ceiling:g} is expected."
                )


SUPERVISED = Augmentation(crop_area=(0.5, 1.0), crop_ratio=(3 / 4, 4 / 3), flip=0.5)
SELF_SUPERVISED = Augmentation(
    crop_area=(0.25, 1.0), crop_ratio=(3 / 4, 4 / 3), flip=0.5, jitter=0.8, greyscale=0.2, blur=0.5
)


def draw(count: int, generator: torch.Generator) -> Tensor:
    """Draw the random numbers of `count` images.

    Parameters
    ----------
    count
        Number of images.
    generator
        A generator on the CPU; its state moves on.

    Returns
    -------
    Tensor
        (count, 13) float32, uniform in [0, 1).
    """
    return torch.rand((count, DRAWS), generator=generator)


def augment(images: Tensor, augmentation: Augmentation, draws: Tensor) -> Tensor:
    """Change a batch of images as `draws` says.

    Parameters
    ----------
    images
        (N, 3, H, W), RGB, uint8 in 0..255 or float32 in 0..1.
    augmentation
        How far and how often.
    draws
        (N, 13) from `draw`, on the CPU.

    Returns
    -------
    Tensor
        (N, 3, H, W) float32 in 0..1, on the device of `images`.

    Raises
    ------
    ValueError
        If the shapes of images and draws do not fit.
    """
    if images.ndim != 4 or images.shape[1] != 3:
        raise ValueError(f"images have shape {tuple(images.shape)}, expected (N, 3, H, W)")
    if tuple(draws.shape) != (len(images), DRAWS):
        raise ValueError(f"draws have shape {tuple(draws.shape)}, expected {(len(images), DRAWS)}")
    values = images.float().div_(255) if images.dtype == torch.uint8 else images.float()
    device = values.device
    if augmentation.crop_area != (1.0, 1.0) or augmentation.crop_ratio != (1.0, 1.0) or augmentation.flip > 0:
        boxes = crop_boxes(draws, augmentation.crop_area, augmentation.crop_ratio)
        flips = draws[:, FLIP] < augmentation.flip
        values = resized_crop(values, boxes.to(device), flips.to(device))
    if augmentation.jitter > 0 or augmentation.greyscale > 0:
        matrices, contrasts = colour_changes(draws, augmentation)
        values = change_colour(values, matrices.to(device), contrasts.to(device))
    chosen = torch.nonzero(draws[:, BLUR] < augmentation.blur)[:, 0]
    if len(chosen):
        low, high = augmentation.blur_sigma
        sigmas = (low + (high - low) * draws[chosen, SIGMA]).to(device)
        chosen = chosen.to(device)
        values = values.index_copy(0, chosen, gaussian_blur(values[chosen], sigmas))
    return values


def crop_boxes(draws: Tensor, area: tuple[float, float], ratio: tuple[float, float]) -> Tensor:
    """Draw the part of each image that is kept.

    The area is uniform and the ratio of width to height log-uniform; a side that would leave the image is cut to the
    image's. The position is uniform among those inside.

    Parameters
    ----------
    draws
        (N, 13) uniform numbers.
    area, ratio
        Ranges, as in `Augmentation`.

    Returns
    -------
    Tensor
        (N, 4) float32: left, top, width, height as shares of the image's sides.
    """
    areas = area[0] + (area[1] - area[0]) * draws[:, AREA]
    low, high = math.log(ratio[0]), math.log(ratio[1])
    ratios = torch.exp(low + (high - low) * draws[:, RATIO])
    width = torch.sqrt(areas * ratios).clamp(max=1.0)
    height = torch.sqrt(areas / ratios).clamp(max=1.0)
    return torch.stack([(1 - width) * draws[:, LEFT], (1 - height) * draws[:, TOP], width, height], dim=1)


def resized_crop(images: Tensor, boxes: Tensor, flips: Tensor) -> Tensor:
    """Cut each image to its box, enlarge to the full size (bilinear) and mirror where asked.

    Parameters
    ----------
    images
        (N, 3, H, W) float32.
    boxes
        (N, 4) float32: left, top, width, height as shares of the image's sides.
    flips
        (N,) bool: mirror left and right.

    Returns
    -------
    Tensor
        (N, 3, H, W) float32.
    """
    left, top, width, height = boxes.unbind(1)
    transform = boxes.new_zeros((len(boxes), 2, 3))
    transform[:, 0, 0] = torch.where(flips, -width, width)
    transform[:, 1, 1] = height
    # In the coordinates of affine_grid an image reaches from -1 to 1.
    transform[:, 0, 2] = 2 * left + width - 1
    transform[:, 1, 2] = 2 * top + height - 1
    grid = functional.affine_grid(transform, list(images.shape), align_corners=False)
    return functional.grid_sample(images, grid, mode="bilinear", padding_mode="border", align_corners=False)


def colour_changes(draws: Tensor, augmentation: Augmentation) -> tuple[Tensor, Tensor]:
    """Draw the colour changes.

    Brightness, saturation, hue and loss of colour are linear in RGB and come as one matrix per image: in YIQ the
    chroma plane is turned by the hue's angle and scaled by the saturation (by 0 for a grey image), then everything
    by the brightness.

    Parameters
    ----------
    draws
        (N, 13) uniform numbers.
    augmentation
        How far and how often.

    Returns
    -------
    matrices : Tensor
        (N, 3, 3) float32, from RGB to RGB.
    contrasts : Tensor
        (N,) float32, factors of the deviation from the mean luma.
    """
    jittered = draws[:, JITTER] < augmentation.jitter

    def change(column: int, largest: float) -> Tensor:
        return torch.where(jittered, (2 * draws[:, column] - 1) * largest, 0.0)

    brightness = 1 + change(BRIGHTNESS, augmentation.brightness)
    contrasts = 1 + change(CONTRAST, augmentation.contrast)
    saturation = 1 + change(SATURATION, augmentation.saturation)
    saturation = torch.where(draws[:, GREYSCALE] < augmentation.greyscale, 0.0, saturation)
    angle = 2 * math.pi * change(HUE, augmentation.hue)
    turn = torch.zeros((len(draws), 3, 3))
    turn[:, 0, 0] = 1
    turn[:, 1, 1] = turn[:, 2, 2] = saturation * torch.cos(angle)
    turn[:, 1, 2] = -saturation * torch.sin(angle)
    turn[:, 2, 1] = saturation * torch.sin(angle)
    to_yiq = torch.tensor(YIQ_FROM_RGB, dtype=torch.float64)
    back = torch.linalg.inv(to_yiq)
    matrices = brightness[:, None, None] * (back @ turn.double() @ to_yiq)
    return matrices.float(), contrasts


def change_colour(images: Tensor, matrices: Tensor, contrasts: Tensor) -> Tensor:
    """Apply a colour matrix and a contrast factor to each image and clip to 0..1.

    Parameters
    ----------
    images
        (N, 3, H, W) float32 in 0..1.
    matrices
        (N, 3, 3) float32.
    contrasts
        (N,) float32; the mean luma of the changed image is kept, deviations from it are multiplied.

    Returns
    -------
    Tensor
        (N, 3, H, W) float32 in 0..1.
    """
    changed = torch.bmm(matrices, images.flatten(2))
    luma = changed.new_tensor(YIQ_FROM_RGB[0])
    mean = (luma @ changed.mean(dim=2).T)[:, None, None]
    changed = mean + contrasts[:, None, None] * (changed - mean)
    return changed.clamp_(0, 1).view_as(images)


def gaussian_blur(images: Tensor, sigmas: Tensor) -> Tensor:
    """Blur each image with a Gaussian of its own width.

    The Gaussian is separable: one matrix mixes the rows, one the columns. Weights are normalised over the pixels
    inside the image, so that a uniform image stays as it is.

    Parameters
    ----------
    images
        (N, 3, H, W) float32.
    sigmas
        (N,) float32 > 0, standard deviations in pixels.

    Returns
    -------
    Tensor
        (N, 3, H, W) float32.
    """

    def mixing(side: int) -> Tensor:
        position = torch.arange(side, device=images.device, dtype=torch.float32)
        distance = (position[:, None] - position[None, :]) ** 2
        weights = torch.exp(-distance / (2 * sigmas[:, None, None] ** 2))
        return (weights / weights.sum(dim=2, keepdim=True))[:, None]

    height, width = images.shape[2:]
    return mixing(height) @ images @ mixing(width).transpose(2, 3)
