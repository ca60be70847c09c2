"""Compositional explanations of all units of a layer, and whether they hold on images that they were not found on."""

from __future__ import annotations

import json
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from intermodel.concepts.active_sets import ActiveSets, active_sets
from intermodel.concepts.composition import UnitPixels, explain
from intermodel.concepts.composition_files import Compositions, write_compositions
from intermodel.concepts.files import open_patterns, visible_boxes
from intermodel.concepts.formulas import Census, Formula
from intermodel.concepts.label_sets import LabelSets, label_sets, pattern_pixels
from intermodel.concepts.sums import folds_of
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
        As for `composition.explain`.

    Raises
    ------
    UserError
        If maps, label maps and tally were made from different states of the data set.
    """
    with open_file(tally) as file:
        require(file, "threshold", "images")
        about_tally, threshold, folds = plain_attributes(file), file["threshold"][...], len(file["images"])
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
        sets = label_sets(known)
        part = folds_of(known.ids, folds) % PARTS
        level = None if np.isnan(threshold).all() else threshold
        active = active_sets(source, known, sets, level, part, boxes)
        pixels = pattern_pixels(known, boxes)
        owner = np.repeat(part, np.diff(known.pattern_offset))
        counts = np.stack([sets.count(np.where(owner == number, pixels, 0)) for number in range(PARTS)])
        found = compose(active, sets, counts, about_tally["layer"], known.vocabulary.titles, length, beam)
        write_compositions(path, found, known.vocabulary, longest=length, beam=beam)


def compose(
    active: ActiveSets,
    sets: LabelSets,
    pixels: NDArray[np.int64],
    layer: str,
    names: Sequence[str],
    length: int = 3,
    beam: int = 5,
) -> Compositions:
    """Explain every unit from all images, and from all but a part of them to see what holds on that part.

    Parameters
    ----------
    active
        Active pixels of the units by sets of labels, in each of the parts of the images.
    sets, pixels
        The sets, and (parts, D) the pixels that carry each.
    layer, names
        What the layer and the labels are called.
    length, beam
        As for `composition.explain`.
    """
    whole, parts, rests = Census.of_parts(sets, pixels)
    units = len(active.offset) - 1
    words = np.full((2, units), "", dtype=object)
    lengths, iou = np.zeros(units, dtype=np.int64), np.zeros((2, units))
    gain = np.full((units, len(parts)), np.nan)
    for unit in range(units):
        chosen, count = active.of(unit)
        everything = UnitPixels.of(sets, chosen, count.sum(axis=0))
        single, best = explain(everything, whole, 1, 1), explain(everything, whole, length, beam)
        if not best:
            continue
        for row, each in enumerate((best[0], single[0])):
            words[row, unit], iou[row, unit] = each.formula.text(names), each.iou
        lengths[unit] = len(best[0].formula)
        for number, (part, rest) in enumerate(zip(parts, rests, strict=True)):
            left_out = everything.only(count[number])
            others = everything.only(count.sum(axis=0) - count[number])
            single, best = explain(others, rest, 1, 1), explain(others, rest, length, beam)
            if best and left_out.total > 0:
                formula, label = best[0].formula, single[0].formula
                gain[unit, number] = _measured(formula, left_out, part) - _measured(label, left_out, part)
    text = words.astype(np.str_)
    return Compositions(layer, text[0], text[1], lengths, iou[0], iou[1], *mean_and_error(gain))


def mean_and_error(values: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Mean of each row and its standard error; NaN for rows with fewer than three known values."""
    known = ~np.isnan(values)
    count = np.where(known.sum(axis=1) >= 3, known.sum(axis=1), np.nan)
    mean = np.where(known, values, 0.0).sum(axis=1) / count
    spread = np.where(known, values - mean[:, None], 0.0)
    return mean, np.sqrt((spread**2).sum(axis=1) / (count - 1) / count)


def _measured(formula: Formula, unit: UnitPixels, census: Census) -> float:
    """IoU beyond that of a unit that is active on as many pixels anywhere.

    A formula that covers more has a higher IoU with anything: without this, noise would gain by every OR.
    """
    shared, size = unit.shared(formula), census.size(formula)
    by_chance = unit.total * size / max(census.total, 1)
    return shared / (unit.total + size - shared) - by_chance / (unit.total + size - by_chance)
