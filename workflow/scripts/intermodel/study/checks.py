"""What the types of the keys cannot say: names, references between parts, files on disk, layers of networks."""

from __future__ import annotations

import csv
import difflib
import json
import re
from collections.abc import Iterable, Iterator
from pathlib import Path

from intermodel.engine.environment import expand
from intermodel.engine.errors import UserError
from intermodel.study import schema
from intermodel.study.layers import known_layers
from intermodel.study.paths import PAIR
from intermodel.study.problems import Problem, nearest
from intermodel.study.study import Study

NAME = re.compile(r"^[A-Za-z0-9][A-Za-z0-9._+-]*$")


def check(study: Study, check_files: bool = True, layer_cache: Path | None = None) -> list[Problem]:
    """All problems of a study whose types are right; an empty list when there are none."""
    problems = [*_names(study), *_references(study), *_analyses(study)]
    if check_files:
        problems += [*_files(study), *_performance(study)]
    if layer_cache is not None and not problems:
        problems += [*_layers(study, layer_cache)]
    return problems


def _names(study: Study) -> Iterator[Problem]:
    for kind, names in (("datasets", list(study.datasets)), ("models", list(study.models))):
        seen: dict[str, str] = {}
        for name in names:
            if not NAME.match(name):
                yield Problem(
                    f"{kind}.{name}",
                    f"found the name {name!r}, expected letters, digits and . _ + - starting with a letter or digit",
                )
            elif PAIR in name:
                yield Problem(
                    f"{kind}.{name}", f"the name {name!r} holds {PAIR!r}, which separates names in files; rename it"
                )
            # Names become parts of rule names and of file names, on some systems without regard to case.
            other = seen.setdefault(re.sub(r"\W", "_", name).lower(), name)
            if other != name:
                yield Problem(
                    f"{kind}.{name}",
                    f"is too similar to {other!r} (they differ in punctuation or case alone); rename one",
                )


def _references(study: Study) -> Iterator[Problem]:
    for name, model in study.models.items():
        path = f"models.{name}"
        repeated = sorted({layer for layer in model.layers if model.layers.count(layer) > 1})
        if repeated:
            yield Problem(f"{path}.layers", f"found {repeated[0]!r} twice, expected every layer once")
        for layer in model.layers:
            if "/" in layer or not layer.strip():
                yield Problem(f"{path}.layers", f"found {layer!r}, expected the name of a module, without '/'")
        if ":" in model.architecture and not re.match(r"^[\w.]+:[\w.]+$", model.architecture):
            yield Problem(f"{path}.architecture", f"found {model.architecture!r}, expected module:function")
        weights = model.weights
        if isinstance(weights, schema.TrainedWeights):
            if weights.dataset not in study.datasets:
                yield Problem(
                    f"{path}.weights.dataset", f"found {weights.dataset!r}; {nearest(weights.dataset, study.datasets)}"
                )
            elif weights.objective == "supervised" and not study.has_labels(weights.dataset):
                yield Problem(
                    f"{path}.weights.dataset", f"{weights.dataset!r} has no labels, which supervised training needs"
                )
        if isinstance(weights, schema.CheckpointWeights):
            if (weights.path is None) == (weights.url is None):
                yield Problem(f"{path}.weights", "expected exactly one of path and url")
            if weights.url is not None and weights.sha256 is None:
                yield Problem(
                    f"{path}.weights.sha256", "is missing; a downloaded file needs the digest of what is expected"
                )
        if model.preprocessing is not None:
            for key in ("mean", "std"):
                values = getattr(model.preprocessing, key)
                if values is not None and len(values) != 3:
                    yield Problem(
                        f"{path}.preprocessing.{key}", f"found {len(values)} values, expected 3 (red, green, blue)"
                    )
            if model.preprocessing.std is not None and min(model.preprocessing.std) <= 0:
                yield Problem(
                    f"{path}.preprocessing.std", f"found {model.preprocessing.std}, expected positive numbers"
                )
            for key, values in (("preprocessing.size", model.preprocessing.size), ("tokens.grid", model.tokens.grid)):
                if isinstance(values, list) and len(values) != 2:
                    yield Problem(f"{path}.{key}", f"found {values}, expected [height, width]")


