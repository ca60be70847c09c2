"""The tally of Network Dissection against the loop over units that defines it.

    python benchmarks/concepts.py [--full]

Maps of 7x7 are compared with label maps of 112x112 pixels in four layers with 1,198 labels, as in Broden.

plain loop      every unit of every image: enlarge, compare, count each label under the mask
skipping loop   the same, but units that never exceed their threshold on an image are skipped
ours            `intermodel.concepts.tally`, given label maps that are indexed (once per data set, whatever the number
                of models and layers; a row of its own)

All counts are compared and must be equal. One thread. Both count into one table (folds: 1): each further fold costs
the memory of another table, once, whatever the number of images. Compiling (once per machine) is not counted.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterator

from measuring import Row, alternate, main, peak, row  # before numpy: it sets the number of threads

# isort: split
import numpy as np
from intermodel.concepts.patterns import label_patterns
from intermodel.concepts.tally import tally
from intermodel.concepts.thresholds import exact_thresholds
from intermodel.concepts.vocabulary import Vocabulary

MAP, SIZE = (7, 7), (112, 112)
# First labels of colours, objects, parts and materials, and the number after the last.
FIRST = (1, 12, 407, 803, 1199)
LABELS = FIRST[-1] - 1


class ArrayMaps:
    """Maps in memory, read like a file of maps."""

    def __init__(self, values: np.ndarray) -> None:
        self.values, self.shape = values, values.shape
        self.ids = np.arange(len(values)).astype(np.str_)

    def images(self, start: int, stop: int) -> np.ndarray:
        return self.values[start:stop]


def smooth_maps(images: int, units: int, generator: np.random.Generator) -> np.ndarray:
    """Rectified maps in which neighbouring values are alike; at a tail of 0.005 one map in seven is ever active."""
    maps = generator.normal(size=(images, units, MAP[0] + 2, MAP[1] + 2)).astype(np.float32)
    maps = maps[:, :, :-2] + 2 * maps[:, :, 1:-1] + maps[:, :, 2:]
    maps = maps[:, :, :, :-2] + 2 * maps[:, :, :, 1:-1] + maps[:, :, :, 2:]
    return np.maximum(maps, 0).astype(np.float16).astype(np.float32)


def label_layers(images: int, generator: np.random.Generator) -> np.ndarray:
    """A speckled layer of 11 colours, and three of objects, parts and materials in blocks, a dozen labels each."""
    layers = [generator.integers(1, 12, (images, 28, 28)).repeat(4, axis=1).repeat(4, axis=2)]
    speckled = generator.random((images, *SIZE)) < 0.15
    layers[0][speckled] = generator.integers(1, 12, int(speckled.sum()))
    for number, (block, share) in enumerate(((16, 0.9), (8, 0.3), (16, 0.5))):
        shape = (images, SIZE[0] // block, SIZE[1] // block)
        words = generator.integers(FIRST[number + 1], FIRST[number + 2], (images, 12))
        labels = np.take_along_axis(words, generator.integers(0, 12, (images, shape[1] * shape[2])), axis=1)
        labels = labels.reshape(shape) * (generator.random(shape) < share)
        layers.append(labels.repeat(block, axis=1).repeat(block, axis=2))
    return np.stack(layers, axis=1).astype(np.uint16)


def loop(maps: np.ndarray, threshold: np.ndarray, layers: np.ndarray, skip: bool) -> np.ndarray:
    """Intersections (units, labels + 1), column 0 for unlabelled pixels, unit by unit; written for this benchmark."""
    (low_y, high_y, share_y), (low_x, high_x, share_x) = (corners(n, size) for n, size in zip(MAP, SIZE, strict=True))
    result = np.zeros((maps.shape[1], LABELS + 1), dtype=np.int64)
    for image, labels in zip(maps.astype(np.float64), layers, strict=True):
        for unit, values in enumerate(image):
            if skip and values.max() <= threshold[unit]:
                continue
            lines = values[low_y] + share_y[:, None] * (values[high_y] - values[low_y])
            left = lines[:, low_x]
            mask = left + share_x * (lines[:, high_x] - left) > threshold[unit]
            for layer in labels:
                counts = np.bincount(layer[mask])
                result[unit, : len(counts)] += counts
    return result


def corners(samples: int, pixels: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Samples on either side of each pixel, half-pixel centres clamped to the map, and the share of the second."""
    place = (np.arange(pixels) + 0.5) * samples / pixels - 0.5
    low = np.floor(place)
    return (*(np.clip(low + step, 0, samples - 1).astype(np.intp) for step in (0, 1)), place - low)


def by_sorting(samples: np.ndarray, tail: float) -> np.ndarray:
    """Thresholds (units,) from all values in order."""
    return np.sort(samples, axis=1)[:, -1 - int(tail * samples.shape[1])]


def measure(full: bool) -> Iterator[Row]:
    """Indexing, thresholds and tallies."""
    warnings.simplefilter("ignore", UserWarning)
    images, rounds = (64, 3) if full else (16, 1)
    generator = np.random.default_rng(0)
    words = Vocabulary.from_records(
        [
            {"number": n, "name": str(n), "category": "abcd"[np.searchsorted(FIRST, n, "right") - 1]}
            for n in range(1, LABELS + 1)
        ],
        "abcd",
    )
    layers = label_layers(images, generator)
    yield row(
        f"indexing label maps, {images} images of 4 layers",
        alternate({"ours": lambda: label_patterns(layers, words).run_length}, rounds),
    )
    patterns = label_patterns(layers, words)
    for units in (512, 2048):
        maps = smooth_maps(images, units, generator)
        samples = maps.swapaxes(0, 1).reshape(units, -1)
        for tail in (0.005, 0.1):
            yield row(
                f"thresholds, {units} units, tail {tail}, {images} images",
                alternate(
                    {
                        "ours": lambda t=tail, s=samples: exact_thresholds(s, t),
                        "sorting": lambda t=tail, s=samples: by_sorting(s, t),
                    },
                    rounds,
                ),
                baseline="sorting",
            )
            threshold = exact_thresholds(samples, tail)
            memory = peak(lambda m=maps, t=threshold: tally(ArrayMaps(m), patterns, t, folds=1))
            found = tally(ArrayMaps(maps), patterns, threshold).folds.intersection.sum(axis=0)
            if not np.array_equal(found, loop(maps, threshold, layers, skip=True)[:, 1:]):
                raise SystemExit("the tally and the loop differ")
            ways = {"ours": lambda m=maps, t=threshold: tally(ArrayMaps(m), patterns, t, folds=1)}
            for name, skip in (("plain loop", False), ("skipping loop", True)):
                ways[name] = lambda m=maps, t=threshold, s=skip: loop(m, t, layers, s)
            seconds = alternate(ways, rounds)
            for name in ("plain loop", "skipping loop"):
                yield row(f"tally, {units} units, tail {tail}, {images} images", seconds, baseline=name, memory=memory)


if __name__ == "__main__":
    main(measure, __doc__)
