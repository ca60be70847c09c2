"""A model record made real: network, weights, preprocessing, token layout, fingerprint."""

from __future__ import annotations

import logging
import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from torch import nn

from intermodel.engine.environment import expand
from intermodel.engine.errors import UserError
from intermodel.models.architecture import build, is_import_path, source_digest
from intermodel.models.checkpoint import locate, read_checkpoint, unwrap
from intermodel.models.fingerprint import model_fingerprint, state_digest
from intermodel.models.formats import FORMATS, Format
from intermodel.models.keys import LoadReport, load_state
from intermodel.models.preprocessing import IMAGENET_MEAN, IMAGENET_STD, Preprocessing, from_timm
from intermodel.models.record import check_keys, one_line, suggestion
from intermodel.models.timm_import import import_timm
from intermodel.models.tokens import LAYOUTS, Tokens

logger = logging.getLogger(__name__)

RECORD_KEYS = ("architecture", "kwargs", "python_path", "weights", "preprocessing", "tokens", "layout", "layers")
_WEIGHTS_KEYS = {
    "random": ("source", "seed"),
    "pretrained": ("source", "tag", "cache"),
    "checkpoint": (
        *("source", "path", "url", "sha256", "cache", "format"),
        *("unwrap", "prefix", "drop", "rename", "strict"),
    ),
    "callable": ("source",),
    "train": None,
}
_SCALES = {True: "normalised with mean and std", False: "in 0..1 without mean and std"}
_FORMAT_KEYS = ("unwrap", "prefix", "drop", "rename")


@dataclass(frozen=True)
class LoadedModel:
    """A network ready for extraction.

    Attributes
    ----------
    network
        In evaluation mode, float32, on the CPU, without gradients.
    preprocessing
        What its images go through.
    tokens
        How its tokens lie, as far as the record says so.
    layout
        ``"auto"``, ``"channels_first"`` or ``"channels_last"``.
    report
        What became of the checkpoint's keys; None where there was no checkpoint.
    weights_digest
        Digest of the loaded weights.
    fingerprint
        Digest of everything that the model's features depend on.
    """

    network: nn.Module
    preprocessing: Preprocessing
    tokens: Tokens
    layout: str
    report: LoadReport | None
    weights_digest: str
    fingerprint: str


def load_model(record: Mapping[str, Any], weights_path: str | os.PathLike[str] | None = None) -> LoadedModel:
    """Build the network of a model record, load its weights, and settle its preprocessing and token layout.

    Parameters
    ----------
    record
        Keys `architecture`, `kwargs`, `python_path`, `weights`, `preprocessing`, `tokens`, `layout` (see
        docs/models.md).
    weights_path
        The safetensors file that the study trained, for weights with ``source: train``.

    Raises
    ------
    UserError
        If the record, the architecture, the weights or the preprocessing are not as they should be.
    """
    check_keys(record, RECORD_KEYS, "the model")
    architecture, kwargs = architecture_of(record)
    weights = dict(record.get("weights") or {"source": "random"})
    source = _check_weights(weights, architecture)
    layout_format = checkpoint_format(weights) if source == "checkpoint" else None
    python_path = record.get("python_path")
    report = None
    if source == "pretrained":
        network = _pretrained(architecture, kwargs, weights)
    else:
        network = build(architecture, kwargs, int(weights.get("seed", 0)) if source == "random" else 0, python_path)
    if source == "checkpoint":
        assert layout_format is not None
        path = locate(*(weights.get(key) for key in ("path", "url", "sha256", "cache")))
        state = unwrap(read_checkpoint(path), layout_format.unwrap, path)
        report = load_state(network, state, layout_format, weights.get("strict", True), f"The checkpoint {path}")
    elif source == "train":
        if weights_path is None:
            raise UserError("The weights have source: train, but no file of trained weights was given (weights_path).")
        path = Path(weights_path)
        if not path.is_file():
            raise UserError(f"The trained weights {path} do not exist; run the training first.")
        report = load_state(
            network, unwrap(read_checkpoint(path), None, path), Format(), True, f"The weights file {path}"
        )
    if report is not None:
        (logger.warning if report.missing or report.unexpected else logger.info)("%s", report.summary())
    preprocessing = resolve_preprocessing(record, network, weights)
    tokens = Tokens.from_dict(record.get("tokens"))
    layout = record.get("layout") or "auto"
    if layout not in LAYOUTS:
        raise UserError(f"layout is {layout!r}, expected one of {', '.join(LAYOUTS)}.")
    network = network.float()
    digest = state_digest(network.state_dict())
    fingerprint = model_fingerprint(
        *(architecture, kwargs, digest, source_digest(architecture, python_path)),
        *(preprocessing.to_dict(), tokens.to_dict(), layout),
    )
    return LoadedModel(network, preprocessing, tokens, layout, report, digest, fingerprint)


