"""Tallying layers whose maps are never stored against extracting, storing and tallying them.

    python benchmarks/streaming.py [--full]

baseline   `intermodel.features.extract` writes maps and pooled values of two layers, each layer is then tallied from
           its file
ours       pooled values are extracted; one more pass of the network finds the thresholds and another one tallies
           (`keep_maps: false`)

The tallies are compared and must be equal. The network is that of the demo, a cheap one for the number of its
activations: a larger one pays more for its second and third pass. One thread.
"""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

from measuring import Row, alternate, main, peak, row

# isort: split
import numpy as np
from growth import Noise, write_patterns
from intermodel.concepts.files import join_tallies, read_tally, tally_layer
from intermodel.concepts.streaming import Source, find_levels, tally_stream
from intermodel.features.extract import FeatureFile, extract
from intermodel.models.load import load_model

LAYERS = ("layer3", "layer4")
SETTINGS = {"tail": 0.005, "thresholds": "exact", "masks": "quantile", "folds": 16, "top_images": 8, "shuffles": 1}
ABOUT = {"model": "m", "dataset": "d", "dataset_fingerprint": "f"}
RECORD = {
    "architecture": "resnet14t",
    "kwargs": {"channels": [8, 16, 32, 64], "stem_width": 8, "output_stride": 8, "num_classes": 0},
    "preprocessing": {"size": 64, "resize": "none", "crop": "none"},
}


def features(folder: Path, images: Noise, suffixes: tuple[str, ...]) -> None:
    """Extract both layers into files with these endings."""
    shutil.rmtree(folder, ignore_errors=True)
    files = [FeatureFile.at(folder / f"{layer}{suffix}") for layer in LAYERS for suffix in suffixes]
    extract(
        load_model(RECORD), images, files, model_name="m", dataset="d", dataset_fingerprint="f", batch_size=64,
        workers=0, device="cpu", threads=1,
    )  # fmt: skip


def stored(folder: Path, images: Noise) -> None:
    """By way of maps on the disk."""
    features(folder / "stored", images, (".h5", ".maps.h5"))
    for layer in LAYERS:
        maps, tally = folder / "stored" / f"{layer}.maps.h5", folder / "stored" / f"{layer}.tally.h5"
        tally_layer(maps, folder / "patterns.h5", tally, **SETTINGS)


def streamed(folder: Path, images: Noise) -> None:
    """Without."""
    features(folder / "streamed", images, (".h5",))
    options = {"batch_size": 64, "device": "cpu", "precision": "float32", "threads": 1}
    levels = {layer: folder / "streamed" / f"{layer}.levels.h5" for layer in LAYERS}
    parts = {layer: folder / "streamed" / f"{layer}.part.h5" for layer in LAYERS}
    find_levels(Source(load_model(RECORD), images, ABOUT, LAYERS, (1, 1), options, 0), levels, tail=SETTINGS["tail"])
    again = Source(load_model(RECORD), images, ABOUT, LAYERS, (1, 1), options, 0)
    tally_stream(again, {name: [path] for name, path in levels.items()}, folder / "patterns.h5", parts, **SETTINGS)
    for layer in LAYERS:
        join_tallies([parts[layer]], folder / "streamed" / f"{layer}.tally.h5", SETTINGS["top_images"])


def measure(full: bool) -> Iterator[Row]:
    """One row."""
    count, rounds = (4000, 3) if full else (500, 2)
    with tempfile.TemporaryDirectory() as name:
        folder, images = Path(name), Noise(count)
        write_patterns(folder / "patterns.h5", count, 100, side=64)
        memory = peak(lambda: streamed(folder, images))
        seconds = alternate(
            {"ours": lambda: streamed(folder, images), "stored maps": lambda: stored(folder, images)}, rounds
        )
        for layer in LAYERS:
            tallies = [read_tally(folder / way / f"{layer}.tally.h5") for way in ("stored", "streamed")]
            same = [tally.folds.intersection for tally in tallies], [tally.threshold for tally in tallies]
            if not all(np.array_equal(*pair) for pair in same):
                raise SystemExit(f"{layer}: the tallies differ")
        saved = sum((folder / "stored" / f"{layer}.maps.h5").stat().st_size for layer in LAYERS) / 2**20
        what = f"concepts without stored maps, {count} images, {saved:.0f} MB of maps saved"
        yield row(what, seconds, baseline="stored maps", memory=memory)


if __name__ == "__main__":
    main(measure, __doc__)
