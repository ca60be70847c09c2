"""Keys of the models of a study: architectures, weights, training, preprocessing, tokens."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Field

from intermodel.study.keys import BelowOne, Keys, Positive, Sha256, Share


class RandomWeights(Keys):
    """Untrained weights, for controls."""

    source: Literal["random"]
    seed: int = Field(0, description="Seed of the initialisation.")


class PretrainedWeights(Keys):
    """Weights that timm knows, from the hub or from a local cache."""

    source: Literal["pretrained"]
    tag: str | None = Field(None, description="Tag of the weights, e.g. a1_in1k; default: timm's default.")
    cache: str | None = Field(None, description="Folder of downloaded weights; default: the hub's cache.")


CheckpointFormat = Literal[
    "insdis",
    "moco-v1",
    "pcl-v1",
    "pirl",
    "pcl-v2",
    "simclr-v1",
    "moco-v2",
    "simclr-v2",
    "sela-v2",
    "infomin",
    "byol",
    "deepcluster-v2",
    "swav",
    "supervised",
]


class CheckpointWeights(Keys):
    """Weights in a file of the user's, safetensors or a PyTorch checkpoint without code."""

    source: Literal["checkpoint"]
    path: str | None = Field(None, description="The file; give either path or url.")
    url: str | None = Field(None, description="Where to download the file; needs sha256.")
    sha256: Sha256 | None = Field(None, description="Digest of the file, 64 hexadecimal digits.")
    cache: str | None = Field(None, description="Folder of downloaded files; default: ~/.cache/intermodel.")
    format: CheckpointFormat | None = Field(
        None, description="A named key layout, e.g. moco-v2; it sets unwrap, prefix, drop and rename (docs/models.md)."
    )
    unwrap: list[str] | None = Field(
        None, description="Keys to go into one after the other; default: the usual ones, while there are no tensors."
    )
    prefix: str = Field("", description="Prefix to remove from the start of the keys.")
    drop: list[str] = Field(
        [], description="Keys to leave out (shell patterns), before or after the prefix is removed."
    )
    rename: dict[str, str] = Field({}, description="Regular expressions at the start of a key, and replacements.")
    strict: bool = Field(True, description="Whether missing or unexpected keys are an error.")


class CallableWeights(Keys):
    """Weights that the function of an architecture of the user's own puts in itself."""

    source: Literal["callable"]


class Augmentation(Keys):
    """Random changes of the training images; keys left out take the objective's default (see docs/training.md)."""

    crop_area: list[float] | None = Field(None, description="Least and largest share of the area that a crop keeps.")
    crop_ratio: list[float] | None = Field(None, description="Least and largest width / height of a crop.")
    flip: Share | None = Field(None, description="Probability of a horizontal flip.")
    jitter: Share | None = Field(None, description="Probability of the four colour changes that follow.")
    brightness: BelowOne | None = Field(None, description="Largest relative change of brightness.")
    contrast: BelowOne | None = Field(None, description="Largest relative change of contrast.")
    saturation: BelowOne | None = Field(None, description="Largest relative change of saturation.")
    hue: Annotated[float, Field(ge=0.0, le=0.5)] | None = Field(None, description="Largest turn of hue, in circles.")
    greyscale: Share | None = Field(None, description="Probability of losing all colour.")
    blur: Share | None = Field(None, description="Probability of a Gaussian blur.")
    blur_sigma: list[float] | None = Field(None, description="Its least and largest standard deviation in pixels.")


