"""How much a similarity would change with other images: random halves of them, factorised anew."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np
from numpy.typing import NDArray

from intermodel.engine.errors import UserError
from intermodel.engine.progress import progress
from intermodel.engine.seeds import derive_seed
from intermodel.similarity.catalogue import measure_names
from intermodel.similarity.measures import compare
from intermodel.similarity.representation import represent
from intermodel.statistics.folds import chosen_images
from intermodel.store import align, create, read_attributes, read_pooled, write_strings

PathLike = str | os.PathLike[str]


@dataclass(frozen=True)
class StandardErrors:
    """Standard errors of all measures of all pairs of representations.

    Attributes
    ----------
    pairs
        Positions (i, j), i < j, in the order of the rows.
    names
        Measures, in the order of the columns.
    values
        (pairs, measures): of the null-adjusted value where the null mean is known, of the value itself elsewhere;
        NaN where a measure is undefined or saturated in some half.
    adjusted
        Which of the two it is, (measures,) bool.
    """

    pairs: list[tuple[int, int]]
    names: list[str]
    values: NDArray[np.float64]
    adjusted: NDArray[np.bool_]


def standard_errors(
    representations: Sequence[NDArray[np.floating]],
    measures: Sequence[str],
    variance: Sequence[float],
    neighbours: int,
    subsamples: int,
    seed: int,
) -> StandardErrors:
    """Standard errors of similarities over images, from halves drawn without replacement.

    The spread over halves of a sample estimates the spread of the whole over samples: the delete-half jackknife,
    whose factor sqrt(m / (N - m)) is 1. Drawing with replacement would repeat images, which inflates canonical
    correlations and makes an image its own neighbour. Every half is centred and factorised anew, so that the choice
    of directions counts as well; holding them fixed gives errors of about half the size. The chance level of each
    half is subtracted, since it is higher with fewer images.

    Parameters
    ----------
    representations
        Features of the same images in the same order, (N, D_i) each, finite.
    measures, variance
        See `intermodel.similarity.measures.compare`.
    neighbours
        Neighbours k, in halves as in the whole.
    subsamples
        Number of halves.
    seed
        Seed of the halves.

    Notes
    -----
    Every half costs one factorisation of each representation and one comparison of each pair.
    """
    images = len(representations[0])
    names = measure_names(measures, variance)
    pairs = list(combinations(range(len(representations)), 2))
    if not pairs or not subsamples:
        return StandardErrors([], names, np.empty((0, len(names))), np.zeros(len(names), dtype=bool))
    generator = np.random.default_rng(seed)
    value = np.full((subsamples, len(pairs), len(names)), np.nan)
    adjusted = np.full_like(value, np.nan)
    bar: progress[int] = progress(range(subsamples), unit="half", label="Intervals")
    for draw in bar:
        rows = np.sort(generator.permutation(images)[: images // 2])
        halves = [represent(values[rows], neighbours) for values in representations]
        for position, (i, j) in enumerate(pairs):
            found = compare(halves[i], halves[j], measures, variance)
            for column, name in enumerate(names):
                if name not in found.saturated:
                    value[draw, position, column] = found.value[name]
                    adjusted[draw, position, column] = found.adjusted[name]
    use_adjusted: NDArray[np.bool_] = np.asarray(np.isfinite(adjusted).any(axis=(0, 1)))
    values = np.where(use_adjusted, adjusted, value)
    # An odd image makes the halves a little smaller than what they leave out.
    factor = np.sqrt((images // 2) / (images - images // 2))
    return StandardErrors(pairs, names, factor * values.std(axis=0, ddof=1), use_adjusted)


def subsample_similarity(
    features: Sequence[PathLike],
    output: PathLike,
    interval_measures: Sequence[str],
    variance: Sequence[float],
    neighbours: int,
    subsamples: int,
    seed: int,
    images: int | None = None,
) -> None:
    """Write the standard errors of the similarities of one layer of each model.

    Parameters
    ----------
    features
        Feature files, one of each model.
    output
        HDF5: `model_a`, `layer_a`, `model_b`, `layer_b` (P,), a before b in the alphabet; `measure` (m,);
        `standard_error` (P, m); `adjusted` (m,), whether the error is that of the null-adjusted value.
    interval_measures, variance, neighbours, subsamples
        See `standard_errors`; 0 subsamples give a file without pairs.
    seed
        The study's seed.
    images
        Largest number of images used; None uses all.
    """
    if 0 < subsamples < 10:
        raise UserError(f"`subsamples` is {subsamples}, expected 0 or at least 10.")
    files = {path: read_attributes(path) for path in features}
    attributes = sorted(files.values(), key=lambda one: str(one["model"]))
    dataset = str(attributes[0]["dataset"])
    ids: NDArray[np.str_] | None = None
    values = []
    # One file at a time: of large data sets only the chosen rows fit into memory together.
    for path in sorted(files, key=lambda path: str(files[path]["model"])):
        file = read_pooled(path)
        if ids is None:
            ids = file.ids[chosen_images(file.ids, images)]
        values.append(file.values[align(ids, file.ids, f"the feature file of {file.attributes['model']}")])
    assert ids is not None
    errors = standard_errors(
        values,
        interval_measures,
        variance,
        neighbours,
        subsamples,
        derive_seed(seed, "similarity", "halves", dataset),
    )
    with create(output, dataset=dataset, subsamples=subsamples, images=len(ids) // 2, seed=seed) as result:
        for name in ("model", "layer"):
            for side, letter in enumerate("ab"):
                labels = [str(attributes[pair[side]][name]) for pair in errors.pairs]
                write_strings(result, f"{name}_{letter}", labels)
        write_strings(result, "measure", errors.names)
        result["standard_error"] = errors.values
        result["adjusted"] = errors.adjusted
