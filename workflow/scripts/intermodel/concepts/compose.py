"""Compositional explanations of all units of a layer, and whether they hold on images that they were not found on."""

from __future__ import annotations

import json
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from intermodel.concepts.active_sets import ActiveSets, active_sets
from intermodel.concepts.composition import UnitPixels, explain
from intermodel.concepts.composition_files import Compositions, write_compositions
from intermodel.concepts.files import open_patterns, read_tally, visible_boxes
from intermodel.concepts.formulas import Census, Formula
from intermodel.concepts.label_sets import LabelSets, label_sets, pattern_pixels
from intermodel.concepts.sums import folds_of
from intermodel.engine.errors import UserError
from intermodel.store import Maps, PathLike, align, read_attributes


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
    about_tally = read_attributes(tally)
    counted = read_tally(tally)
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
        half = folds_of(known.ids, len(counted.folds)) % 2
        threshold = None if np.isnan(counted.threshold).all() else counted.threshold
        active = active_sets(source, known, sets, threshold, half, boxes)
        pixels = pattern_pixels(known, boxes)
        owner = np.repeat(half, np.diff(known.pattern_offset))
        counts = np.stack([sets.count(np.where(owner == part, pixels, 0)) for part in range(2)])
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
    """Explain every unit from all images, and from either half of them to see what holds on the other.

    Parameters
    ----------
    active
        Active pixels of the units by sets of labels, two parts.
    sets, pixels
        The sets, and (2, D) the pixels that carry each in both parts.
    layer, names
        What the layer and the labels are called.
    length, beam
        As for `composition.explain`.
    """
    whole, halves = Census(sets, pixels.sum(axis=0)), [Census(sets, part) for part in pixels]
    units = len(active.offset) - 1
    words = np.full((2, units), "", dtype=object)
    lengths, iou, gain = np.zeros(units, dtype=np.int64), np.zeros((2, units)), np.full(units, np.nan)
    for unit in range(units):
        chosen, count = active.of(unit)
        everything = UnitPixels.of(sets, chosen, count.sum(axis=0))
        single, best = explain(everything, whole, 1, 1), explain(everything, whole, length, beam)
        if not best:
            continue
        for row, each in enumerate((best[0], single[0])):
            words[row, unit], iou[row, unit] = each.formula.text(names), each.iou
        lengths[unit] = len(best[0].formula)
        parts = [everything.only(count[part]) for part in range(2)]
        gain[unit] = np.mean(
            [_gain(parts[a], halves[a], parts[b], halves[b], length, beam) for a, b in ((0, 1), (1, 0))]
        )
    text = words.astype(np.str_)
    return Compositions(layer, text[0], text[1], lengths, iou[0], iou[1], gain)


def _gain(
    found_on: UnitPixels, found_in: Census, measured_on: UnitPixels, measured_in: Census, length: int, beam: int
) -> float:
    """What the best formula adds to the best label, both found on one half and measured on the other."""
    single, best = explain(found_on, found_in, 1, 1), explain(found_on, found_in, length, beam)
    if not best or measured_on.total == 0:
        return float("nan")
    return _measured(best[0].formula, measured_on, measured_in) - _measured(single[0].formula, measured_on, measured_in)


def _measured(formula: Formula, unit: UnitPixels, census: Census) -> float:
    """IoU beyond that of a unit that is active on as many pixels anywhere.

    A formula that covers more has a higher IoU with anything: without this, noise would gain by every OR.
    """
    shared, size = unit.shared(formula), census.size(formula)
    by_chance = unit.total * size / max(census.total, 1)
    return shared / (unit.total + size - shared) - by_chance / (unit.total + size - by_chance)
