"""Tallies of layers whose maps are never stored: two passes of the network instead of a file.

The first pass keeps the largest activations of each unit, from which exact thresholds follow, and the largest absolute
value of each layer, which decides whether maps count as float16 or float32, as they would have been stored. The second
pass counts. All numbers equal those of stored maps, and those of shards add up to those of the whole. On a GPU both
passes work on the maps where the network left them.
"""

from __future__ import annotations

import json
import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from intermodel.concepts.device_largest import DeviceLargest
from intermodel.concepts.device_tally import DeviceTally
from intermodel.concepts.files import open_patterns, visible_boxes, write_tally
from intermodel.concepts.largest import Largest, threshold_of
from intermodel.concepts.rotation import Rotation, random_rotation, rotate, rotation_names
from intermodel.concepts.tally import RunningTally
from intermodel.concepts.thresholds import excess
from intermodel.data.manifest_file import read_manifest
from intermodel.data.open import open_dataset
from intermodel.engine.environment import expand
from intermodel.engine.errors import UserError
from intermodel.engine.shards import images_of
from intermodel.features.forward import Rows
from intermodel.features.prefetch import Images
from intermodel.features.ready import Ready, ready
from intermodel.features.shards import LARGEST_HALF, map_dtype
from intermodel.features.stream import stream
from intermodel.models.device import is_out_of_memory
from intermodel.models.load import LoadedModel, load_model
from intermodel.store import (
    PathLike,
    align,
    create,
    open_file,
    plain_attributes,
    require,
)


@dataclass(frozen=True)
class Source:
    """A network and the images that it sees, for either pass.

    Attributes
    ----------
    model, images
        The network and the data set.
    about
        Names `model` and `dataset` and the `dataset_fingerprint`.
    layers
        All layers of the study's model: in their presence the network gives the same last digits as for stored maps.
    shard
        Which part of the images, from 1, of how many.
    options
        batch_size, device, threads, precision, as for `features.extract.extract`.
    workers
        Threads that decode images.
    """

    model: LoadedModel
    images: Images
    about: Mapping[str, str]
    layers: Sequence[str]
    shard: tuple[int, int] = (1, 1)
    options: Mapping[str, Any] | None = None
    workers: int = 1

    @classmethod
    def of(
        cls,
        names: str,
        model: str,
        dataset: str,
        manifest: PathLike,
        weights: Sequence[PathLike],
        layers: Sequence[str],
        *,
        shard: Sequence[int],
        compute: Mapping[str, Any],
        threads: int,
    ) -> Source:
        """The source that the parameters and inputs of a rule name.

        Parameters
        ----------
        names
            Names of data set and model, with a space between.
        model, dataset
            Their specifications, as JSON.
        manifest, weights
            The data set's manifest, and the weights that the study trains, if any.
        layers, shard
            As above.
        compute
            The study's settings of how to compute.
        threads
            Threads of torch on the CPU.
        """
        dataset_name, model_name = names.split()
        fingerprint = read_manifest(manifest).fingerprint
        options = {name: compute[name] for name in ("batch_size", "device", "precision")}
        return cls(
            load_model(json.loads(model), weights_path=next(iter(weights), None)),
            open_dataset(expand(json.loads(dataset)), manifest),
            {"model": model_name, "dataset": dataset_name, "dataset_fingerprint": fingerprint},
            layers,
            (shard[0], shard[1]),
            options | {"threads": threads},
            compute["workers"],
        )

    def origin(self, network: Ready, layer: str) -> dict[str, Any]:
        """What a file of maps of the layer would say of itself."""
        return {
            **self.about,
            "layer": layer,
            "model_fingerprint": self.model.fingerprint,
            "preprocessing": self.model.preprocessing.to_dict(),
            "spatial": list(network.forward.arrangements[layer].grid),
        }


