"""The tally of Network Dissection against the loop over units that defines it.

    python benchmarks/concepts.py [--images 64] [--units 512 2048] [--tail 0.005 0.1] [--repeats 3]

Times are processor seconds of one thread per 1000 images, the best of the repeats; maps of 7x7 are compared with label
maps of 112x112 pixels in four layers, as in Broden. `loop` enlarges, compares and counts unit by unit and skips units
that never exceed their threshold on an image; `every unit` does not skip. All counts are compared and must be equal.
Indexing the label maps is done once per data set, whatever the number of models and layers, and stands apart.
"""

from __future__ import annotations

import os

os.environ["OMP_NUM_THREADS"] = "1"

import argparse
import sys
import time
from collections.abc import Callable
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "workflow" / "scripts"))

import numpy as np
from intermodel.concepts.patterns import label_patterns
from intermodel.concepts.tally import tally
from intermodel.concepts.thresholds import exact_thresholds
from intermodel.concepts.upsampling import geometry, upsample
from intermodel.concepts.vocabulary import Vocabulary

MAP, SIZE, LABELS = (7, 7), (112, 112), 1196


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
        words = 12 + 395 * number + generator.integers(0, 395, (images, 12))
        labels = np.take_along_axis(words, generator.integers(0, 12, (images, shape[1] * shape[2])), axis=1)
        labels = labels.reshape(shape) * (generator.random(shape) < share)
        layers.append(labels.repeat(block, axis=1).repeat(block, axis=2))
    return np.stack(layers, axis=1).astype(np.uint16)


def loop(maps: np.ndarray, threshold: np.ndarray, layers: np.ndarray, skip: bool) -> np.ndarray:
    """Intersections (units, labels + 1), column 0 for unlabelled pixels, unit by unit."""
    grid = geometry(MAP, SIZE)
    result = np.zeros((maps.shape[1], LABELS + 1), dtype=np.int64)
    for image, labels in zip(maps, layers, strict=True):
        for unit, values in enumerate(image):
            if skip and values.max() <= threshold[unit]:
                continue
            mask = upsample(values, grid) > threshold[unit]
            for layer in labels:
                counts = np.bincount(layer[mask])
                result[unit, : len(counts)] += counts
    return result


def seconds(work: Callable[[], np.ndarray], repeats: int) -> tuple[float, np.ndarray]:
    """Best processor time and the result."""
    best, result = float("inf"), np.zeros(0)
    for _ in range(repeats):
        start = time.process_time()
        result = work()
        best = min(best, time.process_time() - start)
    return best, result


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--images", type=int, default=64)
    parser.add_argument("--units", type=int, nargs="+", default=[512, 2048])
    parser.add_argument("--tail", type=float, nargs="+", default=[0.005, 0.1])
    parser.add_argument("--repeats", type=int, default=3)
    chosen = parser.parse_args()
    generator = np.random.default_rng(0)
    words = Vocabulary.from_records(
        [
            {"number": n, "name": str(n), "category": "abcd"[0 if n < 12 else 1 + (n - 12) // 395]}
            for n in range(1, LABELS + 1)
        ],
        "abcd",
    )
    layers = label_layers(chosen.images, generator)
    once, _ = seconds(lambda: label_patterns(layers, words).run_length, 1)
    scale = 1000 / chosen.images
    print(f"indexing the label maps, once per data set: {once * scale:.2f} s per 1000 images")
    print(f"{'units':>6}{'tail':>7}{'tally':>9}{'loop':>9}{'ratio':>8}{'every unit':>12}{'ratio':>8}{'thresholds':>12}")
    for units in chosen.units:
        maps = smooth_maps(chosen.images, units, generator)
        samples = maps.swapaxes(0, 1).reshape(units, -1)
        patterns = label_patterns(layers, words)
        for tail in chosen.tail:
            level, threshold = seconds(lambda t=tail, s=samples: exact_thresholds(s, t), chosen.repeats)
            fast, found = seconds(
                lambda m=maps, t=threshold, p=patterns: tally(ArrayMaps(m), p, t).folds.intersection, chosen.repeats
            )
            slow, expected = seconds(lambda m=maps, t=threshold: loop(m, t, layers, True), 1)
            plain, _ = seconds(lambda m=maps[:4], t=threshold: loop(m, t, layers[:4], False), 1)
            if not np.array_equal(found.sum(axis=0), expected[:, 1:]):
                raise SystemExit("the tally and the loop differ")
            plain *= chosen.images / min(4, chosen.images)
            print(
                f"{units:>6}{tail:>7}{fast * scale:>7.2f} s{slow * scale:>7.1f} s{slow / fast:>7.1f}x"
                f"{plain * scale:>10.1f} s{plain / fast:>7.1f}x{level * scale:>10.2f} s"
            )


if __name__ == "__main__":
    import warnings

    warnings.simplefilter("ignore", UserWarning)
    main()
