"""What one layer detects: labels, intervals, counts, reach and chance, all from the sums of its tally."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from intermodel.concepts.chance import Chance, Detection, chance, detection_threshold, iou_at
from intermodel.concepts.iou import Denominator, iou_intervals, iou_matrix
from intermodel.concepts.labels import CONVENTIONS, Labels, assign_labels, detectors, units_per_concept
from intermodel.concepts.reachability import highest_iou
from intermodel.concepts.result import Tally
from intermodel.concepts.stability import label_stability
from intermodel.concepts.sums import Sums
from intermodel.concepts.survival import Range, Survival, survival
from intermodel.concepts.vocabulary import Vocabulary
from intermodel.statistics.jackknife import Jackknife, jackknife_interval


@dataclass(frozen=True)
class LayerConcepts:
    """Concepts of a layer with U units; arrays with an axis of 2 hold the conventions single and category.

    Attributes
    ----------
    vocabulary
        The labels.
    total
        Sums over all images, without intersections of units and labels.
    fold_images
        (G,) images in each fold that holds any.
    threshold
        (U,) thresholds of the units.
    labels
        Best labels.
    interval, category_interval
        Of the IoU with the single label, (U,), and with the best label of each category, (U, K).
    detector
        (U,) whether the unit is a detector of its single label.
    halves_agree
        (U,) whether two disjoint halves of the images (the folds with even and with odd numbers) both give the unit
        its label.
    stability
        (U,) share of bootstrap draws of folds in which the unit keeps its label; NaN without a label.
    units
        (2, L) detectors of each label.
    replicates
        (folds, 2, L) the same without each fold.
    best_unit, best
        (L,) the unit with the highest IoU with each label, and that IoU with its interval.
    highest
        (L,) the IoU that areas alone allow.
    chance
        What wrong pairings detect; None if they were left out.
    iou_threshold
        A unit is a detector above it.
    fdr, iou_at_fdr
        A share of false discoveries, and the IoU above which no more are to be expected (NaN without wrong pairings).
    rotated
        What randomly rotated units detect; None if they were left out.
    """

    vocabulary: Vocabulary
    total: Sums
    fold_images: NDArray[np.int64]
    threshold: NDArray[np.float64]
    labels: Labels
    interval: Jackknife
    category_interval: Jackknife
    detector: NDArray[np.bool_]
    halves_agree: NDArray[np.bool_]
    stability: NDArray[np.float64]
    units: NDArray[np.int64]
    replicates: NDArray[np.int64]
    best_unit: NDArray[np.intp]
    best: Jackknife
    highest: NDArray[np.float64]
    chance: Chance | None
    iou_threshold: float
    fdr: float
    iou_at_fdr: float
    rotated: Survival | None

    @property
    def dead(self) -> NDArray[np.bool_]:
        """(U,) units that are active in no pixel."""
        return np.asarray(self.total.unit_area == 0)

    @property
    def sure(self) -> NDArray[np.bool_]:
        """(U,) detectors whose whole interval lies above the threshold."""
        return np.asarray(self.detector & (np.nan_to_num(self.interval.low) > self.iou_threshold))

    @property
    def reachable(self) -> NDArray[np.bool_]:
        """(L,) labels that some unit could detect, given the areas."""
        return np.asarray(np.nan_to_num(self.highest) > self.iou_threshold)

    @property
    def present(self) -> NDArray[np.bool_]:
        """(L,) labels that some pixel carries."""
        return np.asarray(self.total.label_area > 0)

    def counts(self, what: str, convention: str = "single") -> Jackknife:
        """Detectors or different concepts, over all categories and in each, with intervals.

        Parameters
        ----------
        what
            ``"detectors"`` or ``"concepts"``.
        convention
            ``"single"`` or ``"category"``.

        Returns
        -------
        Jackknife
            Of shape (1 + K,): all, then each category. (With the convention *category* "all" is the sum over
            categories, as in the tables of the 2017 paper: a unit can count more than once.)
        """
        row = CONVENTIONS.index(convention)
        return self.interval_of(self._count(self.units[row], what), self._count(self.replicates[:, row], what))

    def count_replicates(self, what: str, convention: str = "single") -> NDArray[np.int64]:
        """The replicates behind `counts`, (folds, 1 + K); those of layers on the same images are paired."""
        return self._count(self.replicates[:, CONVENTIONS.index(convention)], what)

    def beyond_rotated(self, what: str) -> Range:
        """Detectors or different concepts, with the convention *single*, beyond those of rotated units.

        Raises
        ------
        ValueError
            If the layer was tallied without rotations.
        """
        if self.rotated is None:
            raise ValueError("the layer was tallied without rotations")
        own = self.counts(what)
        return self.rotated.beyond(what, own.estimate[0], own.standard_error[0], len(self.fold_images))

    def interval_of(self, estimate: ArrayLike, replicates: ArrayLike) -> Jackknife:
        """Jackknife over this layer's folds from replicates at hand; NaN bounds with fewer than two folds."""
        if len(self.fold_images) >= 2:
            return jackknife_interval(estimate, replicates, self.fold_images)
        value = np.asarray(estimate, dtype=np.float64)
        nothing = np.full(value.shape, np.nan)
        return Jackknife(value, nothing, nothing, nothing, nothing[None])

    def _count(self, units: NDArray[np.int64], what: str) -> NDArray[np.int64]:
        values = units if what == "detectors" else (units > 0).astype(np.int64)
        each = values @ self.vocabulary.membership.astype(np.int64)
        return np.concatenate([each.sum(axis=-1, keepdims=True), each], axis=-1)