class TrainedWeights(Keys):
    """Weights that the study trains itself."""

    source: Literal["train"]
    objective: Literal["supervised", "simclr", "barlow_twins", "byol"] = Field(description="What is optimised.")
    dataset: str = Field(description="Data set whose training images are used (all where it has no split).")
    steps: Positive = Field(500, description="Optimiser steps.")
    batch_size: Annotated[int, Field(ge=2)] = Field(64, description="Images per step.")
    optimizer: Literal["adamw", "sgd"] = Field("adamw", description="Optimiser (sgd: with Nesterov momentum 0.9).")
    learning_rate: Annotated[float, Field(gt=0.0)] | None = Field(
        None, description="Peak learning rate; default: 0.003 with adamw, 0.05 with sgd."
    )
    weight_decay: Annotated[float, Field(ge=0.0)] = Field(
        0.0001, description="Weight decay, not applied to biases and normalisation."
    )
    warmup: Annotated[float, Field(ge=0.0, lt=1.0)] = Field(
        0.1, description="Share of the steps in which the learning rate rises; a cosine to 0 follows."
    )
    projection: list[Positive] | None = Field(
        None, description="Hidden and output width of the projection head; default: the objective's own."
    )
    temperature: Annotated[float, Field(gt=0.0)] = Field(0.2, description="SimCLR's temperature.")
    redundancy_weight: Annotated[float, Field(gt=0.0)] = Field(
        0.005, description="Barlow Twins' weight of the off-diagonal terms."
    )
    momentum: Annotated[float, Field(ge=0.0, lt=1.0)] = Field(
        0.99, description="BYOL's momentum of the target network at the first step; it rises to 1 along a cosine."
    )
    label_smoothing: Annotated[float, Field(ge=0.0, lt=1.0)] = Field(
        0.0, description="Supervised: share of the target spread over all classes."
    )
    augmentation: Augmentation = Field(Augmentation(), description="Random changes of the images.")
    dtype: Literal["float32", "float16"] = Field("float32", description="Type in which matrices are saved.")
    seed: int | None = Field(None, description="Seed of initialisation, batches, augmentations; default: the study's.")


Weights = Annotated[
    RandomWeights | PretrainedWeights | CheckpointWeights | CallableWeights | TrainedWeights,
    Field(discriminator="source"),
]


class Preprocessing(Keys):
    """From an image file to the tensor that enters the network."""

    size: Positive | list[Positive] = Field(description="Side, or height and width, of the network's input in pixels.")
    resize: Literal["shorter", "squash", "none"] = Field(
        "shorter", description="Resize the shorter side, or both sides whatever the aspect ratio, or not at all."
    )
    resize_size: Positive | None = Field(None, description="Length to resize to; default: size / crop_fraction.")
    crop_fraction: Annotated[float, Field(gt=0.0, le=1.0)] = Field(
        1.0, description="Share of the resized image's side that the centre crop keeps."
    )
    crop: Literal["center", "none"] = Field("center", description="Cut the centre, or nothing.")
    interpolation: Literal["bicubic", "bilinear", "nearest"] = Field("bicubic", description="Filter of the resize.")
    mean: list[float] | None = Field(None, description="Mean per channel to subtract (scale 0..1); null: none.")
    std: list[float] | None = Field(None, description="Standard deviation per channel to divide by; null: none.")
    channel_order: Literal["rgb", "bgr"] = Field("rgb", description="Order in which the network takes the channels.")


class Tokens(Keys):
    """How the tokens of a transformer are laid out."""

    prefix: Annotated[int, Field(ge=0)] | Literal["auto"] = Field(
        "auto", description="Number of class and register tokens before the grid."
    )
    grid: list[Positive] | Literal["auto"] = Field("auto", description="Rows and columns of the patch grid.")
    pool: Literal["mean", "class"] = Field("mean", description="What the pooled feature is: grid mean or class token.")


class Model(Keys):
    """A network, its weights, and the layers to look at."""

    architecture: str = Field(
        description="A timm name, or module:function for a network of your own that returns a torch module."
    )
    python_path: str | None = Field(None, description="Folder of the module of an architecture of your own.")
    kwargs: dict[str, Any] = Field({}, description="Arguments of the architecture.")
    weights: Weights = Field(RandomWeights(source="random"), description="Where the weights come from.")
    layers: list[str] = Field(
        min_length=1,
        description="Layers, shallow to deep, named as named_modules() names them; `make layers` lists them.",
    )
    keep_maps: bool | list[str] = Field(
        True,
        description="Layers whose maps are stored (true: all, false: none). The network sees the images twice more for "
        "the concepts of the others; see docs/scaling.md.",
    )
    preprocessing: Preprocessing | None = Field(None, description="Default: what timm records for the weights.")
    tokens: Tokens = Field(Tokens(), description="Token layout of transformers.")
    layout: Literal["auto", "channels_first", "channels_last"] = Field(
        "auto", description="Order of the axes of four-dimensional outputs."
    )
    family: str | None = Field(None, description="Group for colours and statements, e.g. self-supervised.")
    control: bool = Field(False, description="Whether this is an untrained control that others are compared with.")
    title: str | None = Field(None, description="Name shown in figures; default: the key.")
    citation: str | None = Field(None, description="Reference for the methods paragraph.")
