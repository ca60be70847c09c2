"""Files of the concept analysis: patterns of a data set, the tally of one layer."""

from __future__ import annotations

import json
import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import fields
from pathlib import Path
from typing import Any

import h5py
import numpy as np
from numpy.typing import NDArray

from intermodel.concepts.patterns import ImagePatterns, Patterns, image_patterns
from intermodel.concepts.result import Tally, merge
from intermodel.concepts.rotation import Rotation, random_rotation, rotate, rotation_names
from intermodel.concepts.sums import Sums, folds_of
from intermodel.concepts.thresholds import Rule, excess, unit_thresholds
from intermodel.concepts.vocabulary import Vocabulary
from intermodel.engine.errors import UserError
from intermodel.engine.progress import progress
from intermodel.store import (
    Maps,
    PathLike,
    align,
    create,
    open_file,
    plain_attributes,
    read_attributes,
    read_strings,
    require,
    unbuffered,
    write_attributes,
    write_strings,
)

BATCH_IMAGES = 64
# What a tally takes over from the maps that it was made from.
ORIGIN = ("dataset", "model", "layer", "dataset_fingerprint", "model_fingerprint", "preprocessing", "spatial")
OFFSETS = {"run_offset": "run_length", "pattern_offset": "label_count", "label_start": "label"}
RAGGED = (*OFFSETS.values(), "run_pattern")
COMPRESSION: dict[str, Any] = {"compression": "gzip", "compression_opts": 1, "shuffle": True}


def index_label_maps(segmentation: PathLike, manifest: PathLike, path: PathLike) -> None:
    """Write the label maps of a data set as patterns (see `patterns`), once for all models.

    Parameters
    ----------
    segmentation
        Decoded label maps: `id`, `layers` (N, S, H, W), `image_label_offset`, `image_label`, perhaps `valid`.
    manifest
        What the images are: `id`, `width`, `height`, attribute `fingerprint`.
    path
        The file to write.

    Raises
    ------
    UserError
        If a file is incomplete, the images differ, or a label number is not in the table of concepts.
    """
    with open_file(segmentation) as source, open_file(manifest) as images:
        require(source, "id", "layers", "image_label_offset", "image_label")
        require(images, "id", "width", "height")
        attributes = plain_attributes(source)
        vocabulary = Vocabulary.from_attributes(attributes)
        ids = read_strings(source["id"])
        place = align(ids, read_strings(images["id"]), str(manifest))
        if len(ids) != len(images["id"]):
            raise UserError(
                f"{segmentation} holds {len(ids)} label maps, {manifest} {len(images['id'])} images; they were made "
                "from different states of the data set: delete both and run again."
            )
        count, _, height, width = source["layers"].shape
        about = {
            "size": [height, width],
            "dataset_fingerprint": plain_attributes(images)["fingerprint"],
            "segmentation_fingerprint": attributes.get("fingerprint", ""),
            **vocabulary.attributes(),
        }
        small = np.uint16 if height * width <= np.iinfo(np.uint16).max else np.uint32
        with create(path, **about) as file:
            write_strings(file, "index", ids)
            for name in ("width", "height"):
                file[name] = images[name][...][place]
            for name in RAGGED:
                # Not compressed: wrong pairings read images in no order.
                file.create_dataset(name, (0,), small, maxshape=(None,), chunks=(65536,))
            counts: dict[str, list[int]] = {name: [0] for name in OFFSETS}
            for start in progress(range(0, count, BATCH_IMAGES), unit="batch", label="indexing label maps"):
                parts = list(_patterns_of(source, vocabulary, ids, start, min(count, start + BATCH_IMAGES)))
                for name in RAGGED:
                    _append(file[name], np.concatenate([getattr(part, name) for part in parts]))
                for name, of in OFFSETS.items():
                    counts[name] += [len(getattr(part, of)) for part in parts]
            for name, numbers in counts.items():
                file.create_dataset(name, data=np.cumsum(numbers, dtype=np.int64), **COMPRESSION)


@contextmanager
def open_patterns(path: PathLike) -> Iterator[tuple[Patterns, dict[str, Any]]]:
    """Yield the patterns of a data set and the file's attributes with the (N,) `width` and `height` of its images.

    Label maps are read when images are taken, so that memory does not grow with the images.
    """
    with open_file(path) as file:
        require(file, "index", "width", "height", *OFFSETS, *RAGGED)
        attributes = plain_attributes(file)
        height, width = json.loads(attributes["size"])
        yield (
            Patterns(
                read_strings(file["index"]),
                (height, width),
                Vocabulary.from_attributes(attributes),
                **{name: file[name][...] for name in OFFSETS},
                **{name: unbuffered(file, name) for name in RAGGED},
            ),
            attributes | {"width": file["width"][...], "height": file["height"][...]},
        )


