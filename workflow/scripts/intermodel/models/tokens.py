"""What a layer's output means: units on a grid, whether it comes as a convolutional map, tokens or a vector."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import nn

from intermodel.engine.errors import UserError
from intermodel.models.record import check_keys

LAYOUTS = ("auto", "channels_first", "channels_last")


@dataclass(frozen=True)
class Tokens:
    """How the tokens of a transformer lie.

    Attributes
    ----------
    prefix
        Number of class and register tokens before the grid; None for ``"auto"``.
    grid
        Height and width of the grid of patches; None for ``"auto"``.
    pool
        ``"mean"`` over the grid, or ``"class"`` for the first prefix token.
    """

    prefix: int | None = None
    grid: tuple[int, int] | None = None
    pool: str = "mean"

    @classmethod
    def from_dict(cls, record: Mapping[str, Any] | None) -> Tokens:
        """Read and check the `tokens` of a model record."""
        record = record or {}
        check_keys(record, ("prefix", "grid", "pool"), "tokens")
        prefix, grid, pool = record.get("prefix", "auto"), record.get("grid", "auto"), record.get("pool", "mean")
        if prefix != "auto" and not (isinstance(prefix, int) and not isinstance(prefix, bool) and prefix >= 0):
            raise UserError(f"tokens.prefix is {prefix!r}, expected auto or the number of class and register tokens.")
        if grid != "auto" and not (
            isinstance(grid, Sequence) and len(grid) == 2 and all(isinstance(side, int) and side > 0 for side in grid)
        ):
            raise UserError(f"tokens.grid is {grid!r}, expected auto or two whole numbers, height and width.")
        if pool not in ("mean", "class"):
            raise UserError(f"tokens.pool is {pool!r}, expected mean or class.")
        return cls(None if prefix == "auto" else prefix, None if grid == "auto" else tuple(grid), pool)

    def to_dict(self) -> dict[str, Any]:
        """The record, every key written out (JSON types)."""
        return {
            "prefix": "auto" if self.prefix is None else self.prefix,
            "grid": "auto" if self.grid is None else list(self.grid),
            "pool": self.pool,
        }


@dataclass(frozen=True)
class Arrangement:
    """How the output of one layer becomes maps (N, C, h, w).

    Attributes
    ----------
    kind
        ``"channels_first"`` (N, C, h, w), ``"channels_last"`` (N, h, w, C), ``"tokens"`` (N, T, C) or ``"vector"``
        (N, C), which counts as a map of one position.
    channels
        Number of units, C.
    grid
        Height and width of the map.
    prefix
        Number of tokens before the grid (tokens only).
    pool
        ``"mean"`` or ``"class"`` (tokens only).
    """

    kind: str
    channels: int
    grid: tuple[int, int]
    prefix: int = 0
    pool: str = "mean"

    @property
    def shape(self) -> tuple[int, int, int]:
        """Shape of one image's map, (C, h, w)."""
        return self.channels, *self.grid

    def maps(self, output: torch.Tensor) -> torch.Tensor:
        """The layer's output as maps, (N, C, h, w); a view where possible."""
        if self.kind == "channels_first":
            return output
        if self.kind == "channels_last":
            return output.permute(0, 3, 1, 2)
        if self.kind == "vector":
            return output[:, :, None, None]
        return output[:, self.prefix :].transpose(1, 2).reshape(-1, *self.shape)

    def pooled(self, output: torch.Tensor) -> torch.Tensor:
        """One value for each image and unit, (N, C) float64: the mean over the grid, or the class token."""
        if self.kind == "vector":
            return output.double()
        if self.pool == "class":
            return output[:, 0].double()
        if self.kind == "tokens":
            return output[:, self.prefix :].mean(dim=1, dtype=torch.float64)
        return output.mean(dim=(2, 3) if self.kind == "channels_first" else (1, 2), dtype=torch.float64)