class _Levels:
    """The largest activations of one layer, of its units and of rotated units; maps may lie on `device`."""

    def __init__(
        self,
        shape: tuple[int, ...],
        images: int,
        origin: Mapping[str, Any],
        tail: float,
        rotations: int,
        device: torch.device,
    ) -> None:
        units, height, width = shape
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # the second pass tells of few activations
            self.keep = excess(tail, images * height * width) + 1
        self.largest = 0.0
        self.units = DeviceLargest(units, self.keep, device) if stays(device) else Largest(units, self.keep)
        self.matrices = [random_rotation(units, name) for name in rotation_names(origin, rotations)]
        # Rotations act on stored values, and whether those are rounded is known at the end.
        self.turned = {half: [Largest(units, self.keep) for _ in self.matrices] for half in (True, False)}

    def add(self, maps: Any, largest: float) -> None:
        self.largest = max(self.largest, largest)
        self.units.add(maps)
        if not self.matrices:
            return
        # Products of matrices are rounded alike on the processor alone.
        maps = maps.cpu().numpy() if isinstance(maps, torch.Tensor) else maps
        for half, kept in self.turned.items():
            if half and self.largest > LARGEST_HALF:
                continue
            values = maps.astype(np.float16).astype(np.float32) if half else maps
            for matrix, own in zip(self.matrices, kept, strict=True):
                own.add(rotate(values, matrix))


def find_levels(source: Source, paths: Mapping[str, PathLike], *, tail: float, rotations: int = 0) -> None:
    """The first pass: write the largest activations of the layers `paths`, one file for each.

    Memory and files: what `concepts.largest.Largest` says, `1 + 2 * rotations` times.
    """
    span = images_of(len(source.images), *source.shard)
    with _told_of_memory(source), ready(source.model, source.layers, **(source.options or {})) as network:
        shapes = {name: network.forward.arrangements[name].shape for name in paths}
        origin = {name: source.origin(network, name) for name in paths}
        count = len(source.images)
        device = network.forward.device
        levels = {name: _Levels(shapes[name], count, origin[name], tail, rotations, device) for name in paths}
        for _, rows in _pass(source, network, span, dict.fromkeys(paths, torch.float32), stays(device)):
            for name, result in rows.items():
                assert result.largest is not None
                levels[name].add(result.on_device if result.maps is None else result.maps, float(result.largest.max()))
    for name, path in paths.items():
        about = {"tail": tail, "images": count, "first_image": span.start, "keep": levels[name].keep}
        with create(path, **origin[name], **about, largest=levels[name].largest) as file:
            file["values"] = levels[name].units.values()
            for half, kept in levels[name].turned.items():
                for number, own in enumerate(kept):
                    file[f"rotated/{'half' if half else 'full'}/{number}"] = own.values()


