"""Files and folders that a study names: they must exist and look like what they are taken for."""

from __future__ import annotations

import csv
import difflib
import json
import os
from collections.abc import Iterator
from pathlib import Path

from intermodel.engine.environment import expand
from intermodel.engine.errors import UserError
from intermodel.study import schema
from intermodel.study.problems import Problem, nearest
from intermodel.study.study import Study

IMAGES = (".jpg", ".jpeg", ".png", ".bmp", ".tif", ".tiff", ".webp", ".ppm", ".pgm", ".gif")
PERFORMANCE = ("model", "task", "dataset", "metric", "value")

# Data sets of single images in torchvision 0.29, for hints alone: the Snakefile does not import torchvision.
TORCHVISION = (
    *("CIFAR10", "CIFAR100", "CLEVRClassification", "Caltech101", "Caltech256", "CelebA", "Country211", "DTD"),
    *("EMNIST", "EuroSAT", "FER2013", "FGVCAircraft", "FashionMNIST", "Flowers102", "Food101", "GTSRB"),
    *("INaturalist", "ImageNet", "Imagenette", "KMNIST", "LFWPeople", "MNIST", "Omniglot", "OxfordIIITPet"),
    *("PCAM", "Places365", "QMNIST", "RenderedSST2", "SEMEION", "STL10", "SUN397", "SVHN", "StanfordCars", "USPS"),
)


def check_files(study: Study) -> list[Problem]:
    """Problems with the files that the study names."""
    problems = [*_results(study)]
    for name, dataset in study.datasets.items():
        problems += _dataset(f"datasets.{name}", dataset)
    for name, model in study.models.items():
        problems += exists(f"models.{name}.weights.path", getattr(model.weights, "path", None), "file")
        problems += exists(f"models.{name}.python_path", model.python_path, "folder")
    clip = study.analyses.clip_dissect
    problems += exists("analyses.clip_dissect.weights", clip.weights, "file")
    if isinstance(clip.words, str):
        problems += exists("analyses.clip_dissect.words", clip.words, "file")
    if clip.model.endswith(".json"):
        problems += exists("analyses.clip_dissect.model", clip.model, "file")
    performance = study.analyses.lce.performance
    if performance is not None:
        path = "analyses.lce.performance"
        missing = list(exists(path, performance, "file"))
        problems += missing or _performance_table(path, Path(expand(performance)), list(study.models))
    return problems


def exists(path: str, value: str | None, kind: str) -> Iterator[Problem]:
    """A problem at the key `path` unless its value, if any, is an existing ``file`` or ``folder``."""
    if value is None:
        return
    try:
        target = Path(expand(value))
    except UserError as error:
        yield Problem(path, str(error))
        return
    if target.is_dir() if kind == "folder" else target.is_file():
        return
    hint = ""
    if target.exists():
        hint = f"; it is a {'file' if kind == 'folder' else 'folder'}"
    elif "$" in str(target):
        hint = "; environment variables are written ${NAME}"
    elif target.parent.is_dir():
        entries = sorted(entry.name for entry in target.parent.iterdir())
        hint = f"; {nearest(target.name, entries)}" if difflib.get_close_matches(target.name, entries, n=1) else ""
    elif not target.is_absolute():
        hint = f"; relative paths start from {Path.cwd()}"
    yield Problem(path, f"found {value!r}, expected an existing {kind}{hint}")


def _results(study: Study) -> Iterator[Problem]:
    try:
        folder = Path(study.paths.results)
    except UserError as error:
        yield Problem("results", str(error))
        return
    if folder.exists() and not folder.is_dir():
        yield Problem("results", f"found {study.results!r}, which is a file; expected a folder, existing or new")
    elif set("{}") & set(str(folder)):
        yield Problem("results", f"found {study.results!r}, expected a folder without braces in its name")
    elif folder.resolve() == Path.cwd() or folder.resolve() in Path.cwd().parents:
        yield Problem("results", f"found {study.results!r}, expected a folder of its own, e.g. results")
    else:
        existing = next(place for place in (folder, *folder.absolute().parents) if place.exists())
        if not os.access(existing, os.W_OK):
            yield Problem(
                "results",
                f"found {study.results!r}, which cannot be written ({str(existing)!r} is read-only); make it writable, "
                "or choose another folder",
            )