def tally_layer(
    maps: PathLike,
    patterns: PathLike,
    path: PathLike,
    *,
    tail: float,
    thresholds: Rule,
    masks: str,
    folds: int,
    top_images: int,
    shuffles: int,
    rotations: int = 0,
) -> None:
    """Tally the maps of one layer and write the result; the arguments are the study's settings of concepts.

    Raises
    ------
    UserError
        If maps and patterns were made from different states of the data set, or the maps cannot be tallied.
    """
    from intermodel.concepts.tally import tally  # compiled, which those who only read tallies do without

    with (
        Maps(maps) as source,
        open_patterns(patterns) as (known, about),
        warnings.catch_warnings(record=True) as caught,
    ):
        warnings.simplefilter("always")
        expected, found = about["dataset_fingerprint"], source.attributes.get("dataset_fingerprint")
        if found != expected or len(source.ids) != len(known):
            raise UserError(
                f"{maps} ({len(source.ids)} images) and {patterns} ({len(known)} images) were made from different "
                "states of the data set; delete both and run again."
            )
        rows = align(source.ids, known.ids, str(patterns))
        if not np.array_equal(rows, np.arange(len(rows))):
            known = known.take(rows)
        boxes = visible_boxes(
            json.loads(source.attributes["preprocessing"]), about["width"][rows], about["height"][rows], known.size
        )
        level = unit_thresholds(source, tail, thresholds) if masks == "quantile" else None
        turned = rotated_thresholds(source, tail, rotations)
        bar: progress[int] = progress(total=len(source.ids), label="tallying")
        with bar:
            result = tally(
                source,
                known,
                level,
                boxes=boxes,
                folds=folds,
                top_images=top_images,
                shuffles=shuffles,
                rotations=turned,
                advance=bar.advance,
            )
        images, _, height, width = source.shape
        attributes = {
            "tail": tail,
            "thresholds": thresholds,
            "masks": masks,
            "images": images,
            "positions": images * height * width,
            "size": list(known.size),
            "segmentation_fingerprint": about["segmentation_fingerprint"],
            "warnings": [str(entry.message) for entry in caught],
        }
        kept = {name: source.attributes[name] for name in ORIGIN if name in source.attributes}
        write_tally(path, result, source.ids, **attributes, **kept)
    for entry in caught:
        warnings.warn_explicit(entry.message, entry.category, entry.filename, entry.lineno)


