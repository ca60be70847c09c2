"""What the types of a model's keys cannot say: weights that fit the architecture, orders, lengths, references."""

from __future__ import annotations

import re
from collections.abc import Iterator

from intermodel.study import schema
from intermodel.study.problems import Problem, nearest
from intermodel.study.study import Study


def check_models(study: Study) -> Iterator[Problem]:
    """Problems of the models, one by one."""
    for name, model in study.models.items():
        path = f"models.{name}"
        repeated = sorted({layer for layer in model.layers if model.layers.count(layer) > 1})
        if repeated:
            yield Problem(f"{path}.layers", f"found {repeated[0]!r} twice, expected every layer once")
        for layer in model.layers:
            if "/" in layer or not layer.strip():
                yield Problem(f"{path}.layers", f"found {layer!r}, expected the name of a module, without '/'")
            elif layer.endswith(".maps"):
                yield Problem(
                    f"{path}.layers", f"found {layer!r}; its file would be taken for the maps of another layer"
                )
        if isinstance(model.tokens.grid, list) and len(model.tokens.grid) != 2:
            yield Problem(f"{path}.tokens.grid", f"found {model.tokens.grid}, expected [rows, columns] or auto")
        if model.control and not isinstance(model.weights, schema.RandomWeights | schema.CallableWeights):
            yield Problem(
                f"{path}.control", f"found true, but its weights are {model.weights.source}; a control is untrained"
            )
        yield from _architecture(path, model)
        yield from _weights(path, model, study)
        if model.preprocessing is not None:
            yield from _preprocessing(f"{path}.preprocessing", model.preprocessing)


def _architecture(path: str, model: schema.Model) -> Iterator[Problem]:
    own = ":" in model.architecture
    if own and not re.match(r"^[\w.]+:[\w.]+$", model.architecture):
        yield Problem(f"{path}.architecture", f"found {model.architecture!r}, expected module:function")
    if own and model.weights.source == "pretrained":
        yield Problem(
            f"{path}.weights.source",
            "found 'pretrained', which only timm's networks have; use checkpoint, callable, random or train",
        )
    if not own and model.weights.source == "callable":
        yield Problem(
            f"{path}.weights.source",
            f"found 'callable', which needs an architecture module:function, not {model.architecture!r}",
        )
    if not own and model.python_path is not None:
        yield Problem(f"{path}.python_path", "is only for an architecture module:function; leave it out")


def _weights(path: str, model: schema.Model, study: Study) -> Iterator[Problem]:
    weights = model.weights
    path = f"{path}.weights"
    if isinstance(weights, schema.CheckpointWeights):
        if (weights.path is None) == (weights.url is None):
            yield Problem(path, "expected exactly one of path and url")
        elif weights.url is not None and weights.sha256 is None:
            yield Problem(f"{path}.sha256", "is missing; a downloaded file needs the digest of what is expected")
        extra = [key for key in ("unwrap", "prefix", "drop", "rename") if getattr(weights, key)]
        if weights.format is not None and extra:
            yield Problem(f"{path}.{extra[0]}", f"is set by format: {weights.format}; leave one of the two out")
    if not isinstance(weights, schema.TrainedWeights):
        return
    if weights.dataset not in study.datasets:
        yield Problem(f"{path}.dataset", f"found {weights.dataset!r}; {nearest(weights.dataset, study.datasets)}")
    else:
        dataset = study.datasets[weights.dataset]
        if weights.objective == "supervised" and not study.has_labels(weights.dataset):
            yield Problem(f"{path}.dataset", f"{weights.dataset!r} has no labels, which supervised training needs")
        if isinstance(dataset, schema.Scenes) and dataset.train == 0 and dataset.test > 0:
            yield Problem(f"{path}.dataset", f"{weights.dataset!r} has no training images (train: 0)")
    if weights.projection is not None:
        if weights.objective == "supervised":
            yield Problem(f"{path}.projection", "is not used by supervised training; leave it out")
        elif len(weights.projection) != 2:
            yield Problem(f"{path}.projection", f"found {weights.projection}, expected [hidden, output] widths")
    for key in ("crop_area", "crop_ratio", "blur_sigma"):
        limits = getattr(weights.augmentation, key)
        if limits is None:
            continue
        if len(limits) != 2 or not 0 < limits[0] <= limits[1] or (key == "crop_area" and limits[1] > 1):
            bound = " up to 1" if key == "crop_area" else ""
            yield Problem(
                f"{path}.augmentation.{key}", f"found {limits}, expected [least, largest], positive numbers{bound}"
            )


def _preprocessing(path: str, preprocessing: schema.Preprocessing) -> Iterator[Problem]:
    for key in ("mean", "std"):
        values = getattr(preprocessing, key)
        if values is not None and len(values) != 3:
            yield Problem(f"{path}.{key}", f"found {len(values)} values, expected 3 (red, green, blue)")
    if (preprocessing.mean is None) != (preprocessing.std is None):
        given, other = ("mean", "std") if preprocessing.std is None else ("std", "mean")
        yield Problem(f"{path}.{other}", f"is missing; {given} and {other} go together")
    if preprocessing.std is not None and min(preprocessing.std, default=1.0) <= 0:
        yield Problem(f"{path}.std", f"found {preprocessing.std}, expected positive numbers")
    if isinstance(preprocessing.size, list) and len(preprocessing.size) != 2:
        yield Problem(f"{path}.size", f"found {preprocessing.size}, expected a side or [height, width]")
    if preprocessing.resize == "shorter" and preprocessing.crop == "none":
        yield Problem(
            f"{path}.crop", "found 'none', but resize: shorter leaves images of any shape; use crop: center or squash"
        )