def arrange(
    shape: Sequence[int],
    input_size: tuple[int, int],
    tokens: Tokens,
    model: nn.Module,
    layout: str = "auto",
    layer: str = "",
) -> Arrangement:
    """Find out how the output of a layer is arranged.

    Parameters
    ----------
    shape
        Shape of the output for one batch: (N, C), (N, T, C), (N, C, h, w) or (N, h, w, C).
    input_size
        Height and width of the network's input.
    tokens
        Token layout of the model record; what is ``auto`` there comes from timm's attributes and from the shape.
    model
        The network (for timm's ``num_prefix_tokens``, ``output_fmt`` and ``patch_embed.grid_size``).
    layout
        ``"channels_first"``, ``"channels_last"`` or ``"auto"``, which takes the two axes that have the proportions of
        the input for the grid.
    layer
        Name of the layer, for error messages.

    Raises
    ------
    UserError
        If the shape fits no arrangement, or tokens do not fill the grid.
    """
    what = f"The output of layer {layer!r} has the shape {tuple(shape)}"
    if any(side == 0 for side in shape):
        raise UserError(f"{what}, which holds no values; choose another layer.")
    if len(shape) == 2:
        return Arrangement("vector", shape[1], (1, 1))
    if len(shape) == 3:
        prefix, grid = _token_grid(shape[1], input_size, tokens, model, what)
        if tokens.pool == "class" and prefix == 0:
            raise UserError(f"{what}, which has no class token, but tokens.pool is class; set tokens.pool: mean.")
        return Arrangement("tokens", shape[2], grid, prefix, tokens.pool)
    if len(shape) == 4:
        if layout == "auto":
            layout = _layout(shape, input_size, model, what)
        if layout == "channels_first":
            return Arrangement(layout, shape[1], (shape[2], shape[3]))
        return Arrangement(layout, shape[3], (shape[1], shape[2]))
    raise UserError(f"{what}, expected (N, C), (N, T, C), (N, C, h, w) or (N, h, w, C); choose another layer.")


def _layout(shape: Sequence[int], input_size: tuple[int, int], model: nn.Module, what: str) -> str:
    first = _proportional((shape[2], shape[3]), input_size)
    last = _proportional((shape[1], shape[2]), input_size)
    if first and last:
        # Swin-like networks of timm say that they pass (N, h, w, C) between blocks.
        return "channels_last" if str(getattr(model, "output_fmt", "NCHW")).endswith("NHWC") else "channels_first"
    if first or last:
        return "channels_first" if first else "channels_last"
    raise UserError(
        f"{what}, in which no two axes have the proportions of the {input_size[0]}x{input_size[1]} input; set layout: "
        "channels_first or channels_last in the model's record."
    )


def _proportional(grid: tuple[int, int], input_size: tuple[int, int]) -> bool:
    """Whether a grid has the aspect of the input, to within the rounding of one position."""
    return abs(grid[0] - grid[1] * input_size[0] / input_size[1]) < max(1.0, input_size[0] / input_size[1])


def _token_grid(
    count: int, input_size: tuple[int, int], tokens: Tokens, model: nn.Module, what: str
) -> tuple[int, tuple[int, int]]:
    """Number of prefix tokens and grid of a layer with `count` tokens."""
    declared = getattr(model, "num_prefix_tokens", None)
    if tokens.prefix is not None:
        candidates = [tokens.prefix]
    elif isinstance(declared, int):
        # Some networks add their class token only in the last blocks.
        candidates = [declared, 0]
    else:
        candidates = [0, 1]
    embedding = getattr(getattr(model, "patch_embed", None), "grid_size", None)
    for prefix in candidates:
        grid = tokens.grid
        if grid is None and isinstance(embedding, tuple) and embedding[0] * embedding[1] == count - prefix:
            grid = (int(embedding[0]), int(embedding[1]))
        if grid is None:
            grid = _grid_of(count - prefix, input_size)
        if grid is not None and grid[0] * grid[1] == count - prefix:
            return prefix, grid
    raise UserError(
        f"{what}: {count} tokens, which do not fill a grid "
        + (f"of {tokens.grid[0]}x{tokens.grid[1]}" if tokens.grid else f"with the proportions of {input_size}")
        + f" after {' or '.join(map(str, candidates))} prefix tokens; set tokens.prefix and tokens.grid in the "
        "model's record."
    )


def _grid_of(count: int, input_size: tuple[int, int]) -> tuple[int, int] | None:
    """The grid of `count` positions with the aspect of the input, if there is one."""
    if count < 1:
        return None
    height = round((count * input_size[0] / input_size[1]) ** 0.5)
    for candidate in (height, height + 1, height - 1):
        if candidate > 0 and count % candidate == 0:
            grid = (candidate, count // candidate)
            if abs(grid[0] * input_size[1] - grid[1] * input_size[0]) <= max(input_size) * 0.5:
                return grid
    return None
