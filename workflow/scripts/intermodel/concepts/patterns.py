"""Label maps in the form in which tallies read them: runs of pixels that carry the same set of labels.

Every pixel of an image has one *pattern*: the set of labels that hold there, whichever layers they come from,
whole-image labels included. So a label in two layers of a pixel counts once, a whole-image label needs no mask, and
one count per pattern stands for the counts of all labels. Pattern 0 of every image is void: pixels that are left out of
all counts. Along the rows patterns come in runs, which are short lists where label maps are megabytes. All this depends
on the data set alone, so it is done once, not once per model and layer.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from intermodel.concepts.vocabulary import Vocabulary
from intermodel.engine.errors import UserError


@dataclass(frozen=True)
class Patterns:
    """Label maps of N images; ragged arrays may be HDF5 data sets, which are read as needed.

    Attributes
    ----------
    ids
        (N,) str image ids.
    size
        Height and width of the label maps.
    vocabulary
        The labels.
    run_offset
        (N + 1,) int64: the runs of image i are run_offset[i] to run_offset[i + 1].
    run_length
        Pixels of each run, row by row through the image; runs of one image sum to H * W.
    run_pattern
        Pattern of each run, counted within its image.
    pattern_offset
        (N + 1,) int64: the patterns of image i are pattern_offset[i] to pattern_offset[i + 1].
    label_start
        (N + 1,) int64: the labels of image i, pattern by pattern, are label_start[i] to label_start[i + 1].
    label_count
        Labels of each pattern.
    label
        Positions in the vocabulary, each at most once in a pattern.
    """

    ids: NDArray[np.str_]
    size: tuple[int, int]
    vocabulary: Vocabulary
    run_offset: NDArray[np.int64]
    run_length: NDArray[np.integer]
    run_pattern: NDArray[np.integer]
    pattern_offset: NDArray[np.int64]
    label_start: NDArray[np.int64]
    label_count: NDArray[np.integer]
    label: NDArray[np.integer]

    @cached_property
    def label_offset(self) -> NDArray[np.int64]:
        """The labels of pattern r (counted through all images) are label_offset[r] to label_offset[r + 1]."""
        return _offsets(self.label_count[...])

    def __len__(self) -> int:
        return len(self.ids)

    def take(self, rows: NDArray[np.integer]) -> Patterns:
        """The images `rows` in that order, in memory."""
        rows = np.asarray(rows, dtype=np.intp)
        begin, first, start = (each.take(rows) for each in (self.run_offset, self.pattern_offset, self.label_start))
        runs = self.run_offset.take(rows + 1) - begin
        numbers = self.pattern_offset.take(rows + 1) - first
        labels = self.label_start.take(rows + 1) - start
        return Patterns(
            self.ids[rows],
            self.size,
            self.vocabulary,
            _offsets(runs),
            _pick(self.run_length, begin, runs),
            _pick(self.run_pattern, begin, runs),
            _offsets(numbers),
            _offsets(labels),
            _pick(self.label_count, first, numbers),
            _pick(self.label, start, labels),
        )

    def drawn(self) -> NDArray[np.int32]:
        """Pattern of each pixel, counted within its image, (N, H * W), if the ragged arrays are in memory."""
        return np.repeat(self.run_pattern.astype(np.int32), self.run_length).reshape(len(self), -1)


@dataclass(frozen=True)
class ImagePatterns:
    """Label map of one image; the arrays are those of `Patterns`."""

    run_length: NDArray[np.int64]
    run_pattern: NDArray[np.int64]
    label_count: NDArray[np.int64]
    label: NDArray[np.intp]


def image_patterns(
    layers: NDArray[np.integer],
    image_labels: NDArray[np.integer],
    valid: NDArray[np.bool_] | None,
    vocabulary: Vocabulary,
    name: str = "the image",
) -> ImagePatterns:
    """Runs of equal label sets of one image.

    Parameters
    ----------
    layers
        (S, H, W) label numbers, 0 = unlabelled; S may be 0.
    image_labels
        (k,) numbers of the labels that hold for the whole image.
    valid
        (H, W) bool, False for pixels to leave out; None for none.
    vocabulary
        The labels.
    name
        What the image is called in error messages.

    Raises
    ------
    UserError
        If a label number is not in the vocabulary.
    """
    count, height, width = layers.shape
    flat = layers.reshape(count, height * width)
    whole = np.unique(vocabulary.columns(image_labels[image_labels != 0], f"The label list of {name}"))
    known = np.ones(height * width, dtype=np.bool_) if valid is None else valid.reshape(-1)
    # 1. Runs: a new one wherever a layer or the validity changes.
    begins = np.zeros(height * width, dtype=np.bool_)
    begins[0] = True
    for line in (*flat, known):
        begins[1:] |= line[1:] != line[:-1]
    start = np.flatnonzero(begins)
    counted = known[start]
    columns = vocabulary.columns(flat[:, start], f"The label map of {name}") + 1
    columns[:, ~counted] = 0
    # 2. Patterns: equal columns through all layers; void sorts first.
    key = counted.astype(np.int64)
    base = len(vocabulary) + 1
    for line in columns:
        if key.max(initial=0) >= np.iinfo(np.int64).max // base - 1:
            key = np.unique(key, return_inverse=True)[1].reshape(-1)
        key = key * base + line
    _, first, pattern = np.unique(key, return_index=True, return_inverse=True)
    void = not counted[first[0]]
    # 3. The labels of each pattern, each once: those of its pixels and, unless it is void, those of the image.
    held = np.concatenate([columns[:, first], np.repeat(whole[:, None] + 1, len(first), axis=1)]).T
    held[0, count:] *= not void
    held.sort(axis=1)
    fresh = held > 0
    fresh[:, 1:] &= held[:, 1:] != held[:, :-1]
    label = held[fresh] - 1
    amount = fresh.sum(axis=1)
    if not void:
        # Number 0 is void in every image, also where no pixel is.
        pattern, amount = pattern + 1, np.append(0, amount)
    length = np.diff(np.append(start, height * width))
    return ImagePatterns(length, pattern.reshape(-1), amount, label)


def join(
    images: Iterable[ImagePatterns], ids: NDArray[np.str_], size: tuple[int, int], vocabulary: Vocabulary
) -> Patterns:
    """Put the label maps of several images together."""
    parts = list(images)
    if len(parts) != len(ids):
        raise UserError(f"There are {len(parts)} label maps for {len(ids)} image ids; expected one for each.")
    return Patterns(
        ids,
        size,
        vocabulary,
        _offsets(np.array([len(part.run_length) for part in parts], dtype=np.int64)),
        _joined([part.run_length for part in parts]),
        _joined([part.run_pattern for part in parts]),
        _offsets(np.array([len(part.label_count) for part in parts], dtype=np.int64)),
        _offsets(np.array([len(part.label) for part in parts], dtype=np.int64)),
        _joined([part.label_count for part in parts]),
        _joined([part.label for part in parts]),
    )


def label_patterns(
    layers: NDArray[np.integer],
    vocabulary: Vocabulary,
    ids: NDArray[np.str_] | None = None,
    image_labels: list[NDArray[np.integer]] | None = None,
    valid: NDArray[np.bool_] | None = None,
) -> Patterns:
    """Patterns of label maps held in memory.

    Parameters
    ----------
    layers
        (N, S, H, W) label numbers, 0 = unlabelled.
    vocabulary
        The labels.
    ids
        (N,) image ids; ``"0"``, ``"1"``, … if omitted.
    image_labels
        For each image the numbers of its whole-image labels.
    valid
        (N, H, W) bool, False for pixels to leave out.
    """
    count, _, height, width = layers.shape
    names = np.arange(count).astype(np.str_) if ids is None else np.asarray(ids, dtype=np.str_)
    nothing = np.zeros(0, dtype=np.int64)
    return join(
        (
            image_patterns(
                layers[i],
                nothing if image_labels is None else np.asarray(image_labels[i]),
                None if valid is None else valid[i],
                vocabulary,
                f"the image {str(names[i])!r}",
            )
            for i in range(count)
        ),
        names,
        (height, width),
        vocabulary,
    )


def label_mask(patterns: Patterns, row: int, label: int) -> NDArray[np.bool_]:
    """(H, W) bool: where one label, a position in the vocabulary, holds in the image `row`."""
    image = patterns.take(np.array([row]))
    number = np.repeat(np.arange(len(image.label_offset) - 1), np.diff(image.label_offset))
    carries = np.zeros(len(image.label_offset) - 1, dtype=np.bool_)
    carries[number[image.label == label]] = True
    return np.repeat(carries[image.run_pattern], image.run_length).reshape(image.size)


def ranges(begin: NDArray[np.integer], many: NDArray[np.integer]) -> NDArray[np.intp]:
    """begin[0], begin[0] + 1, … (many[0] numbers), begin[1], … as one array."""
    end = np.cumsum(many, dtype=np.intp)
    return np.repeat(begin - (end - many), many) + np.arange(end[-1] if len(end) else 0)


def _pick(values: NDArray[np.integer], begin: NDArray[np.int64], many: NDArray[np.int64]) -> NDArray[np.integer]:
    """Stretches of a ragged array, one after the other; of an HDF5 data set neighbouring ones are read in one go."""
    if isinstance(values, np.ndarray):
        return values.take(ranges(begin, many))
    end = begin + many
    joint = np.append(np.flatnonzero(begin[1:] != end[:-1]) + 1, len(begin))
    parts, start = [], 0
    for stop in joint.tolist() if len(begin) else []:
        parts.append(values[int(begin[start]) : int(end[stop - 1])])
        start = stop
    return _joined(parts)


def _offsets(counts: NDArray[np.integer]) -> NDArray[np.int64]:
    return np.concatenate([np.zeros(1, dtype=np.int64), np.cumsum(counts, dtype=np.int64)])


def _joined(parts: list[NDArray[np.integer]]) -> NDArray[np.integer]:
    return np.concatenate(parts) if parts else np.zeros(0, dtype=np.int64)