def _dataset(path: str, dataset: schema.DatasetKeys) -> Iterator[Problem]:
    folder = getattr(dataset, "path", None)
    missing = list(exists(f"{path}.path", folder, "file" if isinstance(dataset, schema.Arrays) else "folder"))
    yield from missing
    if isinstance(dataset, schema.Arrays):
        yield from exists(f"{path}.concepts", dataset.concepts, "file")
    if missing or folder is None:
        return
    if isinstance(dataset, schema.Folder):
        yield from _folder(path, dataset)
    if isinstance(dataset, schema.Segmentation):
        yield from _segmentation(path, dataset)
    if isinstance(dataset, schema.Broden) and not (Path(expand(folder)) / "index.csv").is_file():
        yield Problem(f"{path}.path", f"found {folder!r}, which has no index.csv; expected a folder in Broden's format")
    if isinstance(dataset, schema.Torchvision):
        # A name that resembles none may be newer than this list.
        close = difflib.get_close_matches(dataset.name, TORCHVISION, n=1, cutoff=0.6)
        if dataset.name not in TORCHVISION and close:
            yield Problem(f"{path}.name", f"found {dataset.name!r}; did you mean {close[0]!r}?")


def _folder(path: str, dataset: schema.Folder) -> Iterator[Problem]:
    root = Path(expand(dataset.path))
    if not _holds_image(root):
        yield Problem(f"{path}.path", f"found {dataset.path!r}, which holds no image file ({', '.join(IMAGES[:4])}, …)")
        return
    if dataset.layout in ("classes", "splits") and not any(entry.is_dir() for entry in root.iterdir()):
        yield Problem(
            f"{path}.layout", f"found {dataset.layout!r}, but {dataset.path!r} has no subfolders; use flat or auto"
        )
        return
    if dataset.classes is not None:
        # Classes lie at the top or one level down, below the splits.
        known = {entry.name for pattern in ("*", "*/*") for entry in root.glob(pattern) if entry.is_dir()}
        for name in dataset.classes:
            if name not in known:
                yield Problem(f"{path}.classes", f"found {name!r}; {nearest(name, sorted(known))}")


def _holds_image(root: Path) -> bool:
    return any(name.lower().endswith(IMAGES) for _, _, names in os.walk(root, followlinks=True) for name in names)


def _segmentation(path: str, dataset: schema.Segmentation) -> Iterator[Problem]:
    root = Path(expand(dataset.path))
    for key in ("images", "masks"):
        name = getattr(dataset, key)
        # Below the folder itself, or below its splits.
        if not (root / name).is_dir() and not any(root.glob(f"*/{name}")):
            yield from exists(f"{path}.{key}", f"{dataset.path}/{name}", "folder")
    table = root / dataset.classes
    missing = list(exists(f"{path}.classes", f"{dataset.path}/{dataset.classes}", "file"))
    yield from missing
    if not missing and table.suffix == ".json":
        try:
            json.loads(table.read_text(encoding="utf-8"))
        except (ValueError, OSError) as error:
            yield Problem(
                f"{path}.classes", f"{table.name!r} is not valid JSON ({error}); docs/data.md shows a class table"
            )


def _performance_table(path: str, file: Path, models: list[str]) -> Iterator[Problem]:
    try:
        with open(file, newline="", encoding="utf-8-sig") as stream:
            reader = csv.DictReader(stream)
            heading = list(reader.fieldnames or [])
            listed = {str(row.get("model", "")).strip() for row in reader}
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        yield Problem(path, f"{str(file)!r} cannot be read ({error}); expected a CSV table")
        return
    missing = [column for column in PERFORMANCE if column not in heading]
    if missing:
        yield Problem(path, f"{str(file)!r} lacks the column {missing[0]!r}, expected {', '.join(PERFORMANCE)}")
    elif not listed & set(models):
        yield Problem(path, f"{str(file)!r} holds no model of this study; {nearest(models[0], sorted(listed))}")
