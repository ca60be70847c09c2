"""The file of two models on one data set: which unit of one layer answers which unit of the other."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from intermodel.engine.errors import UserError
from intermodel.engine.seeds import derive_seed
from intermodel.statistics.folds import chosen_images, folds_of
from intermodel.store import (
    Maps,
    PathLike,
    align,
    create,
    open_file,
    plain_attributes,
    read_strings,
    require,
)
from intermodel.unit_matching.activations import Activations, MapActivations, PooledActivations
from intermodel.unit_matching.correlation import accumulate
from intermodel.unit_matching.grid import Side, common_grid, same_view, views
from intermodel.unit_matching.matching import Matching, Nearest, match

ARRAYS = ("mutual", "correlation", "position", "p", "beyond_chance")
NUMBERS = ("similarity_a", "similarity_b", "low", "high", "null_similarity", "null_mutual_fraction")


@dataclass(frozen=True)
class Pair:
    """A matching with what it was made from (`dataset`, `model_a`, `layer_a`, ..., `over`, `images`, `positions`)."""

    matching: Matching
    attributes: dict[str, Any]


def match_models(
    layer_a: PathLike,
    layer_b: PathLike,
    manifest: PathLike,
    output: PathLike,
    *,
    over: str = "maps",
    images: int | None = None,
    folds: int = 16,
    shuffles: int = 1,
    seed: int = 0,
) -> None:
    """Match the units of two layers and write the pair file.

    Parameters
    ----------
    layer_a, layer_b
        Files of maps, or of pooled features; images are joined by id.
    manifest
        Sizes of the images, for networks that see different parts of them.
    output
        The pair file.
    over
        ``"maps"``: correlate over images and positions; ``"pooled"``: over images alone.
    images
        Largest number of images used, chosen by a hash of their ids; None uses all.
    folds
        Folds of images for the interval.
    shuffles
        Wrong pairings of the images for the null.
    seed
        The study's seed.

    Raises
    ------
    UserError
        If the files were made from different states of the data set, or hold values that are not finite.
    """
    with _open(layer_a, layer_b, manifest, over) as (a, b):
        first, second = a.attributes, b.attributes
        for name, what in (("dataset", "data set"), ("dataset_fingerprint", "state of the data set")):
            if first.get(name, "") != second.get(name, ""):
                raise UserError(
                    f"{layer_b} was made from {what} {second.get(name, '')!r}, but {layer_a} from "
                    f"{first.get(name, '')!r}; delete the older one and run again."
                )
        if len(a.ids) != len(b.ids):
            raise UserError(
                f"{layer_b} holds {len(b.ids)} images, but {layer_a} holds {len(a.ids)}; delete the older one and run "
                "again."
            )
        rows = chosen_images(a.ids, images)
        found = accumulate(
            a,
            b,
            rows,
            align(a.ids[rows], b.ids, str(layer_b)),
            folds_of(a.ids[rows], folds),
            folds,
            shuffles,
            derive_seed(seed, "unit_matching", str(first.get("dataset", ""))),
        )
        about = {
            "dataset": first.get("dataset", ""),
            "dataset_fingerprint": first.get("dataset_fingerprint", ""),
            "model_fingerprint_a": first.get("model_fingerprint", ""),
            "model_fingerprint_b": second.get("model_fingerprint", ""),
            **{f"{name}_{side}": values[name] for name in ("model", "layer") for side, values in _sides(first, second)},
            "over": over,
            "images": len(rows),
            "positions": a.positions,
        }
    write_pair(output, match(found), **about)


def write_pair(path: PathLike, matching: Matching, **about: Any) -> None:
    """Write a pair file atomically; numbers of the matching are attributes."""
    with create(path, **{name: getattr(matching, name) for name in NUMBERS}, **about) as file:
        for name in ARRAYS:
            file[name] = getattr(matching, name)
        for side in ("a", "b"):
            found: Nearest = getattr(matching, f"nearest_{side}")
            file[f"nearest_{side}"], file[f"nearest_{side}_correlation"] = found.unit, found.correlation


def read_pair(path: PathLike) -> Pair:
    """Read a pair file.

    Raises
    ------
    UserError
        If the file is missing, incomplete or of another kind.
    """
    with open_file(path) as file:
        require(file, *ARRAYS, "nearest_a", "nearest_b")
        attributes = plain_attributes(file)
        first, second = (
            Nearest(file[f"nearest_{side}"][...], file[f"nearest_{side}_correlation"][...]) for side in ("a", "b")
        )
        arrays: dict[str, Any] = {name: file[name][...] for name in ARRAYS}
    numbers: dict[str, Any] = {name: float(attributes[name]) for name in NUMBERS}
    return Pair(Matching(nearest_a=first, nearest_b=second, **arrays, **numbers), attributes)


def _sides(first: dict[str, Any], second: dict[str, Any]) -> list[tuple[str, dict[str, Any]]]:
    return [("a", first), ("b", second)]


@contextmanager
def _open(
    layer_a: PathLike, layer_b: PathLike, manifest: PathLike, over: str
) -> Iterator[tuple[Activations, Activations]]:
    """Both layers on the same positions."""
    if over == "pooled":
        yield PooledActivations(layer_a), PooledActivations(layer_b)
        return
    with ExitStack() as stack:
        a, b = stack.enter_context(Maps(layer_a)), stack.enter_context(Maps(layer_b))
        shape_a, shape_b = a.shape[2:], b.shape[2:]
        seen_a, seen_b = (json.loads(maps.attributes.get("preprocessing", "{}")) for maps in (a, b))
        grid = (min(shape_a[0], shape_b[0]), min(shape_a[1], shape_b[1]))
        if same_view(seen_a, seen_b):
            side_a, side_b = common_grid(shape_a, shape_b)
            yield MapActivations(a, grid, [side_a]), MapActivations(b, grid, [side_b])
            return
        with open_file(manifest) as images:
            require(images, "id", "width", "height")
            ids, width, height = read_strings(images["id"]), images["width"][...], images["height"][...]
        found, which = views(seen_a, seen_b, width, height)
        sides: list[tuple[Side | None, Side | None]] = [
            common_grid(shape_a, shape_b, box_a, box_b) for box_a, box_b in found
        ]
        layers: list[tuple[Maps, list[Side | None]]] = [
            (a, [side for side, _ in sides]),
            (b, [side for _, side in sides]),
        ]
        first, second = (
            MapActivations(maps, grid, weights, _of_rows(which, ids, maps, manifest)) for maps, weights in layers
        )
        yield first, second


def _of_rows(which: NDArray[np.intp], ids: NDArray[np.str_], maps: Maps, manifest: PathLike) -> NDArray[np.intp]:
    return np.asarray(which[align(maps.ids, ids, str(manifest))])