def layer_concepts(
    tally: Tally,
    iou_threshold: float = 0.04,
    denominator: Denominator = "category",
    detection: Detection = "threshold",
    fdr: float = 0.05,
) -> LayerConcepts:
    """Work out what a layer detects.

    Parameters
    ----------
    tally
        The layer's tally.
    iou_threshold
        A unit is a detector when its best IoU exceeds this.
    denominator
        On which images a unit's area counts, see `iou.counted_area`.
    detection, fdr
        Whether `iou_threshold` is taken, or the IoU above which at most a share of `fdr` false discoveries is to be
        expected; see `chance.detection_threshold`. Either is held fixed when folds are left out.

    Raises
    ------
    UserError
        If detection is by false discoveries and the tally holds no wrong pairing.
    """
    folds, vocabulary = tally.folds, tally.vocabulary
    total = folds.total()
    matrix = iou_matrix(total, vocabulary, denominator)
    labels = assign_labels(matrix, vocabulary)
    iou_threshold = detection_threshold(tally, detection, iou_threshold, fdr, denominator)
    by_chance = chance(tally, labels, iou_threshold, denominator)
    held = np.flatnonzero(folds.images)
    replicates = [
        _units(assign_labels(iou_matrix(sums, vocabulary, denominator), vocabulary), vocabulary, iou_threshold)
        for sums in folds.replicates()
    ]
    score = np.where(np.isnan(matrix), -1.0, matrix)
    best_unit = score.argmax(axis=0) if tally.units else np.zeros(len(vocabulary), dtype=np.intp)
    every, columns = np.arange(tally.units), np.arange(len(vocabulary))
    return LayerConcepts(
        vocabulary,
        total.without_intersection(),
        folds.images[held],
        tally.threshold,
        labels,
        iou_intervals(folds, vocabulary, every, labels.label, denominator),
        iou_intervals(folds, vocabulary, every[:, None], labels.category_label, denominator),
        detectors(labels, iou_threshold),
        _halves_agree(folds, vocabulary, labels, denominator),
        label_stability(folds, vocabulary, labels.label, denominator),
        _units(labels, vocabulary, iou_threshold),
        np.stack(replicates),
        best_unit,
        iou_intervals(folds, vocabulary, best_unit, columns, denominator),
        highest_iou(total, vocabulary, denominator),
        by_chance,
        iou_threshold,
        fdr,
        np.nan if by_chance is None else iou_at(fdr, labels.iou, by_chance.best),
        survival(tally, iou_threshold, denominator),
    )


def _units(labels: Labels, vocabulary: Vocabulary, iou_threshold: float) -> NDArray[np.int64]:
    return np.stack([units_per_concept(labels, vocabulary, iou_threshold, convention) for convention in CONVENTIONS])


def _halves_agree(folds: Sums, vocabulary: Vocabulary, labels: Labels, denominator: Denominator) -> NDArray[np.bool_]:
    halves = [np.arange(start, len(folds), 2) for start in (0, 1)]
    found = [assign_labels(iou_matrix(folds.of(half), vocabulary, denominator), vocabulary).label for half in halves]
    return np.asarray((found[0] == labels.label) & (found[1] == labels.label) & (labels.label >= 0))
