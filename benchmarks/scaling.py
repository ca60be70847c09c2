"""What docs/scaling.md scales up: one image's decoding, pass and bytes, joining shards, listing files.

    INTERMODEL_DATA=FOLDER python benchmarks/scaling.py [--shards 32]

Everything runs on one thread; seconds are processor seconds. The photographs are those of FOLDER/imagenet.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import measuring  # noqa: F401  finds the package
from features import photographs

# isort: split
import numpy as np
from intermodel.data.listing import listing_digests
from intermodel.engine.shards import images_of, shard_path, shard_paths
from intermodel.features.extract import FeatureFile, extract
from intermodel.features.parts import Part
from intermodel.features.shards import join_shards
from intermodel.models.load import load_model
from intermodel.store import Maps, read_pooled

IMAGENET, LAYERS = 1_281_167, ["maxpool", "layer1", "layer2", "layer3", "layer4"]


def seconds(work: Callable[[], Any]) -> float:
    """Processor seconds of this process."""
    begin = time.process_time()
    work()
    return time.process_time() - begin


def extraction(folder: Path, count: int) -> None:
    """ResNet-50 on photographs: with pooled values alone, and with the maps of all layers."""
    images = photographs(folder, count)
    model = load_model({"architecture": "resnet50"})
    for way, compiled in (("Pillow", False), ("compiled code, as for many images", True)):
        model.preprocessing.pixels(images.image(0), compiled=compiled)
        used = seconds(
            lambda compiled=compiled: [
                model.preprocessing.pixels(images.image(i), compiled=compiled) for i in range(count)
            ]
        )
        print(f"decoding, and resizing by {way}: {1e3 * used / count:.1f} ms an image")
    for what, ends in (("pooled", [".h5"]), ("pooled and maps", [".h5", ".maps.h5"])):
        files = [FeatureFile.at(folder / what / f"{layer}{end}") for layer in LAYERS for end in ends]
        used = seconds(
            lambda files=files: extract(
                model, images, files, model_name="resnet50", dataset="photographs", dataset_fingerprint="-",
                batch_size=16, workers=1, device="cpu", threads=1,
            )
        )  # fmt: skip
        size = sum(file.path.stat().st_size for file in files)
        print(f"extraction, {what}: {1e3 * used / count:.1f} ms and {size / count / 1e3:.1f} kB an image")
    for layer in LAYERS:
        with Maps(folder / "pooled and maps" / f"{layer}.maps.h5") as maps:
            _, units, height, width = maps.shape
            size = units * height * width * 2
            print(f"  {layer}: {units} units of {height}x{width}, {size / 1e3:.0f} kB an image as {maps.dtype}")


def writing(folder: Path, count: int) -> None:
    """Blocks of maps with their checksums to the disk."""
    values = np.random.default_rng(0).normal(size=(64, 256, 56, 56)).astype(np.float16)
    ids = [str(number) for number in range(count)]
    part = Part(folder / "layer1.maps.h5", "maps", ids, values.shape[1:], "float16", "key", {})
    ones = np.ones(64, dtype=np.float32)
    used = seconds(lambda: [part.append(values, ones, ones) for _ in range(count // 64)])
    part.close()
    print(f"writing maps: {values.nbytes * (count // 64) / used / 1e6:.0f} MB in a processor second")


def joining(folder: Path, shards: int, units: int) -> None:
    """Pooled values of as many images as ImageNet has, in shards and in one file."""
    names = [f"n{number // 1300:08}/n{number // 1300:08}_{number}.JPEG" for number in range(IMAGENET)]

    def write(path: str, number: int, count: int) -> None:
        images = images_of(IMAGENET, number, count)
        place = {"shard": f"{number} of {count}", "first_image": images.start, "images": IMAGENET, "device": "cpu"}
        ids = names[images.start : images.stop]
        part = Part(Path(path), "pooled", ids, (units,), "float32", "key", place if count > 1 else {})
        for start in range(0, len(ids), 4096):
            rows = np.zeros((min(4096, len(ids) - start), units), dtype=np.float32) + start
            part.append(rows, rows[:, 0], rows[:, 0])
        part.finish()

    plain, joined = folder / "plain.h5", folder / "joined.h5"
    write(str(plain), 1, 1)
    for number in range(1, shards + 1):
        write(shard_path(str(joined), number, shards), number, shards)
    used = seconds(lambda: join_shards(shard_paths(str(joined), shards), joined))
    print(
        f"joining {shards} shards of {IMAGENET:,} images: {used:.2f} s, a file of {joined.stat().st_size / 1e3:.0f} kB"
    )
    both = [seconds(lambda path=path: read_pooled(path)) for path in (plain, joined, plain, joined)]
    print(
        f"reading {units} units and all ids: {min(both[::2]):.1f} s from one file, {min(both[1::2]):.1f} s from shards"
    )


def listing(folder: Path, classes: int, each: int) -> None:
    """The look at a data folder that every start of the workflow takes."""
    for number in range(classes):
        (folder / f"n{number:08}").mkdir(parents=True)
        for image in range(each):
            (folder / f"n{number:08}" / f"{image}.JPEG").touch()
    spec = {"source": "folder", "path": str(folder)}
    used = min(seconds(lambda: listing_digests(spec)) for _ in range(3))
    print(f"listing a data folder: {1e6 * used / (classes * each):.1f} us a file")


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--shards", type=int, default=32)
    parser.add_argument("--images", type=int, default=48)
    parser.add_argument("--units", type=int, default=64)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        listing(folder / "listing", 100, 200)
        joining(folder, options.shards, options.units)
        writing(folder, 512)
        extraction(folder, options.images)


if __name__ == "__main__":
    main()
