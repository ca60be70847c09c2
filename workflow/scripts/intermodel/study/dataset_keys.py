"""Keys of the data sets of a study."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Field

from intermodel.study.keys import Keys, Positive


class DatasetKeys(Keys):
    """Keys that every data set takes."""

    title: str | None = Field(None, description="Name shown in figures; default: the key.")
    limit: Positive | None = Field(
        None, description="At most this many images, the same ones every time, spread over splits and classes."
    )
    segmentation_size: Positive | list[Positive] | None = Field(
        None, description="Common side, or height and width, of the label maps; default: their own if they have one."
    )
    shards: Positive = Field(
        1, description="Parts whose features are extracted by jobs of their own (docs/features.md)."
    )


class Scenes(DatasetKeys):
    """Procedural scenes with dense concept masks in six categories and image-level classes."""

    source: Literal["scenes"]
    train: Annotated[int, Field(ge=0)] = Field(2048, description="Number of training images.")
    test: Annotated[int, Field(ge=0)] = Field(1000, description="Number of test images.")
    size: Annotated[int, Field(ge=16, le=1024, multiple_of=2)] = Field(
        64, description="Side of the square images in pixels, even."
    )
    seed: Annotated[int, Field(ge=0)] = Field(0, description="Image k of a split depends on the seed and k alone.")
    shift: Literal["none", "lighting", "palette", "background", "corruption"] = Field(
        "none", description="Show the same scenes under another distribution."
    )
    shift_strength: Annotated[float, Field(gt=0.0, le=1.0)] = Field(1.0, description="How far the shift goes.")


class Folder(DatasetKeys):
    """Photographs in a folder: one subfolder per class, or a flat folder without labels."""

    source: Literal["folder"]
    path: str = Field(description="The folder.")
    layout: Literal["auto", "flat", "classes", "splits"] = Field(
        "auto", description="flat: no labels; classes: <class>/…; splits: train|test/<class>/…; auto: what is found."
    )
    classes: list[str] | None = Field(None, description="Choice and order of the class folders; default: all, by name.")


class Segmentation(DatasetKeys):
    """Photographs and one label map (PNG) per photograph, matched by file stem."""

    source: Literal["segmentation"]
    path: str = Field(description="The folder.")
    images: str = Field("images", description="Subfolder of the photographs, also below <path>/<train|val|test>/.")
    masks: str = Field("labels", description="Subfolder of the label maps, in the same place.")
    classes: str = Field("classes.json", description="Class table below the path, JSON or CSV; see docs/data.md.")
    category: str = Field("object", description="Category of classes for which the table names none.")
    void: int | list[int] | None = Field(None, description="Values left out of all counts; default: the table's own.")
    unlabelled: int | list[int] | None = Field(None, description="Values that mean: no label.")


class Arrays(DatasetKeys):
    """Images in an .npz or HDF5 file."""

    source: Literal["arrays"]
    path: str = Field(description="The file.")
    images: str | dict[str, str] | None = Field(
        None, description="Array of the images, or {train: …, test: …}; default: images, or x_train and x_test."
    )
    labels: str | dict[str, str] | None = Field(
        None, description="Array of the class indices; default: labels, or y_train and y_test, if present."
    )
    masks: str | dict[str, str] | None = Field(None, description="Array of the label maps, 0 = unlabelled.")
    classes: str | list[str] | None = Field(None, description="Names of the classes, or the array that holds them.")
    concepts: str | None = Field(None, description="Class table of the label maps (JSON or CSV); needed with masks.")
    void: int | list[int] | None = Field(None, description="Label map values left out of all counts.")


class Torchvision(DatasetKeys):
    """A torchvision data set that is already on disk; nothing is downloaded."""

    source: Literal["torchvision"]
    path: str = Field(description="Folder that torchvision calls root.")
    name: str = Field(description="Class name in torchvision.datasets, e.g. CIFAR10.")
    options: dict[str, Any] = Field({}, description="Further arguments of the class.")


class Broden(DatasetKeys):
    """The folder format of the Broadly and Densely Labelled Dataset."""

    source: Literal["broden"]
    path: str = Field(description="The folder with index.csv.")
    categories: list[str] | None = Field(None, description="Categories to use; default: all.")


Dataset = Annotated[
    Scenes | Folder | Segmentation | Arrays | Torchvision | Broden,
    Field(discriminator="source"),
]
