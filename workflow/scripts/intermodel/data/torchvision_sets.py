"""Data sets of torchvision that are already on disk. torchvision is imported here alone, and only when used."""

from __future__ import annotations

import hashlib
import inspect
from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from intermodel.data.dataset import Dataset, Index, make_index
from intermodel.data.image_file import to_rgb
from intermodel.data.options import REQUIRED, options
from intermodel.engine.errors import UserError
from intermodel.engine.progress import progress

KEYS: dict[str, Any] = {"path": REQUIRED, "name": REQUIRED, "options": None}

# Where torchvision's classes keep the class numbers.
_TARGETS = ("targets", "labels", "_labels", "y")


def index_torchvision(spec: Mapping[str, Any]) -> Index:
    """Open the data set's splits; ids are ``train/000000``, ``test/000000``, or ``000000`` where it has no splits.

    Raises
    ------
    UserError
        If torchvision has no such data set, or its files are not there.
    """
    values = _checked(spec)
    ids: list[str] = []
    splits: list[str] = []
    labels: list[int] = []
    classes: list[str] = []
    for split in _splits(values["name"]):
        opened = _open(split, **values)
        ids += [f"{split}/{number:06}" if split else f"{number:06}" for number in range(len(opened))]
        splits += [split] * len(opened)
        labels += _labels(opened)
        classes = classes or [str(name) for name in getattr(opened, "classes", [])]
    if not classes:
        classes = [str(number) for number in range(max(labels, default=-1) + 1)]
    return make_index(ids, labels, splits, classes, where=f"torchvision's {values['name']}")


class Torchvision(Dataset):
    """A data set of torchvision."""

    source = "torchvision"

    def __init__(self, spec: Mapping[str, Any], index: Index) -> None:
        super().__init__(index)
        self._values = _checked(spec)
        self._opened: dict[str, Any] = {}

    def __getstate__(self) -> dict[str, Any]:
        # Other processes open their own files.
        return {**self.__dict__, "_opened": {}}

    def image(self, i: int) -> NDArray[np.uint8]:
        split, _, number = str(self.ids[i]).rpartition("/")
        if split not in self._opened:
            self._opened[split] = _open(split, **self._values)
        name = f"{self._values['name']} {self.ids[i]}"
        try:
            item = self._opened[split][int(number)]
        except (OSError, SyntaxError, ValueError) as error:
            raise UserError(f"the image {name!r} cannot be decoded ({error})") from error
        image = item[0] if isinstance(item, tuple) else item
        return to_rgb(image if isinstance(image, Image.Image) else Image.fromarray(np.asarray(image)), name)

    def content(self, i: int) -> bytes:
        return hashlib.sha256(self.image(i).tobytes()).digest()


def _checked(spec: Mapping[str, Any]) -> dict[str, Any]:
    values = options(spec, KEYS)
    values["options"] = dict(values["options"] or {})
    for key in ("download", "train", "split", "root", "transform", "target_transform", "transforms"):
        if key in values["options"]:
            raise UserError(
                f"The data set's `options` hold {key!r}, which is set here: both splits are read, as they are, from "
                "`path`, and nothing is downloaded; remove it."
            )
    return values


def _type(name: str) -> Any:
    from torchvision import datasets  # type: ignore[import-untyped]

    found = getattr(datasets, name, None)
    if not inspect.isclass(found):
        raise UserError(f"torchvision has no data set {name!r}; see torchvision.datasets for their names.")
    return found


def _splits(name: str) -> tuple[str, ...]:
    parameters = inspect.signature(_type(name)).parameters
    return ("train", "test") if {"train", "split", "image_set"} & set(parameters) else ("",)


def _open(split: str, path: str, name: str, options: Mapping[str, Any]) -> Any:
    """One split of a data set, as torchvision opens it."""
    kind = _type(name)
    parameters = inspect.signature(kind).parameters
    chosen: list[dict[str, Any]] = [{}]
    if "train" in parameters:
        chosen = [{"train": split == "train"}]
    elif "split" in parameters or "image_set" in parameters:
        key = "split" if "split" in parameters else "image_set"
        names = ("train", "trainval") if split == "train" else ("test", "val", "valid")
        chosen = [{key: option} for option in names]
    problem: Exception | None = None
    for keywords in chosen:
        try:
            return kind(root=path, **keywords, **options)
        except (RuntimeError, OSError, ValueError, TypeError) as error:
            problem = problem or error
    raise UserError(
        f"torchvision's {name} cannot be opened in {path!r} ({str(problem).splitlines()[0]}); download it there first, "
        "for instance with torchvision itself."
    ) from problem


def _labels(opened: Any) -> list[int]:
    """Class number of every image; -1 where a data set has something else than one class for each image."""
    targets = next((getattr(opened, name) for name in _TARGETS if getattr(opened, name, None) is not None), None)
    if targets is None and getattr(opened, "_samples", None):
        targets = [sample[1] for sample in opened._samples]
    if targets is None:
        targets = [item[1] for item in progress(opened, label="read classes")]
    if not isinstance(targets, Iterable) or len(targets := list(targets)) != len(opened):
        return [-1] * len(opened)
    numbers = [_number(target) for target in targets]
    return numbers if all(number >= 0 for number in numbers) else [-1] * len(opened)


def _number(target: Any) -> int:
    try:
        value = np.asarray(target)
    except (TypeError, ValueError):
        return -1
    return int(value) if value.ndim == 0 and value.dtype.kind in "iu" else -1
