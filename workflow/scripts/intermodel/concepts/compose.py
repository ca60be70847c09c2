"""Compositional explanations of all units of a layer, and whether they hold on images that they were not found on."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import fields

import h5py
import numpy as np
from numpy.typing import NDArray

from intermodel.concepts.composition import Explanation, Search
from intermodel.concepts.composition_files import Compositions, write_compositions
from intermodel.concepts.files import open_patterns, visible_boxes
from intermodel.concepts.formula_counts import FormulaCounts
from intermodel.concepts.sums import Sums, folds_of
from intermodel.engine.errors import UserError
from intermodel.store import Maps, PathLike, align, open_file, plain_attributes, require

# Parts of the images, each of which judges what was found on the others.
PARTS = 4


def compose_layer(
    maps: PathLike, patterns: PathLike, tally: PathLike, path: PathLike, *, length: int, beam: int
) -> None:
    """Explain the units of a layer by formulas of labels and write the result.

    Parameters
    ----------
    maps, patterns, tally
        Files of the layer's maps, of the data set's label maps, and of the layer's tally, which holds the thresholds.
    path
        The file to write.
    length, beam
        As for `composition.Search`.

    Raises
    ------
    UserError
        If maps, label maps and tally were made from different states of the data set.
    """
    with open_file(tally) as file:
        require(file, "threshold", *(each.name for each in fields(Sums)))
        about_tally, threshold, folds = plain_attributes(file), file["threshold"][...], len(file["images"])
        sums = _of_parts(file)
    with Maps(maps) as source, open_patterns(patterns) as (known, about):
        for file, attributes in ((maps, source.attributes), (tally, about_tally)):
            if attributes.get("dataset_fingerprint") != about["dataset_fingerprint"]:
                raise UserError(
                    f"{file} and {patterns} were made from different states of the data set; delete both and run again."
                )
        rows = align(source.ids, known.ids, str(patterns))
        if not np.array_equal(rows, np.arange(len(rows))):
            known = known.take(rows)
        seen = json.loads(source.attributes["preprocessing"])
        boxes = visible_boxes(seen, about["width"][rows], about["height"][rows], known.size)
        part = folds_of(known.ids, folds) % PARTS
        level = None if np.isnan(threshold).all() else threshold
        counts = FormulaCounts(source, known, level, part, boxes)
        found = compose(sums, counts, about_tally["layer"], known.vocabulary.titles, length, beam)
        write_compositions(path, found, known.vocabulary, longest=length, beam=beam)


def compose(
    sums: Sums,
    counts: FormulaCounts,
    layer: str,
    names: Sequence[str],
    length: int = 3,
    beam: int = 5,
) -> Compositions:
    """Explain every unit from all images, and from all but a part of them to see what holds on that part.

    Parameters
    ----------
    sums
        The layer's tally, parts of the images on the leading axis.
    counts
        Counts the same images, in the same parts.
    layer, names
        What the layer and the labels are called.
    length, beam
        As for `composition.Search`.
    """
    parts, units = sums.unit_area.shape
    # All images, then all but one part each.
    views = np.concatenate([np.ones((1, parts)), 1 - np.eye(parts)])
    rounds = list(Search(sums, counts, views, beam).explain(length))
    words = np.full((2, units), "", dtype=object)
    lengths, iou = np.zeros(units, dtype=np.int64), np.zeros((2, units))
    gain = np.full((units, parts), np.nan)
    for unit, (single, best) in enumerate(zip(rounds[0], rounds[-1], strict=True)):
        if not best[0]:
            continue
        for row, each in enumerate((best[0][0], single[0][0])):
            words[row, unit], iou[row, unit] = each.formula.text(names), each.iou
        lengths[unit] = len(best[0][0].formula)
        for part in range(parts):
            active = int(sums.unit_area[part, unit])
            if active and best[1 + part]:
                formula, label = (
                    _measured(each[1 + part][0], part, active, int(sums.pixels[part])) for each in (best, single)
                )
                gain[unit, part] = formula - label
    text = words.astype(np.str_)
    return Compositions(layer, text[0], text[1], lengths, iou[0], iou[1], *mean_and_error(gain))


def _of_parts(file: h5py.File) -> Sums:
    """The sums of a tally with parts of the images on the leading axis; folds are read one by one."""
    result = {}
    for each in fields(Sums):
        folds = file[each.name]
        result[each.name] = np.zeros((PARTS, *folds.shape[1:]), dtype=np.int64)
        for fold in range(len(folds)):
            result[each.name][fold % PARTS] += folds[fold]
    return Sums(**result)


def mean_and_error(values: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Mean of each row and its standard error; NaN for rows with fewer than three known values."""
    known = ~np.isnan(values)
    count = np.where(known.sum(axis=1) >= 3, known.sum(axis=1), np.nan)
    mean = np.where(known, values, 0.0).sum(axis=1) / count
    spread = np.where(known, values - mean[:, None], 0.0)
    return mean, np.sqrt((spread**2).sum(axis=1) / (count - 1) / count)


def _measured(found: Explanation, part: int, active: int, pixels: int) -> float:
    """IoU on one part of the images beyond that of a unit that is active on as many pixels anywhere.

    A formula that covers more has a higher IoU with anything: without this, noise would gain by every OR.
    """
    shared, size = int(found.shared[part]), int(found.size[part])
    by_chance = active * size / max(pixels, 1)
    return shared / (active + size - shared) - by_chance / (active + size - by_chance)
