"""What the concepts say, in sentences that carry their intervals and controls and claim no more than these support.

Models are compared at their main layers. Differences are taken fold by fold on the same images, so what varies between
images and is common to both models cancels.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from intermodel.concepts.scores import CLEAR
from intermodel.concepts.survival import LEAST
from intermodel.concepts.tables import Layer

# Names that one sentence lists at most.
LISTED = 6


def findings(layers: Sequence[Layer]) -> list[tuple[str, str]]:
    """Sentences on how many concepts each model detects, which are its own, and how far that is from chance.

    Parameters
    ----------
    layers
        All layers of all models on one data set.

    Returns
    -------
    list of (str, str)
        Each sentence with the name of the table that it rests on.
    """
    main = [layer for layer in layers if layer.main]
    trained = [layer for layer in main if not layer.control]
    controls = [layer for layer in main if layer.control]
    if not trained:
        return []
    statements = {
        "summary.csv": [
            *_most(trained),
            *_against_controls(trained, controls),
            *_against_chance(main),
            *_at_fdr(main),
            *_rotated(main),
        ],
        "concepts.csv": [*_only_one(trained, controls), *_shared(trained, controls), *_reach(trained)],
        "units.csv": [*_categories(main), *_stability(trained), *_without_thresholds(main)],
        "compositions.csv": _by_formulas(main),
    }
    return [(statement, table) for table, found in statements.items() for statement in found]


def warnings(layers: Sequence[Layer]) -> list[str]:
    """What a reader must know about single layers before believing their numbers."""
    return [f"{layer.title}, {layer.layer}: {warning}" for layer in layers for warning in layer.warnings]


def _most(trained: Sequence[Layer]) -> list[str]:
    ranked = sorted(trained, key=lambda layer: -_concepts(layer))
    best = ranked[0]
    if _concepts(best) == 0:
        return ["No unit of any trained model detects a concept."]
    units = len(best.concepts.dead)
    text = (
        f"{best.title} detects {_with_interval(best)} different concepts of the "
        f"{int(best.concepts.reachable.sum())} within its reach, with {int(best.concepts.detector.sum())} of its "
        f"{units} units"
    )
    if len(ranked) == 1:
        return [f"{text}."]
    second = ranked[1]
    difference, low, high = _difference(best, second)
    if difference == 0:
        return [f"{text}, as many as {second.title} with {_with_interval(second)}."]
    return [
        f"{text}: the most of {_number(len(trained))} trained models. The next is {second.title} with "
        f"{_with_interval(second)}; the difference of {difference:.0f} ({_range(low, high)}) is "
        f"{'larger than' if low > 0 else 'within'} what other images of this kind would change."
    ]


def _against_controls(trained: Sequence[Layer], controls: Sequence[Layer]) -> list[str]:
    result = []
    for control in controls:
        more = [layer for layer in trained if _difference(layer, control)[1] > 0]
        fewer = [layer for layer in trained if _difference(layer, control)[2] < 0]
        name = f" {control.title}" if len(controls) > 1 else ""
        text = f"The untrained control{name} detects {_with_interval(control)} concepts; "
        if len(more) == len(trained):
            text += "every trained model detects more" if len(trained) > 1 else "the trained model detects more"
        elif more:
            text += f"{_titles(more)} {'detects' if len(more) == 1 else 'detect'} more"
        else:
            text += "no trained model detects clearly more"
        if fewer:
            text += f", {_titles(fewer)} fewer"
        undecided = len(trained) - len(more) - len(fewer)
        if undecided and (more or fewer):
            text += f", for the other {_number(undecided)} the difference is within its interval"
        result.append(f"{text}.")
    return result


def _against_chance(main: Sequence[Layer]) -> list[str]:
    judged = [(layer, layer.concepts.chance) for layer in main if layer.concepts.chance is not None]
    if not judged:
        return []
    parts = [
        f"{layer.title} {int(layer.concepts.detector.sum())} ({int(layer.concepts.sure.sum())}) against "
        f"{chance.detectors.mean():.3g}"
        for layer, chance in judged
        if chance is not None
    ]
    return [
        "Detectors, in brackets those whose whole 95 % interval lies above the threshold, against the number that is "
        f"left when images meet the label maps of other images: {'; '.join(parts)}."
    ]


def _at_fdr(main: Sequence[Layer]) -> list[str]:
    """How many units would pass if the IoU were set by the wrong pairings."""
    judged = [layer for layer in main if layer.concepts.chance is not None]
    if not judged:
        return []
    parts = [
        f"{layer.title} {int((layer.concepts.labels.iou > layer.concepts.iou_at_fdr).sum())} of "
        f"{len(layer.concepts.dead)} (above {layer.concepts.iou_at_fdr:.3f})"
        for layer in judged
    ]
    return [
        f"Units that know something about their concept, counted above the IoU from which at most "
        f"{judged[0].concepts.fdr:.0%} false discoveries are to be expected: {'; '.join(parts)}."
    ]


def _rotated(main: Sequence[Layer]) -> list[str]:
    """What the axes of each layer detect beyond what any basis of the same space detects."""
    judged = [(layer, rotated) for layer in main if (rotated := layer.concepts.rotated) is not None]
    if not judged:
        return []
    number = len(judged[0][1].concepts)
    parts, more, fewer = [], [], []
    for layer, rotated in judged:
        beyond = layer.concepts.beyond_rotated("concepts")
        interval = "" if np.isnan(beyond.low) else f" ({_range(beyond.low, beyond.high)})"
        parts.append(
            f"{layer.title} {_concepts(layer)} with its own axes, {rotated.concepts.mean():.3g} rotated, a difference "
            f"of {beyond.estimate:.3g}{interval}"
        )
        more += [layer] if beyond.low > 0 else []
        fewer += [layer] if beyond.high < 0 else []
    text = (
        f"Different concepts before and after {_number(number)} random rotation{'' if number == 1 else 's'} of the "
        f"units: {'; '.join(parts)}. What survives is a property of the space, the rest of its axes. "
    )
    if number < LEAST:
        return [f"{text}So few rotations do not tell how far one differs from the next: there are no intervals."]
    told = [f"{word}: {_titles(group)}" for group, word in ((more, "more"), (fewer, "fewer")) if group]
    if not told:
        return [f"{text}No difference exceeds what other images and other rotations change."]
    return [f"{text}Beyond what other images and other rotations change, own axes detect {', '.join(told)}."]


def _only_one(trained: Sequence[Layer], controls: Sequence[Layer]) -> list[str]:
    """Concepts whose interval lies above the threshold in one model and below it in all others within reach."""
    if len(trained) < 2:
        return []
    everyone = [*trained, *controls]
    sure = np.stack([_surely_detected(layer) for layer in everyone])
    absent = np.stack([_surely_absent(layer) for layer in everyone])
    found = np.stack([layer.concepts.units[0] > 0 for layer in everyone])
    result = []
    open_cases = 0
    for row, layer in enumerate(trained):
        others = np.arange(len(everyone)) != row
        own = np.asarray(sure[row] & found[row] & absent[others].all(axis=0))
        alone = found[row] & ~found[others].any(axis=0)
        open_cases += int((alone & ~own).sum())
        if own.any():
            result.append(
                f"Only {layer.title} detects {_names(layer, own)}: its interval lies above the threshold, those of all "
                "other models below."
            )
    if open_cases:
        result.append(
            f"{_number(open_cases).capitalize()} further concept{_s(open_cases)} "
            f"{'has' if open_cases == 1 else 'have'} detectors in one model alone, but the intervals do not rule "
            "out others."
        )
    return result


def _shared(trained: Sequence[Layer], controls: Sequence[Layer]) -> list[str]:
    if len(trained) < 2:
        return []
    everywhere = np.asarray(np.stack([_surely_detected(layer) for layer in trained]).all(axis=0))
    text = f"{'Both' if len(trained) == 2 else f'All {_number(len(trained))}'} trained models detect "
    if not everywhere.any():
        return [f"{text}no concept in common whose interval lies above the threshold in each."]
    text += _names(trained[0], everywhere)
    if controls:
        also = everywhere & np.stack([layer.concepts.units[0] > 0 for layer in controls]).any(axis=0)
        text += (
            f"; {'all' if (also == everywhere).all() else _number(int(also.sum()))} of these "
            f"{'is' if also.sum() == 1 else 'are'} detected without training, too"
            if also.any()
            else "; none of these is detected without training"
        )
    return [f"{text}."]


def _categories(main: Sequence[Layer]) -> list[str]:
    parts = []
    for layer in main:
        counts = layer.concepts.counts("detectors").estimate[1:]
        if counts.sum() > 0:
            k = int(counts.argmax())
            parts.append(
                f"{layer.title} {layer.concepts.vocabulary.categories[k]} "
                f"({int(counts[k])} of {int(counts.sum())} detectors)"
            )
    return [f"Most frequent category of what is detected: {'; '.join(parts)}."] if parts else []


def _reach(trained: Sequence[Layer]) -> list[str]:
    first = trained[0].concepts
    out = first.present & ~np.stack([layer.concepts.reachable for layer in trained]).any(axis=0)
    if not out.any():
        return []
    share = np.where(out, first.total.label_area / max(int(first.total.pixels), 1), -1.0)
    largest = int(share.argmax())
    return [
        f"{int(out.sum())} of {int(first.present.sum())} concepts are out of reach of every unit whatever it has "
        f"learned, because they cover too much or too little of the images (for instance "
        f"{first.vocabulary.names[largest]} with {share[largest]:.1%} of the pixels)."
    ]


def _stability(trained: Sequence[Layer]) -> list[str]:
    shares = {
        layer.title: layer.concepts.halves_agree[layer.concepts.detector].mean()
        for layer in trained
        if layer.concepts.detector.any()
    }
    if not shares:
        return []
    low, high = min(shares, key=lambda title: shares[title]), max(shares, key=lambda title: shares[title])
    text = f"{shares[low]:.0%}"
    if low != high:
        text = f"between {text} ({low}) and {shares[high]:.0%} ({high})"
    return [f"Of the detectors, {text} get the same label from each of two disjoint halves of the images."]


def _without_thresholds(main: Sequence[Layer]) -> list[str]:
    """What mean activations tell, also of the units and concepts that IoU does not see."""
    judged = [(layer, layer.scores) for layer in main if layer.scores is not None]
    if not judged:
        return []
    parts = [
        f"{layer.title} {int(scores.clear.sum())} of {len(scores.concept)} "
        f"({int((scores.clear & ~layer.concepts.detector).sum())})"
        for layer, scores in judged
    ]
    return [
        "Units whose mean activation tells images with some concept from those without (AUROC of at least "
        f"{CLEAR:g} or at most {1 - CLEAR:g}), in brackets those that are no detectors: {'; '.join(parts)}."
    ]


def _by_formulas(main: Sequence[Layer]) -> list[str]:
    """How much formulas add to single labels, and for how many units that is more than a better choice."""
    judged = [(layer, layer.compositions) for layer in main if layer.compositions is not None]
    if not judged:
        return []
    parts = [
        f"{layer.title} {np.median(found.iou):.3f} instead of {np.median(found.single_iou):.3f} "
        f"({int(found.holds.sum())} of {len(found.iou)})"
        for layer, found in judged
    ]
    return [
        "Median IoU of units with the best formula of several labels instead of the best label, in brackets the units "
        f"whose formula is better also on images that it was not found on: {'; '.join(parts)}."
    ]


def _concepts(layer: Layer) -> int:
    return int((layer.concepts.units[0] > 0).sum())


def _with_interval(layer: Layer) -> str:
    counts = layer.concepts.counts("concepts")
    low, high = max(float(counts.low[0]), 0.0), float(counts.high[0])
    return f"{int(counts.estimate[0])} ({_range(low, high)})" if np.isfinite(low) else f"{int(counts.estimate[0])}"


def _difference(first: Layer, second: Layer) -> tuple[float, float, float]:
    """Different concepts of the first minus those of the second, with the ends of the 95 % interval."""
    a, b = first.concepts, second.concepts
    result = a.interval_of(
        a.counts("concepts").estimate[0] - b.counts("concepts").estimate[0],
        (a.count_replicates("concepts") - b.count_replicates("concepts"))[:, 0],
    )
    return float(result.estimate), float(result.low), float(result.high)


def _surely_detected(layer: Layer) -> NDArray[np.bool_]:
    best = layer.concepts.best
    return np.asarray((layer.concepts.units[0] > 0) & (np.nan_to_num(best.low) > layer.concepts.iou_threshold))


def _surely_absent(layer: Layer) -> NDArray[np.bool_]:
    """Labels that are within reach and yet whose best unit stays below the threshold, interval included."""
    result = layer.concepts
    return np.asarray(result.reachable & (np.nan_to_num(result.best.high, nan=1.0) < result.iou_threshold))


def _names(layer: Layer, chosen: NDArray[np.bool_]) -> str:
    """Chosen concepts with their categories, highest IoU first."""
    result = layer.concepts
    order = np.argsort(-np.nan_to_num(result.best.estimate), kind="stable")
    columns = [int(c) for c in order if chosen[c]]
    names = [
        f"{result.vocabulary.names[c]} ({result.vocabulary.categories[result.vocabulary.category[c]]})"
        for c in columns[:LISTED]
    ]
    rest = len(columns) - len(names)
    return _list([*names, f"{rest} more"] if rest else names)


def _titles(layers: Sequence[Layer]) -> str:
    return _list([layer.title for layer in layers])


def _list(names: Sequence[str]) -> str:
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"


def _range(low: float, high: float) -> str:
    return f"95 % interval {low:.0f} to {high:.0f}"


def _number(count: int) -> str:
    words = ("no", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten")
    return words[count] if count < len(words) else str(count)


def _s(count: int) -> str:
    return "" if count == 1 else "s"
