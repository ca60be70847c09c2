"""What storing maps costs: dtype x compression x shape of the chunks.

    python benchmarks/storage.py [--full]

The maps are real ones: layer3 and layer4 of the demo's supervised network on scenes, rectified and so with many zeros.
Written are batches of 64 images, as extraction does; read are 64 images at a time, as the tally does, and blocks of
units, as thresholds do. Seconds are processor seconds, including what the compression does, of one thread; files are in
the page cache, so a slow disk adds its own time per byte. The defaults of `features.parts` follow from the table.
"""

from __future__ import annotations

import argparse
import itertools
import tempfile
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import h5py
import hdf5plugin
import numpy as np
from measuring import ROOT
from intermodel.data.open import open_dataset
from intermodel.features.extract import FeatureFile, extract
from intermodel.models.load import load_model
from intermodel.store import Maps
from numpy.typing import NDArray

LAYERS = ("layer3", "layer4")
ROWS, UNITS = 64, 16
NETWORK = {
    "architecture": "resnet14t",
    "kwargs": {"num_classes": 0, "channels": [8, 16, 32, 64], "stem_width": 8, "output_stride": 8},
    "preprocessing": {"size": 64, "resize": "none", "crop": "none", "mean": [0.5] * 3, "std": [0.25] * 3},
    "weights": {"source": "checkpoint", "path": str(ROOT / "config" / "demo_models" / "supervised-1.safetensors")},
}
FILTERS: Mapping[str, Mapping[str, Any]] = {
    "none": {},
    "gzip 1 + shuffle": {"compression": "gzip", "compression_opts": 1, "shuffle": True},
    "lz4": hdf5plugin.Blosc2(cname="lz4", clevel=5, filters=hdf5plugin.Blosc2.NOFILTER),
    "zstd 1": hdf5plugin.Zstd(clevel=1),
    "bitshuffle + lz4": hdf5plugin.Bitshuffle(cname="lz4"),
    "bitshuffle + zstd 1": hdf5plugin.Bitshuffle(cname="zstd", clevel=1),
}


def real_maps(images: int) -> dict[str, NDArray[np.float32]]:
    """Maps of the demo's network on scenes."""
    scenes = open_dataset({"source": "scenes", "train": images, "test": 0, "size": 64})
    with tempfile.TemporaryDirectory() as folder:
        files = [FeatureFile.at(Path(folder) / f"{layer}.maps.h5") for layer in LAYERS]
        extract(
            load_model(NETWORK), scenes, files, model_name="supervised", dataset="scenes", dataset_fingerprint="-",
            device="cpu", threads=1,
        )  # fmt: skip
        result = {}
        for file in files:
            with Maps(file.path) as maps:
                result[file.layer] = maps.images(0, images)
    return result


def seconds(work: Any) -> float:
    """The least processor time of two runs."""
    times = []
    for _ in range(2):
        start = time.process_time()
        work()
        times.append(time.process_time() - start)
    return min(times)


def measure(maps: NDArray[np.float32], dtype: str, filters: Mapping[str, Any], chunk: tuple[int, ...]) -> list[str]:
    """Megabytes of values written and read per second, and the file's size against plain float32."""
    values = maps.astype(dtype)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "maps.h5"

        def write() -> None:
            with h5py.File(path, "w") as file:
                data = file.create_dataset("maps", values.shape, dtype, chunks=chunk, **filters)
                for start in range(0, len(values), ROWS):
                    data[start : start + ROWS] = values[start : start + ROWS]

        def read_images() -> None:
            with h5py.File(path, "r") as file:
                for start in range(0, len(values), ROWS):
                    file["maps"][start : start + ROWS]

        def read_units() -> None:
            with h5py.File(path, "r") as file:
                for start in range(0, values.shape[1], UNITS):
                    file["maps"][:, start : start + UNITS]

        rates = [values.size * 4 / 1e6 / seconds(work) for work in (write, read_images, read_units)]
        return [*(f"{rate:,.0f}" for rate in rates), f"{path.stat().st_size / (values.size * 4):.2f}"]


def table(images: int) -> Iterator[str]:
    """Lines of a table in Markdown; values count as float32, whatever they are stored as."""
    yield "| layer | dtype | compression | chunk | write, MB/CPU s | read images | read units | size |"
    yield "|---|---|---|---|---|---|---|---|"
    for layer, maps in real_maps(images).items():
        units, *grid = maps.shape[1:]
        shapes = [(1, units), (ROWS, units), (ROWS, UNITS)]
        for dtype, name, (rows, deep) in itertools.product(("float32", "float16"), FILTERS, shapes):
            cells = measure(maps, dtype, FILTERS[name], (rows, deep, *grid))
            yield f"| {layer} | {dtype} | {name} | {rows} images x {deep} units | {' | '.join(cells)} |"


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--full", action="store_true")
    for line in table(2048 if parser.parse_args().full else 256):
        print(line, flush=True)


if __name__ == "__main__":
    main()
