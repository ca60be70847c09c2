"""What the types of the keys cannot say: names, references between parts, and which analysis serves which data."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from itertools import product
from pathlib import Path

from intermodel.study import schema
from intermodel.study.files import check_files as check_files_of
from intermodel.study.layers import known_layers
from intermodel.study.models import check_models
from intermodel.study.paths import PAIR
from intermodel.study.problems import Problem, nearest
from intermodel.study.study import Study

NAME = re.compile(r"^[A-Za-z0-9][A-Za-z0-9._+-]*$")


def check(study: Study, check_files: bool = True, layer_cache: Path | None = None) -> list[Problem]:
    """All problems of a study whose types are right; an empty list when there are none."""
    problems = [*_names(study), *_datasets(study), *check_models(study), *_analyses(study)]
    if check_files:
        problems += check_files_of(study)
    if layer_cache is not None and not problems:
        problems += [*_layers(study, layer_cache)]
    return problems


def _names(study: Study) -> Iterator[Problem]:
    for kind, names in (("datasets", list(study.datasets)), ("models", list(study.models))):
        seen: dict[str, str] = {}
        for name in names:
            if not NAME.fullmatch(name):
                yield Problem(
                    f"{kind}.{name}",
                    f"found the name {name!r}, expected letters, digits and . _ + - starting with a letter or digit",
                )
            elif _is_number(name):
                yield Problem(
                    f"{kind}.{name}",
                    f"found the name {name!r}, which tables would take for a number; let it begin with a letter",
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
    if "figures" in study.models:
        yield Problem("models.figures", "this name is taken by the folder of figures; rename the model")
    # A rule is named after a model and a data set: a_b on c would be taken for a on b_c.
    rules: dict[str, tuple[str, str]] = {}
    for model, dataset in product(study.models, study.datasets):
        first = rules.setdefault(re.sub(r"\W", "_", f"{model}_{dataset}").lower(), (model, dataset))
        if len(first[0]) != len(model):
            yield Problem(
                f"models.{model}",
                f"{model!r} on {dataset!r} would be confused with {first[0]!r} on {first[1]!r}; rename one of them",
            )


def _is_number(name: str) -> bool:
    try:
        float(name)
    except ValueError:
        return False
    return True


def _datasets(study: Study) -> Iterator[Problem]:
    for name, dataset in study.datasets.items():
        path = f"datasets.{name}"
        if isinstance(dataset.segmentation_size, list) and len(dataset.segmentation_size) != 2:
            yield Problem(
                f"{path}.segmentation_size", f"found {dataset.segmentation_size}, expected a side or [height, width]"
            )
        if isinstance(dataset, schema.Scenes) and dataset.train + dataset.test == 0:
            yield Problem(path, "found train: 0 and test: 0, expected at least one image")
        images = _most_images(dataset)
        if images is not None and dataset.shards > max(images, 1):
            yield Problem(f"{path}.shards", f"found {dataset.shards}, expected at most one for each of {images} images")
        if isinstance(dataset, schema.Arrays) and dataset.masks is not None and dataset.concepts is None:
            yield Problem(f"{path}.concepts", "is missing; masks need a table that names their label numbers")


def _most_images(dataset: schema.DatasetKeys) -> int | None:
    """Images of a data set, or more, as far as the study tells."""
    known = [dataset.limit] if dataset.limit is not None else []
    if isinstance(dataset, schema.Scenes):
        known.append(dataset.train + dataset.test)
    return min(known, default=None)


def _analyses(study: Study) -> Iterator[Problem]:
    needs: dict[str, tuple[Callable[[str], bool], str]] = {
        "concepts": (study.has_masks, "masks"),
        "lce": (study.has_masks, "masks"),
        "probe": (study.has_labels, "labels"),
        "quality": (study.has_labels, "labels"),
    }
    for analysis in schema.Analyses.model_fields:
        chosen = getattr(study.analyses, analysis).datasets
        if chosen == "auto":
            continue
        path = f"analyses.{analysis}.datasets"
        yield from _once(path, chosen)
        for name in chosen:
            if name not in study.datasets:
                yield Problem(path, f"found {name!r}; {nearest(name, study.datasets)}")
            elif analysis in needs and not needs[analysis][0](name):
                yield Problem(path, f"{name!r} has no {needs[analysis][1]}, which {analysis} needs; leave it out")
    for upper, lower in (("lce", "concepts"), ("quality", "probe")):
        lower_datasets = study.datasets_for(lower)
        for name in study.datasets_for(upper):
            if name not in lower_datasets:
                yield Problem(
                    f"analyses.{upper}.datasets",
                    f"{name!r} is not among the data sets of {lower}, which {upper} builds on; add it there",
                )
    yield from _concepts(study)
    yield from _similarity(study)
    yield from _unit_matching(study)
    yield from _clip_dissect(study)
    yield from _lce(study)
    quality, probe = study.analyses.quality, study.analyses.probe
    low, high = (quality.percentiles + [0.0, 0.0])[:2]
    if len(quality.percentiles) != 2 or not 0 <= low < high <= 100:
        yield Problem(
            "analyses.quality.percentiles", f"found {quality.percentiles}, expected two rising numbers from 0 to 100"
        )
    if sorted(set(quality.eps_ladder), reverse=True) != quality.eps_ladder:
        yield Problem("analyses.quality.eps_ladder", f"found {quality.eps_ladder}, expected falling numbers")
    if sorted(set(probe.penalties)) != probe.penalties:
        yield Problem("analyses.probe.penalties", f"found {probe.penalties}, expected rising numbers")


def _concepts(study: Study) -> Iterator[Problem]:
    concepts = study.analyses.concepts
    if concepts.detection == "fdr" and concepts.shuffles == 0:
        yield Problem(
            "analyses.concepts.detection",
            "found fdr, which compares with shuffled pairings, and shuffles: 0; set shuffles to at least 1",
        )

    if concepts.rotations and concepts.masks == "argmax":
        yield Problem("analyses.concepts.rotations", "rotated units need thresholds, found masks: argmax; set it to 0")
    for model in study.models:
        yield from _maps(study, model)


def _maps(study: Study, model: str) -> Iterator[Problem]:
    """What reads maps of layers whose maps are not stored."""
    path, layers, streamed = f"models.{model}.keep_maps", study.layers(model), study.streamed(model)
    kept = study.models[model].keep_maps
    unknown = [layer for layer in kept if layer not in layers] if isinstance(kept, list) else []
    for layer in unknown:
        yield Problem(path, f"found {layer!r}; {nearest(layer, layers)}")
    concepts, matching = study.analyses.concepts, study.analyses.unit_matching
    if unknown or not streamed or not study.datasets_for("concepts"):
        return
    if concepts.thresholds == "hazen":
        yield Problem(path, "thresholds: hazen needs stored maps; set analyses.concepts.thresholds to exact")
    if concepts.composition_length > 1 and layers[-1] in streamed:
        yield Problem(
            path,
            f"the formulas of concepts need the maps of {layers[-1]!r}; keep them, or set "
            "analyses.concepts.composition_length to 1",
        )
    matched = matching.layers.get(model, layers[-1])
    if matching.over == "maps" and study.datasets_for("unit_matching") and matched in streamed:
        yield Problem(
            path,
            f"unit matching needs the maps of {matched!r}; keep them, or set analyses.unit_matching.over to pooled",
        )


def _similarity(study: Study) -> Iterator[Problem]:
    similarity = study.analyses.similarity
    yield from _once("analyses.similarity.measures", similarity.measures)
    yield from _once("analyses.similarity.interval_measures", similarity.interval_measures)
    yield from _once("analyses.similarity.variance", similarity.variance)
    extra = sorted(set(similarity.interval_measures) - set(similarity.measures))
    if extra:
        yield Problem("analyses.similarity.interval_measures", f"{extra[0]!r} is not among the measures; add it there")
    if 0 < similarity.subsamples < 10:
        yield Problem("analyses.similarity.subsamples", f"found {similarity.subsamples}, expected 0 or at least 10")


def _chosen_layers(study: Study, analysis: str, chosen: Mapping[str, str]) -> Iterator[Problem]:
    for model, layer in chosen.items():
        if model not in study.models:
            yield Problem(f"analyses.{analysis}.layers", f"found the model {model!r}; {nearest(model, study.models)}")
        elif layer not in study.layers(model):
            path = f"analyses.{analysis}.layers.{model}"
            yield Problem(path, f"found {layer!r}; {nearest(layer, study.layers(model))}")


def _unit_matching(study: Study) -> Iterator[Problem]:
    matching = study.analyses.unit_matching
    yield from _chosen_layers(study, "unit_matching", matching.layers)
    if matching.datasets in ("auto", []):
        return
    path = "analyses.unit_matching.datasets"
    if len(study.models) < 2:
        yield Problem(path, "matching needs at least two models, found one; write []")
    for name in matching.datasets:
        if matching.over == "maps" and name in study.datasets and name not in study.datasets_for("concepts"):
            yield Problem(
                path,
                f"no maps of {name!r} are kept, since concepts do not use it; set over: pooled, or leave it out",
            )


def _clip_dissect(study: Study) -> Iterator[Problem]:
    clip = study.analyses.clip_dissect
    yield from _chosen_layers(study, "clip_dissect", clip.layers)
    path = "analyses.clip_dissect"
    if clip.weights is None and clip.datasets not in ("auto", []):
        yield Problem(f"{path}.weights", "is missing; give the checkpoint of a CLIP model, or write datasets: []")
    if clip.weights is not None and clip.words is None:
        yield Problem(f"{path}.words", "is missing; give a text file with one word in each line, or a list of words")
    if isinstance(clip.words, list):
        yield from _once(f"{path}.words", clip.words)
        if len(set(clip.words)) < 2:
            yield Problem(f"{path}.words", f"found {clip.words}, expected at least two words to choose from")


def _lce(study: Study) -> Iterator[Problem]:
    lce = study.analyses.lce
    yield from _chosen_layers(study, "lce", lce.layers)
    if lce.linkage == "ward" and lce.distance != "euclidean":
        yield Problem("analyses.lce.linkage", f"ward needs the distance euclidean, found {lce.distance}; use average")
    if lce.datasets not in ("auto", []) and len(study.models) < 2:
        yield Problem("analyses.lce.datasets", "an embedding needs at least two models, found one; write []")
    if lce.covariate is not None and len([part for part in lce.covariate.split("/") if part.strip()]) != 3:
        yield Problem("analyses.lce.covariate", f"found {lce.covariate!r}, expected task/dataset/metric")


def _once(path: str, values: Sequence[object]) -> Iterator[Problem]:
    repeated = [value for position, value in enumerate(values) if value in values[:position]]
    if repeated:
        yield Problem(path, f"found {repeated[0]!r} twice, expected it once")


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