def _analyses(study: Study) -> Iterator[Problem]:
    needs = {
        "concepts": study.has_masks,
        "lce": study.has_masks,
        "probe": study.has_labels,
        "quality": study.has_labels,
    }
    lacking = {"concepts": "masks", "lce": "masks", "probe": "labels", "quality": "labels"}
    for analysis in ("concepts", "similarity", "probe", "quality", "lce"):
        chosen = getattr(study.analyses, analysis).datasets
        if chosen == "auto":
            continue
        path = f"analyses.{analysis}.datasets"
        for name in chosen:
            if name not in study.datasets:
                yield Problem(path, f"found {name!r}; {nearest(name, study.datasets)}")
            elif analysis in needs and not needs[analysis](name):
                yield Problem(path, f"{name!r} has no {lacking[analysis]}, which {analysis} needs; leave it out")
    for upper, lower in (("lce", "concepts"), ("quality", "probe")):
        for name in sorted(set(study.datasets_for(upper)) - set(study.datasets_for(lower))):
            yield Problem(
                f"analyses.{upper}.datasets", f"{name!r} is not among the data sets of {lower}, which {upper} builds on"
            )
    similarity = study.analyses.similarity
    extra = sorted(set(similarity.interval_measures) - set(similarity.measures))
    if extra:
        yield Problem("analyses.similarity.interval_measures", f"{extra[0]!r} is not among the measures; add it there")
    if 0 < similarity.subsamples < 10:
        yield Problem("analyses.similarity.subsamples", f"found {similarity.subsamples}, expected 0 or at least 10")
    lce = study.analyses.lce
    for model, layer in lce.layers.items():
        if model not in study.models:
            yield Problem("analyses.lce.layers", f"found the model {model!r}; {nearest(model, study.models)}")
        elif layer not in study.layers(model):
            yield Problem(f"analyses.lce.layers.{model}", f"found {layer!r}; {nearest(layer, study.layers(model))}")
    if lce.linkage == "ward" and lce.distance != "euclidean":
        yield Problem("analyses.lce.linkage", f"ward needs the distance euclidean, found {lce.distance}; use average")
    quality = study.analyses.quality
    low, high = (quality.percentiles + [0.0, 0.0])[:2]
    if len(quality.percentiles) != 2 or not 0 <= low < high <= 100:
        yield Problem(
            "analyses.quality.percentiles", f"found {quality.percentiles}, expected two rising numbers from 0 to 100"
        )
    if sorted(set(quality.eps_ladder), reverse=True) != quality.eps_ladder:
        yield Problem("analyses.quality.eps_ladder", f"found {quality.eps_ladder}, expected falling numbers")
    if sorted(set(study.analyses.probe.penalties)) != study.analyses.probe.penalties:
        yield Problem("analyses.probe.penalties", f"found {study.analyses.probe.penalties}, expected rising numbers")


def _files(study: Study) -> Iterator[Problem]:
    for name, dataset in study.datasets.items():
        path = f"datasets.{name}"
        kind = "file" if isinstance(dataset, schema.Arrays) else "folder"
        missing = list(_exists(f"{path}.path", getattr(dataset, "path", None), kind))
        yield from missing
        if isinstance(dataset, schema.Segmentation) and not missing:
            yield from _exists(f"{path}.classes", f"{dataset.path}/{dataset.classes}", "file")
            yield from _class_table(f"{path}.classes", Path(expand(dataset.path)) / dataset.classes)
            for key in ("images", "masks"):
                folder = getattr(dataset, key)
                if not any(Path(expand(dataset.path)).glob(f"*/{folder}")):
                    yield from _exists(f"{path}.{key}", f"{dataset.path}/{folder}", "folder")
        if isinstance(dataset, schema.Broden) and not missing:
            yield from _exists(f"{path}.path", f"{dataset.path}/index.csv", "file")
        if isinstance(dataset, schema.Arrays):
            yield from _exists(f"{path}.concepts", dataset.concepts, "file")
            if dataset.masks is not None and dataset.concepts is None:
                yield Problem(f"{path}.concepts", "is missing; masks need a table that names their label numbers")
    for name, model in study.models.items():
        yield from _exists(f"models.{name}.weights.path", getattr(model.weights, "path", None), "file")
        yield from _exists(f"models.{name}.python_path", model.python_path, "folder")


def _exists(path: str, value: str | None, kind: str) -> Iterator[Problem]:
    if value is None:
        return
    try:
        target = Path(expand(value))
    except UserError as error:
        yield Problem(path, str(error))
        return
    wanted = {"any": target.exists, "folder": target.is_dir, "file": target.is_file}[kind]
    if wanted():
        return
    expected = "an existing file or folder" if kind == "any" else f"an existing {kind}"
    hint = ""
    if target.parent.is_dir() and not target.exists():
        entries = sorted(entry.name for entry in target.parent.iterdir())
        hint = f"; {nearest(target.name, entries)}" if difflib.get_close_matches(target.name, entries, n=1) else ""
    yield Problem(path, f"found {value!r}, expected {expected}{hint}")


def _performance(study: Study) -> Iterator[Problem]:
    path, performance = "analyses.lce.performance", study.analyses.lce.performance
    if performance is not None:
        missing = list(_exists(path, performance, "file"))
        yield from missing or _performance_table(path, str(expand(performance)))


def _class_table(path: str, file: Path) -> Iterator[Problem]:
    if file.is_file() and file.suffix == ".json":
        try:
            json.loads(file.read_text(encoding="utf-8"))
        except (ValueError, OSError) as error:
            yield Problem(
                path, f"{file.name!r} is not valid JSON ({error}); see docs/data.md for the form of a class table"
            )


def _performance_table(path: str, file: str) -> Iterator[Problem]:
    try:
        with open(file, newline="", encoding="utf-8") as stream:
            heading = next(csv.reader(stream), [])
    except (OSError, UnicodeDecodeError) as error:
        yield Problem(path, f"{file!r} cannot be read ({error}); expected a CSV table")
        return
    missing = [column for column in ("model", "task", "dataset", "metric", "value") if column not in heading]
    if missing:
        yield Problem(
            path, f"{file!r} lacks the column {missing[0]!r}, expected model, task, dataset, metric and value"
        )


def _layers(study: Study, cache: Path) -> Iterator[Problem]:
    for name, found in known_layers(study, cache).items():
        if isinstance(found, str):
            yield Problem(f"models.{name}", found)
            continue
        for position, layer in enumerate(study.models[name].layers):
            if layer not in found:
                hint = nearest(layer, _readable(found))
                yield Problem(
                    f"models.{name}.layers[{position}]", f"found {layer!r}, which the network does not have; {hint}"
                )


def _readable(layers: Iterable[str]) -> list[str]:
    """Shallow names first, so that a hint lists stages before their inner parts."""
    return sorted((layer for layer in layers if layer), key=lambda layer: layer.count("."))
