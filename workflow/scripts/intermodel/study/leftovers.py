"""Files that a study has made and no longer asks for: of models, data sets and layers that were taken out of it."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from intermodel.engine.plan import shards_on_disk
from intermodel.engine.shards import FOLDER
from intermodel.study import schema
from intermodel.study.paths import PAIR
from intermodel.study.study import Study

# Folders whose contents are named after data sets, models and layers. Everything else in the results folder, such as
# the results of another study, is left alone.
BY_DATASET = ("data", "features", "concepts", "similarity", "unit_matching", "clip_dissect", "probe", "quality", "lce")
BY_RULE = ("logs", "benchmarks")
SUFFIXES = (
    *(
        ".part.h5",
        ".maps.h5",
        ".basis.h5",
        ".levels.h5",
        ".part-tally.h5",
        ".auroc.h5",
        ".compositions.h5",
        ".h5",
        ".history.csv",
        ".safetensors",
        ".csv",
    ),
    *(".maps.log", ".log", ".maps.tsv", ".tsv"),
)
# The log of an extraction says whether it was of new layers, and which shard.
KIND = re.compile(r"\.(new|have)(\.\d+-of-\d+)?$")


@dataclass(frozen=True, order=True)
class Leftover:
    """A file, and what it belongs to that the study no longer has, e.g. ``model swav``."""

    owner: str
    path: Path


def leftovers(study: Study) -> list[Leftover]:
    """All such files below the study's results folder, by what they belong to; links are not followed."""
    results = Path(study.paths.results)
    counts: dict[Path, int | None] = {}
    found = []
    for folder in ("training", *BY_DATASET, *BY_RULE):
        for path in _files(results / folder):
            parts = path.relative_to(results / folder).parts
            owner = _gone(study, folder, parts)
            if owner is None and folder == "features" and len(parts) == 5 and parts[2] == FOLDER:
                owner = _unused_shard(study, parts, path, counts)
            if owner is not None:
                found.append(Leftover(owner, path))
    return sorted(found)


def remove(found: list[Leftover], results: str | Path) -> None:
    """Remove these files, and the folders that have become empty, below `results` and nowhere else."""
    root = Path(results).resolve()
    for leftover in found:
        folder = leftover.path.parent.resolve()
        if root not in folder.parents:
            raise ValueError(f"{leftover.path} does not lie inside {root}")
        leftover.path.unlink(missing_ok=True)
        while folder.parent != root and not any(folder.iterdir()):
            folder.rmdir()
            folder = folder.parent


def _files(folder: Path) -> Iterator[Path]:
    if folder.is_symlink():
        return
    for place, _, names in os.walk(folder):
        yield from (Path(place, name) for name in names)


def _gone(study: Study, folder: str, parts: tuple[str, ...]) -> str | None:
    """What a file belongs to that the study does not have, or None for a file of the study's."""
    *above, last = parts
    name = _stem(last)
    if folder == "training":
        return None if _is_trained(study, name) else f"model {name}"
    if folder in BY_RULE:
        return _gone_by_name(study, [*above[1:], name]) if above else None
    if not above:
        return None
    dataset, *inner = above
    if dataset not in study.datasets:
        return f"data set {dataset}"
    if inner == ["figures"]:
        model = name.removeprefix("gallery-").rpartition(".")[0]
        return f"model {model}" if name.startswith("gallery-") and model not in study.models else None
    if len(inner) == 1 or (len(inner) == 3 and inner[1] == FOLDER):
        return _gone_by_name(study, [dataset, inner[0], name])
    by_model = folder in ("probe", "quality") or PAIR in name or last.endswith((".auroc.h5", ".compositions.h5"))
    per_model = last.endswith(".h5") and by_model
    return _gone_by_name(study, [dataset, name]) if per_model else None


def _gone_by_name(study: Study, names: list[str]) -> str | None:
    """The same for the parts of a name: data set, model (or two), layer; or a model, or nothing of these."""
    if len(names) == 1:
        known = names[0] in study.datasets or names[0] in study.models or names[0] == "all"
        return None if known else f"model or data set {names[0]}"
    dataset, models, *layer = names
    if dataset not in study.datasets:
        return f"data set {dataset}"
    for model in models.split(PAIR):
        model = model if model in study.models else KIND.sub("", model)
        if model not in study.models:
            return f"model {model}"
        if layer and layer[0] not in study.models[model].layers:
            return f"layer {layer[0]} of {model}"
    return None


def _unused_shard(study: Study, parts: tuple[str, ...], path: Path, counts: dict[Path, int | None]) -> str | None:
    """Why no feature file needs a shard of the study's: it consists of another number of shards."""
    dataset, model, _, shard, name = parts
    whole = path.parents[2] / name.removeprefix(".").replace(".part.h5", ".h5")
    if whole not in counts:
        counts[whole] = shards_on_disk(str(whole))
    count = counts[whole] or study.datasets[dataset].shards
    return None if count > 1 and shard.endswith(f"-of-{count}") else f"former shards of {model} on {dataset}"


def _stem(name: str) -> str:
    """A file's name without its suffixes and the dot of an unfinished file; layers may hold dots themselves."""
    hidden = name.startswith(".")
    name = name.removeprefix(".")
    for suffix in SUFFIXES:
        if name.endswith(suffix):
            name = name.removesuffix(suffix)
            return name.removesuffix(".maps") if hidden else name
    return name


def _is_trained(study: Study, model: str) -> bool:
    return model in study.models and isinstance(study.models[model].weights, schema.TrainedWeights)