def tally_stream(
    source: Source,
    levels: Mapping[str, Sequence[PathLike]],
    patterns: PathLike,
    paths: Mapping[str, PathLike],
    *,
    tail: float,
    masks: str,
    folds: int,
    top_images: int,
    shuffles: int,
    rotations: int = 0,
    thresholds: str = "exact",
) -> None:
    """The second pass: tally the layers `paths` with the thresholds of all shards' `levels`.

    Parameters
    ----------
    source
        As in the first pass.
    levels
        Layer -> files that `find_levels` wrote, of all shards.
    patterns
        Label maps of the data set.
    paths
        Layer -> file to write: the tally of this shard's images.
    tail, masks, folds, top_images, shuffles, rotations, thresholds
        The study's settings of concepts.

    Raises
    ------
    UserError
        If images, label maps and levels were made from different states of the data set.
    """
    span = images_of(len(source.images), *source.shard)
    with _told_of_memory(source), ExitStack() as stack:
        known, about = stack.enter_context(open_patterns(patterns))
        ids = np.asarray(source.images.ids, dtype=np.str_)
        if about["dataset_fingerprint"] != source.about["dataset_fingerprint"] or len(ids) != len(known):
            raise UserError(
                f"{patterns} ({len(known)} images) was made from another state of the data set "
                f"{source.about['dataset']!r} ({len(ids)} images); delete it and run again."
            )
        rows = align(ids, known.ids, str(patterns))
        if not np.array_equal(rows, np.arange(len(rows))):
            known = known.take(rows)
        seen = source.model.preprocessing.to_dict()
        boxes = visible_boxes(seen, about["width"][rows], about["height"][rows], known.size)
        network = stack.enter_context(ready(source.model, source.layers, **(source.options or {})))
        device = network.forward.device
        on_device = masks == "quantile" and stays(device)
        caught = stack.enter_context(warnings.catch_warnings(record=True))
        warnings.simplefilter("always")
        running: dict[str, Any] = {}
        attributes, dtypes = {}, {}
        for name in paths:
            units, height, width = network.forward.arrangements[name].shape
            origin = source.origin(network, name)
            del caught[:]
            keep = excess(tail, len(ids) * height * width) + 1
            level, turned, half = _thresholds(levels[name], origin, units, keep, rotations)
            dtypes[name] = torch.float16 if half else torch.float32
            kept: dict[str, Any] = {
                "boxes": boxes,
                "folds": folds,
                "top_images": top_images,
                "shuffles": shuffles,
                "rotations": turned,
            }
            if on_device:
                running[name] = DeviceTally(known, units, level, device=device, **kept)
            else:
                running[name] = RunningTally(known, units, level if masks == "quantile" else None, **kept)
            attributes[name] = {
                "tail": tail,
                "thresholds": thresholds,
                "masks": masks,
                "images": len(ids),
                "positions": len(ids) * height * width,
                "size": list(known.size),
                "segmentation_fingerprint": about["segmentation_fingerprint"],
                "warnings": [str(entry.message) for entry in caught] if masks == "quantile" else [],
                **origin,
            }
        for first, found in _pass(source, network, span, dtypes, on_device):
            for name, result in found.items():
                running[name].add(first, result.on_device if result.maps is None else result.maps.astype(np.float32))
    for name, path in paths.items():
        write_tally(path, running[name].result(), ids, **attributes[name])


def stays(device: torch.device) -> bool:
    """Whether maps are better counted on a device than in the memory of the machine."""
    return device.type == "cuda"


def _pass(
    source: Source, network: Ready, span: range, dtypes: Mapping[str, torch.dtype], on_device: bool
) -> Iterator[tuple[int, dict[str, Rows]]]:
    return stream(
        network,
        source.images,
        span,
        dtypes,
        model=source.about["model"],
        dataset=source.about["dataset"],
        workers=source.workers,
        leave_maps=on_device,
    )


@contextmanager
def _told_of_memory(source: Source) -> Iterator[None]:
    """Say what to do where memory runs out for what is kept of the maps (the network helps itself)."""
    try:
        yield
    except (RuntimeError, MemoryError) as error:
        if not is_out_of_memory(error):
            raise
        raise UserError(
            f"Memory ran out for the concepts of {source.about['model']!r} on {source.about['dataset']!r} without "
            "stored maps; set a smaller compute.batch_size, compute.device: cpu, fewer folds, or name fewer layers."
        ) from error


def _thresholds(
    paths: Sequence[PathLike], origin: Mapping[str, Any], units: int, keep: int, rotations: int
) -> tuple[NDArray[np.float64], list[Rotation], bool]:
    """Thresholds of units and of rotated units from all shards, and whether maps count as float16."""
    with ExitStack() as stack:
        files = [stack.enter_context(open_file(path)) for path in paths]
        for path, file in zip(paths, files, strict=True):
            require(file, "values")
            found = plain_attributes(file)
            texts = {name: json.dumps(value, sort_keys=True) for name, value in origin.items()}
            wrong = [name for name, value in origin.items() if found.get(name) not in (value, texts[name])]
            if wrong or int(found["keep"]) != keep:
                raise UserError(
                    f"{Path(path)} was made from another state of the data set or model ({', '.join(wrong) or 'keep'} "
                    "differ); delete it and run again."
                )
        half = map_dtype(max(float(file.attrs["largest"]) for file in files)) == "float16"
        level = threshold_of([file["values"][...] for file in files], keep, half)
        kind = "half" if half else "full"
        turned = [
            Rotation(
                random_rotation(units, name),
                threshold_of([file[f"rotated/{kind}/{number}"][...] for file in files], keep, False),
            )
            for number, name in enumerate(rotation_names(origin, rotations))
        ]
    return level, turned, half