def rotated_thresholds(maps: Maps, tail: float, count: int) -> list[Rotation]:
    """Rotations of the units of a layer, seeded by the names of its model and itself, with their thresholds.

    Reads the maps once, image by image; holds what `Largest` says for each rotation.
    """
    from intermodel.concepts.largest import Largest, threshold_of
    from intermodel.concepts.tally import BATCH_VALUES

    images, units, height, width = maps.shape
    matrices = [random_rotation(units, name) for name in rotation_names(maps.attributes, count)]
    keep = excess(tail, images * height * width) + 1 if count else 0
    largest = [Largest(units, keep) for _ in matrices]
    step = max(1, BATCH_VALUES // (units * height * width))
    for start in range(0, images if count else 0, step):
        block = maps.images(start, min(images, start + step))
        for matrix, kept in zip(matrices, largest, strict=True):
            kept.add(rotate(block, matrix))
    return [
        Rotation(matrix, threshold_of([kept.values()], keep, half=False))
        for matrix, kept in zip(matrices, largest, strict=True)
    ]


def visible_boxes(
    preprocessing: Mapping[str, Any], width: NDArray[np.integer], height: NDArray[np.integer], size: tuple[int, int]
) -> NDArray[np.float64] | None:
    """The part of each label map that the network saw, (N, 4): left, top, right, bottom in pixels of the label map.

    Parameters
    ----------
    preprocessing
        Record of the model's preprocessing.
    width, height
        (N,) pixels of the images.
    size
        Height and width of the label maps, each of which covers a whole image.

    Returns
    -------
    array or None
        None if the network saw all of every image.
    """
    from intermodel.models.preprocessing import Preprocessing

    seen = Preprocessing.from_dict(preprocessing)
    # Data sets hold few different sizes; each is worked out once.
    pairs, which = np.unique(np.stack([width, height], axis=1), axis=0, return_inverse=True)
    scale = [(size[1] / w, size[0] / h) * 2 for w, h in pairs.tolist()]
    boxes = np.array([seen.visible_box(w, h) for w, h in pairs.tolist()]) * np.array(scale)
    # Rounded, so that a side of 63.999999 does not cost a pixel; clipped, since networks may see a rim beyond it.
    limit = np.array([size[1], size[0]] * 2, dtype=np.float64)
    boxes = np.clip(np.round(boxes, 6), 0.0, limit)
    if (boxes == [0.0, 0.0, size[1], size[0]]).all():
        return None
    return np.asarray(boxes[which.reshape(-1)])


def write_tally(path: PathLike, result: Tally, ids: NDArray[np.str_], **attributes: Any) -> None:
    """Write a tally atomically; sums of folds at the root, those of wrong pairings in the group `shuffled`,
    those of rotated units in `rotated`."""
    with create(path) as file:
        write_attributes(file, result.vocabulary.attributes() | attributes)
        write_strings(file, "index", ids)
        file["fold"] = folds_of(ids, len(result.folds))
        file["threshold"] = result.threshold
        file["top_images"], file["top_values"] = result.top_images, result.top_values
        with np.errstate(over="ignore"):  # maps beyond float16 stay as they are
            half = result.top_maps.astype(np.float16)
        exact = np.array_equal(half, result.top_maps)
        file.create_dataset("top_maps", data=half if exact else result.top_maps, **COMPRESSION)
        _write_sums(file, result.folds)
        _write_sums(file.create_group("shuffled"), result.shuffled)
        _write_sums(file.create_group("rotated"), result.rotated)


def read_tally(path: PathLike) -> Tally:
    """Read a tally.

    Raises
    ------
    UserError
        If the file is missing, incomplete or of another kind.
    """
    with open_file(path) as file:
        require(
            file,
            "threshold",
            "top_images",
            "top_values",
            "top_maps",
            "shuffled",
            *(field.name for field in fields(Sums)),
        )
        return Tally(
            Vocabulary.from_attributes(plain_attributes(file)),
            file["threshold"][...],
            _read_sums(file),
            _read_sums(file["shuffled"]),
            file["top_images"][...],
            file["top_values"][...],
            file["top_maps"][...].astype(np.float32),
            _read_sums(file["rotated"]),
        )


def join_tallies(parts: Sequence[PathLike], path: PathLike, top_images: int) -> None:
    """Add the tallies of all shards of a data set, in order, made with the label maps of all its images."""
    about = [read_attributes(part) for part in parts]
    if any(other != about[0] for other in about[1:]):
        raise UserError(f"{parts[0]} and the other shards' tallies do not belong together; delete them and run again.")
    with open_file(parts[0]) as file:
        ids, attributes = read_strings(file["index"]), plain_attributes(file)
    whole = merge([read_tally(part) for part in parts], top_images, of_one=True)
    if whole.folds.images.sum() != len(ids):
        raise UserError(
            f"The shards of {path} hold {whole.folds.images.sum()} of {len(ids)} images; delete them and run again."
        )
    write_tally(path, whole, ids, **{name: value for name, value in attributes.items() if name != "complete"})


def _patterns_of(
    source: h5py.File, vocabulary: Vocabulary, ids: NDArray[np.str_], start: int, stop: int
) -> Iterator[ImagePatterns]:
    layers = source["layers"][start:stop]
    valid = source["valid"][start:stop] if "valid" in source else None
    offset = source["image_label_offset"][start : stop + 1]
    numbers = source["image_label"][offset[0] : offset[-1]]
    for i in range(stop - start):
        whole = numbers[offset[i] - offset[0] : offset[i + 1] - offset[0]]
        name = f"image {str(ids[start + i])!r} in {Path(source.filename).name}"
        yield image_patterns(layers[i], whole, None if valid is None else valid[i], vocabulary, name)


def _append(dataset: h5py.Dataset, values: NDArray[np.integer]) -> None:
    start = dataset.shape[0]
    dataset.resize(start + len(values), axis=0)
    dataset[start:] = values


def _write_sums(group: h5py.Group, sums: Sums) -> None:
    for field in fields(Sums):
        values = getattr(sums, field.name)
        # Half the disk where counts are small, as they nearly always are.
        dtype = np.int32 if values.max(initial=0) <= np.iinfo(np.int32).max else np.int64
        options = COMPRESSION if values.size > 1024 else {}
        group.create_dataset(field.name, data=values.astype(dtype), **options)


def _read_sums(group: h5py.Group) -> Sums:
    return Sums(*(group[field.name][...].astype(np.int64) for field in fields(Sums)))
