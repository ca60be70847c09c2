"""The one interface behind which every data set stands, whatever its files look like."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

from intermodel.engine.errors import UserError

#: Names of the splits; "" is an image that belongs to none.
SPLITS = ("train", "test", "")


@dataclass(frozen=True)
class Label:
    """A concept: its number in label maps (from 1; 0 means unlabelled), its name and its primary category."""

    number: int
    name: str
    category: str


@dataclass(frozen=True)
class Segmentation:
    """The concepts of one image.

    Attributes
    ----------
    layers
        (S, H, W) uint16 label numbers, 0 = unlabelled; a pixel has up to S labels, possibly one of them twice.
    image_labels
        (k,) uint16 numbers of the labels that hold for the whole image.
    valid
        (H, W) bool, False where the pixel is to be left out of every count; None where all are valid.
    """

    layers: NDArray[np.uint16]
    image_labels: NDArray[np.uint16]
    valid: NDArray[np.bool_] | None = None


@dataclass(frozen=True)
class Index:
    """What a data set holds, without its pixels.

    Attributes
    ----------
    ids
        (N,) str, unique, in the order of the data set.
    labels
        (N,) int32 indices into `classes`, -1 where an image has none.
    splits
        (N,) str: ``"train"``, ``"test"`` or ``""``.
    classes
        Names of the classes.
    categories
        Categories of the concepts in their order; empty without masks.
    concepts
        The table of labels; empty without masks.
    notes
        What was met while reading and left out, in numbers (e.g. files that are no images).
    """

    ids: NDArray[np.str_]
    labels: NDArray[np.int32]
    splits: NDArray[np.str_]
    classes: tuple[str, ...] = ()
    categories: tuple[str, ...] = ()
    concepts: tuple[Label, ...] = ()
    notes: dict[str, int] = field(default_factory=dict)

    def take(self, rows: NDArray[np.intp]) -> Index:
        """The index of some of the images, in the order of `rows`."""
        return replace(self, ids=self.ids[rows], labels=self.labels[rows], splits=self.splits[rows])


def make_index(
    ids: Sequence[str] | NDArray[np.str_],
    labels: Sequence[int] | NDArray[np.integer] | None = None,
    splits: Sequence[str] | NDArray[np.str_] | None = None,
    classes: Sequence[str] = (),
    categories: Sequence[str] = (),
    concepts: Sequence[Label] = (),
    notes: dict[str, int] | None = None,
    where: str = "The data set",
) -> Index:
    """Check and assemble an index; `where` names the source in error messages.

    Raises
    ------
    UserError
        If there is no image, an id occurs twice, or a class number has no class.
    """
    names = np.asarray(ids, dtype=np.str_)
    if len(names) == 0:
        raise UserError(f"{where} holds no image; check the path and the layout.")
    unique, count = np.unique(names, return_counts=True)
    if len(unique) != len(names):
        raise UserError(
            f"{where} holds the image id {str(unique[count > 1][0])!r} more than once; every image needs its own id."
        )
    numbers = np.full(len(names), -1) if labels is None else np.asarray(labels)
    if numbers.min() < -1 or numbers.max() >= len(classes):
        raise UserError(
            f"{where} has class numbers from {numbers.min()} to {numbers.max()}, expected 0 to {len(classes) - 1} "
            f"for its {len(classes)} classes, or -1 for none; correct the labels or the list of classes."
        )
    parts = np.asarray([""] * len(names) if splits is None else splits, dtype=np.str_)
    return Index(
        names, numbers.astype(np.int32), parts, tuple(classes), tuple(categories), tuple(concepts), dict(notes or {})
    )


class Dataset(ABC):
    """Images in a fixed order with ids, classes and splits, and concept masks where there are any.

    A data set may be pickled and sent to other processes; files are opened where they are read.
    """

    #: The kind of source, e.g. "folder".
    source: str

    def __init__(self, index: Index) -> None:
        self.index = index

    def __len__(self) -> int:
        return len(self.index.ids)

    @property
    def ids(self) -> NDArray[np.str_]:
        """(N,) unique names."""
        return self.index.ids

    @property
    def labels(self) -> NDArray[np.int32]:
        """(N,) class numbers, -1 where there is none."""
        return self.index.labels

    @property
    def splits(self) -> NDArray[np.str_]:
        """(N,) "train", "test" or ""."""
        return self.index.splits

    @property
    def classes(self) -> tuple[str, ...]:
        """Names of the classes."""
        return self.index.classes

    @property
    def categories(self) -> tuple[str, ...]:
        """Categories of the concepts; empty without masks."""
        return self.index.categories

    @property
    def concepts(self) -> tuple[Label, ...]:
        """The table of labels; empty without masks."""
        return self.index.concepts

    @property
    def has_labels(self) -> bool:
        """Whether any image has a class."""
        return bool((self.labels >= 0).any())

    @property
    def has_masks(self) -> bool:
        """Whether the images come with concept masks."""
        return bool(self.concepts)

    @abstractmethod
    def image(self, i: int) -> NDArray[np.uint8]:
        """Image i as RGB, (H, W, 3) uint8.

        Raises
        ------
        UserError
            If it cannot be read.
        """

    @abstractmethod
    def content(self, i: int) -> bytes:
        """What image i is made of, for fingerprints: a digest of its bytes, or the parameters of its generator."""

    def segmentation(self, i: int) -> Segmentation:
        """Concepts of image i.

        Raises
        ------
        UserError
            If the data set has no masks, or those of this image cannot be read or do not fit it.
        """
        raise UserError(
            f"The data set (source {self.source!r}) has no concept masks; use a source that has them: scenes, "
            "segmentation, arrays with `masks`, or broden."
        )