def architecture_of(record: Mapping[str, Any]) -> tuple[str, dict[str, Any]]:
    """Architecture and keyword arguments of a model record.

    A network of timm that the study trains has no classifier, as its weights file has none.
    """
    architecture = record.get("architecture")
    if not isinstance(architecture, str) or not architecture:
        raise UserError(f"The model's architecture is {architecture!r}, expected a name of timm or 'module:callable'.")
    kwargs = record.get("kwargs") or {}
    if not isinstance(kwargs, Mapping) or not all(isinstance(key, str) for key in kwargs):
        raise UserError(f"The model's kwargs are {kwargs!r}, expected a mapping from names to values.")
    trained = (record.get("weights") or {}).get("source") == "train"
    if trained and not is_import_path(architecture):
        return architecture, {"num_classes": 0, **kwargs}
    return architecture, dict(kwargs)


def checkpoint_format(weights: Mapping[str, Any]) -> Format:
    """How the keys of the checkpoint in `weights` become the network's: a named format, or what the record "
    "spells out."""
    name = weights.get("format")
    if name is not None:
        if name not in FORMATS:
            raise UserError(f"weights.format is {name!r}, which is not known{suggestion(str(name), FORMATS)}.")
        extra = [key for key in _FORMAT_KEYS if weights.get(key)]
        if extra:
            raise UserError(
                f"weights.format is {name!r}, which fixes {', '.join(extra)} too; leave one of the two out."
            )
        return FORMATS[name]
    keys = weights.get("unwrap")
    rename = weights.get("rename") or {}
    for pattern, replacement in rename.items():
        try:
            re.compile(pattern).sub(replacement, "")
        except (re.error, IndexError) as error:
            raise UserError(
                f"weights.rename has the rule {pattern!r}: {replacement!r}, which is not a regular expression and its "
                f"replacement ({one_line(error)}); correct it."
            ) from error
    return Format(
        None if keys is None else tuple(keys),
        weights.get("prefix") or "",
        tuple(weights.get("drop") or ()),
        dict(rename),
    )


def resolve_preprocessing(record: Mapping[str, Any], network: nn.Module, weights: Mapping[str, Any]) -> Preprocessing:
    """The preprocessing that the record writes out, else the named format's, else the one in timm's configuration.

    Raises
    ------
    UserError
        If there is none, or if the record normalises where the named format must not (or the reverse), which would
        change every feature without any other sign.
    """
    written = record.get("preprocessing")
    name = weights.get("format")
    normalised = FORMATS[name].normalised if name else None
    if written is not None:
        preprocessing = Preprocessing.from_dict(written)
        if normalised is not None and normalised != (preprocessing.mean is not None):
            raise UserError(
                f"The format {name!r} takes pixels {_SCALES[normalised]}, but preprocessing has mean: "
                f"{written.get('mean')}; correct it, or leave preprocessing out to take the format's."
            )
        return preprocessing
    if normalised is not None:
        mean, std = (IMAGENET_MEAN, IMAGENET_STD) if normalised else (None, None)
        return Preprocessing(size=(224, 224), mean=mean, std=std)
    config = getattr(network, "pretrained_cfg", None)
    if not config or is_import_path(str(record.get("architecture"))):
        raise UserError(
            f"The model with the architecture {record.get('architecture')!r} has no preprocessing and nothing to "
            "take it from; write `preprocessing` (size, resize, crop, mean, std) into its record."
        )
    embedded = getattr(getattr(network, "patch_embed", None), "img_size", None)
    return from_timm(config, (int(embedded[0]), int(embedded[1])) if embedded else None)


def _check_weights(weights: Mapping[str, Any], architecture: str) -> str:
    source = weights.get("source")
    if source not in _WEIGHTS_KEYS:
        raise UserError(f"weights.source is {source!r}, expected one of {', '.join(_WEIGHTS_KEYS)}.")
    known = _WEIGHTS_KEYS[source]
    if known is not None:
        check_keys(weights, known, f"weights with source: {source}")
    own = is_import_path(architecture)
    if source == "pretrained" and own:
        raise UserError(
            f"weights have source: pretrained, but {architecture!r} is not an architecture of timm; use source: "
            "checkpoint, or source: callable if the callable loads its weights itself."
        )
    if source == "callable" and not own:
        raise UserError(
            f"weights have source: callable, but the architecture {architecture!r} is no 'module:callable'."
        )
    return str(source)


def _pretrained(architecture: str, kwargs: Mapping[str, Any], weights: Mapping[str, Any]) -> nn.Module:
    timm = import_timm()
    tag = weights.get("tag")
    if tag is not None and "." in architecture:
        raise UserError(f"weights.tag is {tag!r}, but the architecture {architecture!r} names one too; leave one out.")
    name = f"{architecture}.{tag}" if tag is not None else architecture
    known = (
        timm.list_pretrained(f"{architecture.split('.')[0]}.*") if timm.is_model(architecture.split(".")[0]) else None
    )
    if known is not None and (not known or ("." in name and name not in known)):
        raise UserError(
            f"timm {timm.__version__} has no pretrained weights {name!r}"
            + (f"{suggestion(name, known)}." if known else "; use source: random or source: checkpoint.")
        )
    cache = weights.get("cache")
    try:
        return build(name, kwargs, pretrained=True, cache_dir=Path(expand(cache)) if cache else None)
    except UserError:
        raise
    except Exception as error:
        raise UserError(
            f"The pretrained weights of {name!r} could not be loaded ({type(error).__name__}: {one_line(error)}); "
            "check the connection to huggingface.co, or set weights.cache to a folder that holds them."
        ) from error
