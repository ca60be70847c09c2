"""Scores of units and words, the same when images are drawn again, and those of units with shuffled images."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from intermodel.clip_dissect.scores import (
    FACTORS,
    FLOOR,
    SMALLEST_NORM,
    TOP_SHARE,
    WPMI,
    Floats,
    Score,
    Wpmi,
    cosine,
    cubed_cosine,
    image_weights,
    log_evidence,
    rank_reorder,
    reorder_scores,
    top_images,
    word_probabilities,
)


@dataclass(frozen=True)
class Scorer:
    """A score with the cosines of images and words, (D, C), and how many strongest images count (None: its default)."""

    score: Score
    similarity: Floats
    top: int | None = None

    @property
    def settings(self) -> Wpmi | None:
        """Settings of a score of the WPMI kind, None for others."""
        return WPMI.get(self.score)

    @property
    def wanted(self) -> int:
        """How many of a unit's strongest images count; 0 where all do."""
        if self.settings:
            return self.top or self.settings.top_images
        return int(len(self.similarity) * TOP_SHARE) if self.score == "rank_reorder" else 0

    @cached_property
    def _probability(self) -> Floats:
        assert self.settings is not None
        return word_probabilities(self.similarity, self.settings.sharpness)

    def evidence(self, activation: NDArray[np.floating]) -> Floats:
        """ell for scores of the WPMI kind, otherwise the score, (U, C), of units (D, U) that vary."""
        if not activation.shape[1]:
            return np.empty((0, self.similarity.shape[1]))
        if self.settings:
            weights = image_weights(self.settings, self.wanted)
            return log_evidence(self._probability, top_images(activation, self.wanted), weights)
        chosen = {"cubed_cosine": cubed_cosine, "cosine": cosine, "rank_reorder": rank_reorder}
        return chosen[self.score](self.similarity, activation)

    def drawn(self, activation: NDArray[np.floating], words: NDArray[np.integer], times: NDArray[np.integer]) -> Floats:
        """The same for chosen words when images are drawn again.

        Parameters
        ----------
        activation
            (D, U).
        words
            Words of each unit, (U, M).
        times
            How often each image is drawn, (B, D), D in all.

        Returns
        -------
        array
            (B, U, M). Centres of the cubed cosine stay those of all images.
        """
        values = np.asarray(activation, dtype=np.float64)
        result = np.empty((len(times), *words.shape))
        if not len(times):
            return result
        if self.wanted:
            order = top_images(values, len(values))
            for unit, chosen in enumerate(words):
                strongest = drawn_top(order[unit], times, self.wanted)
                result[:, unit] = self._of_strongest(values[:, unit], chosen, strongest)
            return result
        p, smallest = self.similarity, 0.0
        if self.score == "cubed_cosine":
            p, smallest = p - p.mean(axis=0), SMALLEST_NORM
            values = (values - values.mean(axis=0)) ** 3
        weight = times.astype(np.float64)
        for unit, chosen in enumerate(words):
            q, own = values[:, unit], p[:, chosen] ** 3 if smallest else p[:, chosen]
            norms = np.sqrt(weight @ q**2)[:, None], np.sqrt(weight @ own**2)
            size = np.maximum(norms[0], smallest) * np.maximum(norms[1], smallest)
            result[:, unit] = weight @ (q[:, None] * own) / np.where(size > 0, size, 1.0)
        return result

    def _of_strongest(self, q: Floats, words: NDArray[np.integer], strongest: NDArray[np.intp]) -> Floats:
        """Scores (B, M) of one unit with M words from the images (B, k) that count in each draw."""
        if self.settings is None:
            return np.stack([reorder_scores(self.similarity[np.ix_(rows, words)], q[rows]) for rows in strongest])
        weights = image_weights(self.settings, self.wanted)[:, None]
        terms = weights * self._probability[strongest[:, :, None], words] + (1.0 - weights + FLOOR)
        result = np.zeros((len(strongest), len(words)))
        for start in range(0, terms.shape[1], FACTORS):
            result += np.log(terms[:, start : start + FACTORS].prod(axis=1))
        return result


def image_draws(images: int, draws: int, generator: np.random.Generator) -> NDArray[np.int64]:
    """How often each of so many images is drawn when as many are drawn with replacement, (draws, images)."""
    return generator.multinomial(images, np.full(images, 1 / images), size=draws)


def drawn_top(order: NDArray[np.integer], times: NDArray[np.integer], count: int) -> NDArray[np.intp]:
    """The strongest images of a unit in each draw, (B, count), an image as often as it was drawn.

    Parameters
    ----------
    order
        All images, strongest first, (D,).
    times
        How often each image is drawn, (B, D).
    count
        At most D.
    """
    # Twice as many and some more hold enough of them in all but freak draws.
    reach = min(len(order), 2 * count + 50)
    often = times[:, order[:reach]]
    if int(often.sum(axis=1).min()) < count:
        often = times[:, order]
    flat = np.repeat(np.tile(np.arange(often.shape[1]), len(often)), often.reshape(-1))
    totals = often.sum(axis=1)
    start = np.cumsum(totals) - totals
    return np.asarray(order[flat[start[:, None] + np.arange(count)]], dtype=np.intp)


def shuffled_units(
    activation: NDArray[np.floating], count: int, generator: np.random.Generator
) -> NDArray[np.floating]:
    """Units, taken in turn, whose activations are given to the images in random order, (D, count)."""
    units = activation.shape[1]
    if not units:
        return activation[:, :0]
    taken = activation[:, np.arange(count) % units]
    return np.asarray(generator.permuted(taken, axis=0))
