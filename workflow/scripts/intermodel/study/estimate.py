"""What is still missing of a study will cost: images, jobs, seconds of work, bytes on disk.

Forward passes are timed beforehand, training is told from them, and every other job has a start-up time and a number
of elementary steps, counted below. Expect the right order, and the right share of each model, not the right minute.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Protocol

from intermodel.engine.shards import shard_path
from intermodel.engine.text import aligned, clock, in_bytes
from intermodel.study import schema
from intermodel.study.study import Study

# Seconds of CPU until a job begins its work: its imports, by what it imports.
START_ARRAYS = 0.6
START_STATISTICS = 1.2
START_FIGURES = 5.0
START_NETWORK = 6.0

# A training step, in forward passes of as many images: forward and backward (3) and augmentation (0.5) of every view;
# BYOL adds the target network's pass over both views.
TRAINING = {"supervised": 3.5, "simclr": 7.0, "barlow_twins": 7.0, "byol": 9.0}

# Jobs that bring together what an analysis found on a data set, how many of them draw, and their seconds of work.
SUMMARIES = {"concepts": (1, 1, 8.0), "similarity": (2, 1, 2.0), "probe": (1, 1, 1.0), "quality": (1, 1, 2.0)}
SUMMARIES |= {"unit_matching": (1, 1, 2.0), "clip_dissect": (1, 1, 2.0), "lce": (1, 1, 3.0)}

# Seconds for an active pixel of the tally (once for each pairing of images and label maps) and of the formulas, for a
# unit that formulas explain, for a value of a map that is read, for one that is ranked, and for an image that is
# painted; measured on one core.
ACTIVE_PIXEL = 2e-8
RANKED_VALUE = 3e-7
FORMULA_PIXEL, FORMULA_UNIT = 8e-8, 3e-3
MAP_VALUE = 5e-9
PAINTED_IMAGE = 1e-3
# Seconds for an image, a unit and a fold of the AUROC that is drawn again, with some thousand concepts.
DRAWN_VALUE = 3.5e-7
# Multiplications and additions of ViT-B/16, the usual CLIP model, for an image, and of its text tower for a word.
CLIP_IMAGE = 1.8e10
CLIP_WORD = 3e9
# L-BFGS iterations that a probe takes for each penalty, and passes over the data in each.
PROBE_ITERATIONS = 100


@dataclass(frozen=True)
class DatasetSize:
    """Images of a data set, its classes (0: no labels), pixels of a label map (0: no masks)."""

    images: int
    classes: int = 0
    pixels: int = 0


class Network(Protocol):
    """What was measured of a network: seconds per image, and (units, height, width) of each layer."""

    @property
    def seconds(self) -> float: ...

    @property
    def shapes(self) -> Mapping[str, tuple[int, int, int]]: ...


@dataclass(frozen=True)
class Cost:
    """What a model, or a kind of work, still costs."""

    name: str
    images: int = 0
    jobs: int = 0
    seconds: float = 0.0
    bytes: int = 0

    def __add__(self, other: Cost) -> Cost:
        return replace(
            self,
            images=self.images + other.images,
            jobs=self.jobs + other.jobs,
            seconds=self.seconds + other.seconds,
            bytes=self.bytes + other.bytes,
        )


def estimate(
    study: Study,
    datasets: Mapping[str, DatasetSize],
    networks: Mapping[str, Network],
    rate: float,
    exists: Callable[[str], bool] = os.path.exists,
) -> list[Cost]:
    """Costs of everything that does not exist yet.

    Parameters
    ----------
    study
        The study.
    datasets
        Size of every data set.
    networks
        What was measured of every model; those of which nothing is missing may be left out (see `unfinished`).
    rate
        Multiplications and additions that this machine does in a second on one core.
    exists
        Whether a file exists.

    Returns
    -------
    list of Cost
        The data sets together, each model, and what brings models together (pairs, summaries, report); rows without
        jobs are left out.
    """
    run = _Run(study, datasets, networks, rate, exists)
    costs = [_sum("data sets", [*run.data(), *run.clip()]), *(_sum(model, run.model(model)) for model in study.models)]
    costs.append(_sum("pairs, summaries", run.together()))
    return [cost for cost in costs if cost.jobs]


def unfinished(study: Study, exists: Callable[[str], bool] = os.path.exists) -> list[str]:
    """Models of which some file is still to be made, so that their networks must be measured."""
    run = _Run(study, {}, {}, 1.0, exists)
    return [model for model in study.models if run.is_unfinished(model)]


def total(costs: Iterable[Cost]) -> Cost:
    """The sum of some costs."""
    return _sum("total", costs)


class _Run:
    """The jobs that a run would start, in the terms of the rules."""

    def __init__(
        self,
        study: Study,
        datasets: Mapping[str, DatasetSize],
        networks: Mapping[str, Network],
        rate: float,
        exists: Callable[[str], bool],
    ) -> None:
        self.study, self.datasets, self.networks, self.rate, self.exists = study, datasets, networks, rate, exists
        self.paths = study.paths
        # Analyses whose summaries on a data set will run because something below them does.
        self.touched: set[tuple[str, str]] = set()

    def uses(self, analysis: str, dataset: str) -> bool:
        return dataset in self.study.datasets_for(analysis)

    @property
    def composes(self) -> bool:
        """Whether units are explained by formulas of labels."""
        return self.study.analyses.concepts.composition_length > 1

    def is_new(self, dataset: str, model: str, layer: str) -> bool:
        """Whether the features of a layer are to be made."""
        files = [self.paths.features(dataset, model, layer)]
        if self.uses("concepts", dataset) and layer in self.study.kept(model):
            files.append(self.paths.maps(dataset, model, layer))
        return self.is_untrained(model) or not all(self.exists(file) for file in files)

    def is_untrained(self, model: str) -> bool:
        trained = isinstance(self.study.models[model].weights, schema.TrainedWeights)
        return trained and not self.exists(self.paths.weights(model))

    def is_unfinished(self, model: str) -> bool:
        layers = self.study.layers(model)
        for dataset in self.study.datasets:
            files = [self.paths.basis(dataset, model, layer) for layer in layers if self.uses("similarity", dataset)]
            files += [self.paths.tally(dataset, model, layer) for layer in layers if self.uses("concepts", dataset)]
            if self.uses("concepts", dataset):
                files.append(self.paths.auroc(dataset, model))
                files += [self.paths.compositions(dataset, model)] * self.composes
            files += [self.paths.probe(dataset, model)] * self.uses("probe", dataset)
            files += [self.paths.quality(dataset, model)] * self.uses("quality", dataset)
            if any(self.is_new(dataset, model, layer) for layer in layers) or not all(map(self.exists, files)):
                return True
        return False

    def data(self) -> Iterator[Cost]:
        for name, spec in self.study.datasets.items():
            images, pixels = self.datasets[name].images, self.datasets[name].pixels
            painted = isinstance(spec, schema.Scenes)
            if not self.exists(self.paths.manifest(name)):
                size = images * spec.size**2 * 3 if isinstance(spec, schema.Scenes) else 0
                yield Cost("", images, 1, START_ARRAYS + images * PAINTED_IMAGE, size)
            if self.uses("concepts", name):
                if not self.exists(self.paths.segmentation(name)):
                    yield Cost("", 0, 1, START_ARRAYS + images * (PAINTED_IMAGE if painted else 0.02), images * pixels)
                if not self.exists(self.paths.patterns(name)):
                    yield Cost("", 0, 1, START_ARRAYS + images * pixels * MAP_VALUE, images * pixels)

    def clip(self) -> Iterator[Cost]:
        """Images and words in CLIP's space, once for all models."""
        for name in self.study.datasets_for("clip_dissect"):
            if not self.exists(self.paths.clip_images(name)):
                images = self.datasets[name].images
                yield Cost("", images, 1, START_NETWORK + images * CLIP_IMAGE / self.rate, images * 2**11)
        if self.study.datasets_for("clip_dissect") and not self.exists(self.paths.clip_words()):
            words = self.study.analyses.clip_dissect.words
            # A file of words is not read here; lists in use hold some 20,000.
            count = len(words) if isinstance(words, list) else 20_000
            yield Cost("", 0, 1, START_NETWORK + count * CLIP_WORD / self.rate, count * 2**11)

    def model(self, model: str) -> Iterator[Cost]:
        weights = self.study.models[model].weights
        if isinstance(weights, schema.TrainedWeights) and self.is_untrained(model):
            passes = weights.steps * weights.batch_size * TRAINING[weights.objective]
            yield Cost("", 0, 1, START_NETWORK + passes * self.networks[model].seconds)
        for dataset in self.study.datasets:
            yield from self.extraction(dataset, model)
            for layer in self.study.layers(model):
                yield from self.layer(dataset, model, layer)
            yield from self.concepts(dataset, model)
            yield from self.scores(dataset, model)

    def extraction(self, dataset: str, model: str) -> Iterator[Cost]:
        files = {}
        for layer in self.study.layers(model):
            units, height, width = self.networks[model].shapes[layer] if model in self.networks else (0, 0, 0)
            files[self.paths.features(dataset, model, layer)] = units * 4
            if self.uses("concepts", dataset) and layer in self.study.kept(model):
                files[self.paths.maps(dataset, model, layer)] = units * height * width * 2
        anew, shards = self.is_untrained(model), self.study.datasets[dataset].shards
        files = {file: size for file, size in files.items() if anew or not self.exists(file)}
        images = self.datasets[dataset].images / shards
        for number in range(1, shards + 1):
            # Shards of a file that was not finished may be there already.
            new = [size for file, size in files.items() if anew or not self.exists(shard_path(file, number, shards))]
            if new:
                seconds = START_NETWORK + images * self.networks[model].seconds
                yield Cost("", round(images), 1, seconds, round(images * sum(new)))
        if shards > 1 and files:
            yield Cost("", 0, len(files), len(files) * START_ARRAYS)

    def layer(self, dataset: str, model: str, layer: str) -> Iterator[Cost]:
        new, images = self.is_new(dataset, model, layer), self.datasets[dataset].images
        tally, basis = self.paths.tally(dataset, model, layer), self.paths.basis(dataset, model, layer)
        if self.uses("concepts", dataset) and (new or not self.exists(tally)):
            self.touched |= {("concepts", dataset), ("lce", dataset)}
            units, height, width = self.networks[model].shapes[layer]
            concepts = self.study.analyses.concepts
            pairings = 1 + concepts.shuffles + concepts.rotations
            active = images * units * self.datasets[dataset].pixels * concepts.tail * pairings
            if layer == next(iter(self.study.streamed(model)), None):
                # Two passes of the network serve all layers whose maps are not stored.
                passes = 2 * (START_NETWORK + images * self.networks[model].seconds)
                yield Cost("", 2 * images, 2, passes)
            seconds = active * ACTIVE_PIXEL + images * units * height * width * MAP_VALUE
            yield Cost("", 0, 1, START_ARRAYS + seconds, units * 2**12)
        lce = self.study.analyses.lce
        drawn = lce.variant == "soft_auroc" and self.uses("lce", dataset)
        drawn = drawn and layer == lce.layers.get(model, self.study.layers(model)[-1])
        if drawn and (new or not self.exists(self.paths.resampled_auroc(dataset, model))):
            self.touched.add(("lce", dataset))
            values = images * self.networks[model].shapes[layer][0] * self.study.analyses.concepts.folds
            yield Cost("", 0, 1, START_ARRAYS + values * DRAWN_VALUE, 2**20)
        named_layer = self.study.analyses.clip_dissect.layers.get(model, self.study.layers(model)[-1])
        named = self.uses("clip_dissect", dataset) and layer == named_layer
        if named and (new or not self.exists(self.paths.clip_dissection(dataset, model, layer))):
            self.touched.add(("clip_dissect", dataset))
            yield Cost("", 0, 1, START_ARRAYS + 8.0, 2**26)
        if self.uses("similarity", dataset) and (new or not self.exists(basis)):
            self.touched.add(("similarity", dataset))
            units, images = self.networks[model].shapes[layer][0], self.compared_images(dataset)
            small = min(images, units)
            steps = 8 * images * units * small + 2 * images**2 * units
            width_bytes = 8 if self.study.analyses.similarity.basis_dtype == "float64" else 4
            yield Cost("", 0, 1, START_ARRAYS + steps / self.rate, images * small * width_bytes)

    def concepts(self, dataset: str, model: str) -> Iterator[Cost]:
        """What is done once for all layers of a model, besides the tallies."""
        layers, images = self.study.layers(model), self.datasets[dataset].images
        new = any(self.is_new(dataset, model, layer) for layer in layers)
        if self.uses("concepts", dataset) and (new or not self.exists(self.paths.auroc(dataset, model))):
            self.touched.add(("concepts", dataset))
            units = sum(self.networks[model].shapes[layer][0] for layer in layers)
            yield Cost("", 0, 1, START_ARRAYS + images * units * RANKED_VALUE, units * 2**10)
        last = [self.paths.tally(dataset, model, layers[-1]), self.paths.compositions(dataset, model)]
        new = self.is_new(dataset, model, layers[-1]) or not all(map(self.exists, last))
        if self.uses("concepts", dataset) and self.composes and new:
            self.touched.add(("concepts", dataset))
            units = self.networks[model].shapes[layers[-1]][0]
            pixels = images * units * self.datasets[dataset].pixels * self.study.analyses.concepts.tail
            yield Cost("", 0, 1, START_ARRAYS + pixels * FORMULA_PIXEL + units * FORMULA_UNIT, units * 2**6)

    def scores(self, dataset: str, model: str) -> Iterator[Cost]:
        layers, size = self.study.layers(model), self.datasets[dataset]
        new = any(self.is_new(dataset, model, layer) for layer in layers)
        if not self.uses("probe", dataset):
            return
        probe = new or not self.exists(self.paths.probe(dataset, model))
        quality = probe or not self.exists(self.paths.quality(dataset, model))
        if not quality:
            return
        units = sum(self.networks[model].shapes[layer][0] for layer in layers)
        neighbours = 2 * size.images**2 * units
        if probe:
            self.touched |= {("probe", dataset), ("lce", dataset)}
            images = min(size.images, self.study.analyses.probe.max_train_images)
            fits = (len(self.study.analyses.probe.penalties) + 1) * PROBE_ITERATIONS
            steps = fits * 4 * images * units * max(size.classes, 2) + neighbours
            values = size.images * max(size.classes, 2) * len(layers)
            yield Cost("", 0, 1, START_STATISTICS + steps / self.rate, values * 4)
        if self.uses("quality", dataset):
            self.touched.add(("quality", dataset))
            yield Cost("", 0, 1, START_STATISTICS + 2 * neighbours / self.rate, size.images * units)

    def together(self) -> Iterator[Cost]:
        """Pairs and summaries; call after `model` has told what else runs."""
        for dataset in self.study.datasets_for("similarity"):
            for first, second in self.study.pairs():
                if self.is_pair_new(dataset, first, second):
                    self.touched.add(("similarity", dataset))
                    yield self.pair(dataset, first, second)
        for dataset in self.study.datasets_for("unit_matching"):
            for first, second in self.study.pairs():
                if first != second and self.is_match_new(dataset, first, second):
                    self.touched.add(("unit_matching", dataset))
                    yield self.match(dataset, first, second)
        anything = bool(self.touched)
        for analysis, (others, figures, seconds) in SUMMARIES.items():
            for dataset in self.study.datasets_for(analysis):
                table = self.paths.table(analysis, "findings", dataset)
                if (analysis, dataset) in self.touched or not self.exists(table):
                    anything = True
                    start = others * START_ARRAYS + figures * START_FIGURES
                    yield Cost("", 0, others + figures, start + seconds)
        if anything or not self.exists(self.paths.report):
            yield Cost("", 0, 1, START_ARRAYS + 2.0)

    def is_pair_new(self, dataset: str, first: str, second: str) -> bool:
        return not self.exists(self.paths.pair(dataset, first, second)) or any(
            self.is_new(dataset, model, layer) or not self.exists(self.paths.basis(dataset, model, layer))
            for model in {first, second}
            for layer in self.study.layers(model)
        )

    def pair(self, dataset: str, first: str, second: str) -> Cost:
        images, steps = self.compared_images(dataset), 0.0
        for one in self._ranks(dataset, first):
            for other in self._ranks(dataset, second):
                steps += 2 * images * one * other + 10 * min(one, other) ** 2 * max(one, other)
        return Cost("", 0, 1, START_ARRAYS + steps / self.rate, 2**16)

    def is_match_new(self, dataset: str, first: str, second: str) -> bool:
        return not self.exists(self.paths.matches(dataset, first, second)) or any(
            self.is_new(dataset, model, self.matched_layer(model)) for model in (first, second)
        )

    def matched_layer(self, model: str) -> str:
        return self.study.analyses.unit_matching.layers.get(model, self.study.layers(model)[-1])

    def match(self, dataset: str, first: str, second: str) -> Cost:
        matching = self.study.analyses.unit_matching
        # Of a model that was not measured, since it is finished, usual maps.
        one, other = (
            self.networks[model].shapes[self.matched_layer(model)] if model in self.networks else (512, 7, 7)
            for model in (first, second)
        )
        images = min(self.datasets[dataset].images, matching.images or self.datasets[dataset].images)
        positions = min(one[1], other[1]) * min(one[2], other[2]) if matching.over == "maps" else 1
        read = images * sum(units * height * width for units, height, width in (one, other)) * MAP_VALUE
        steps = 2 * images * positions * one[0] * other[0] * (1 + matching.shuffles)
        return Cost("", 0, 1, START_ARRAYS + read + steps / self.rate, 2**15)

    def compared_images(self, dataset: str) -> int:
        """Images on which representations are compared."""
        images = self.datasets[dataset].images
        return min(images, self.study.analyses.similarity.images or images)

    def _ranks(self, dataset: str, model: str) -> list[int]:
        """Directions of each layer; of a model that was not measured, since it is finished, a usual width."""
        images = self.compared_images(dataset)
        if model not in self.networks:
            return [min(images, 512)] * len(self.study.layers(model))
        return [min(images, shape[0]) for shape in self.networks[model].shapes.values()]


def format_costs(costs: Sequence[Cost], everything: Cost) -> str:
    """The costs as aligned text, with a last line for the total."""
    lines = [("", "images", "jobs", "work", "disk")]
    for cost in [*costs, everything]:
        lines.append((cost.name, f"{cost.images:,}", f"{cost.jobs:,}", clock(cost.seconds), in_bytes(cost.bytes)))
    return aligned(lines)


def _sum(name: str, costs: Iterable[Cost]) -> Cost:
    return sum(costs, Cost(name))
