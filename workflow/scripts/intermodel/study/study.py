"""Questions that the workflow asks a study: which files, which data set for which analysis, which settings."""

from __future__ import annotations

import json
import zipfile
from pathlib import Path
from typing import Any

from intermodel.engine.environment import expand
from intermodel.engine.errors import UserError
from intermodel.study import schema
from intermodel.study.paths import Paths

# Keys that say where an analysis is run, not how; they must not make finished jobs run again.
PLACEMENT = {"datasets"}
LABELLED_SPLITS = {"train", "test", "val", "valid", "validation"}


class Study(schema.StudyKeys):
    """A validated study. The keys are those of `schema.StudyKeys`; the methods answer the workflow's questions."""

    @property
    def paths(self) -> Paths:
        """Names of all files."""
        return Paths(str(expand(self.results)).rstrip("/") or "/")

    def has_masks(self, dataset: str) -> bool:
        """Whether a data set comes with label maps."""
        spec = self.datasets[dataset]
        if isinstance(spec, schema.Arrays):
            return spec.masks is not None
        return isinstance(spec, schema.Scenes | schema.Segmentation | schema.Broden)

    def has_labels(self, dataset: str) -> bool:
        """Whether a data set comes with one class per image (for folders and arrays: as found on disk)."""
        spec = self.datasets[dataset]
        if isinstance(spec, schema.Folder):
            return spec.layout in ("classes", "splits") or (spec.layout == "auto" and _has_subfolders(spec.path))
        if isinstance(spec, schema.Arrays):
            return spec.labels is not None or bool({"labels", "y_train", "y_test"} & _array_names(spec.path))
        return isinstance(spec, schema.Scenes | schema.Torchvision)

    def datasets_for(self, analysis: str) -> list[str]:
        """Names of the data sets that an analysis uses, in the order of the study."""
        chosen = getattr(self.analyses, analysis).datasets
        if chosen != "auto":
            return [name for name in self.datasets if name in chosen]
        if analysis == "lce":
            return self.datasets_for("concepts") if len(self.models) > 1 else []
        if analysis == "clip_dissect":
            return list(self.datasets) if self.analyses.clip_dissect.weights else []
        if analysis == "unit_matching":
            if len(self.models) < 2:
                return []
            return self.datasets_for("concepts") if self.analyses.unit_matching.over == "maps" else list(self.datasets)
        if analysis == "concepts":
            return [name for name in self.datasets if self.has_masks(name)]
        if analysis == "quality":
            return self.datasets_for("probe")
        if analysis == "probe":
            return [name for name in self.datasets if self.has_labels(name)]
        return list(self.datasets)

    def layers(self, model: str) -> list[str]:
        """Layers of a model, shallow to deep."""
        return list(self.models[model].layers)

    def kept(self, model: str) -> list[str]:
        """Layers of a model whose maps are stored, shallow to deep."""
        kept = self.models[model].keep_maps
        return [layer for layer in self.layers(model) if kept is True or (kept is not False and layer in kept)]

    def streamed(self, model: str) -> list[str]:
        """Layers of a model whose maps are not stored."""
        return [layer for layer in self.layers(model) if layer not in self.kept(model)]

    def pairs(self) -> list[tuple[str, str]]:
        """All (a, b) of models with a <= b, a model with itself included."""
        names = sorted(self.models)
        return [(a, b) for position, a in enumerate(names) for b in names[position:]]

    @property
    def controls(self) -> list[str]:
        """Models that are untrained controls."""
        return [name for name, model in self.models.items() if model.control]

    def settings(self, analysis: str, *keys: str, **more: Any) -> str:
        """Settings of an analysis as JSON with sorted keys: one string, so that swapped values are noticed.

        Parameters
        ----------
        analysis
            A key of `analyses`.
        keys
            The settings that the job depends on; all when none is named. The study's ``seed`` may be among them.
        more
            Further values that the job needs.
        """
        values = getattr(self.analyses, analysis).model_dump(mode="json", exclude=PLACEMENT) | {"seed": self.seed}
        return _json({key: values[key] for key in keys or values} | more)

    def dataset_spec(self, dataset: str) -> str:
        """What a data set is, as JSON; environment variables are left for the job to fill in.

        The size of label maps is not part of it: features do not depend on it.
        """
        return _json(self.datasets[dataset].model_dump(mode="json", exclude={"title", "segmentation_size", "shards"}))

    def segmentation_size(self, dataset: str) -> str:
        """The common size of a data set's label maps, as JSON: null, a side, or height and width."""
        return _json(self.datasets[dataset].segmentation_size)

    def model_spec(self, model: str) -> str:
        """What a network is and how images enter it, as JSON, without what only concerns figures."""
        spec = self.models[model].model_dump(
            mode="json", exclude={"title", "family", "citation", "control", "layers", "keep_maps", "weights"}
        )
        weights = self.models[model].weights
        # Weights that the study trains are told by their file, an input of the job.
        spec["weights"] = (
            {"source": "train"} if isinstance(weights, schema.TrainedWeights) else weights.model_dump(mode="json")
        )
        return _json(spec)

    def recipe(self, model: str) -> str:
        """How a network is trained, as JSON."""
        weights = self.models[model].weights
        if not isinstance(weights, schema.TrainedWeights):
            raise UserError(f"models.{model} is not trained by this study; its weights are {weights.source}.")
        keys = self.models[model]
        return _json(
            {
                "model": model,
                "architecture": keys.architecture,
                "kwargs": keys.kwargs,
                "python_path": keys.python_path,
                "preprocessing": None if keys.preprocessing is None else keys.preprocessing.model_dump(mode="json"),
                "seed": self.seed if weights.seed is None else weights.seed,
                "recipe": weights.model_dump(mode="json", exclude={"source", "dataset", "seed"}, exclude_none=True),
            }
        )

    def page(self) -> str:
        """What the report says of the study itself, as JSON."""
        analyses = ("concepts", "similarity", "unit_matching", "clip_dissect", "probe", "quality", "lce")
        return _json(
            {
                "name": self.name,
                "seed": self.seed,
                "report": self.report.model_dump(mode="json"),
                "analyses": {name: json.loads(self.settings(name)) for name in analyses},
                "used": {name: self.datasets_for(name) for name in analyses},
                "datasets": [{"name": name, "title": spec.title or name} for name, spec in self.datasets.items()],
                **json.loads(self.describe()),
            }
        )

    def titles(self) -> str:
        """Names and titles of all models and which are controls, for what further layers do not change, as JSON."""
        keys = ("name", "title", "control")
        entries = json.loads(self.describe())["models"]
        return _json({"models": [{key: entry[key] for key in keys} for entry in entries]})

    def describe(self) -> str:
        """Names, titles, families and layers of all models, for what compares them on one data set, as JSON."""
        return _json(
            {
                "models": [
                    {
                        "name": name,
                        "title": model.title or name,
                        "family": model.family or ("control" if model.control else "model"),
                        "control": model.control,
                        "layers": list(model.layers),
                        "architecture": model.architecture,
                        "weights": model.weights.model_dump(mode="json", exclude_none=True),
                        "citation": model.citation,
                    }
                    for name, model in self.models.items()
                ],
            }
        )


def _json(value: Any) -> str:
    return json.dumps(value, sort_keys=True, ensure_ascii=False)


def _has_subfolders(path: str) -> bool:
    try:
        return any(entry.is_dir() and not entry.name.startswith(".") for entry in Path(expand(path)).iterdir())
    except (OSError, UserError):
        return False


def _array_names(path: str) -> set[str]:
    try:
        file = Path(expand(path))
        if file.suffix == ".npz":
            with zipfile.ZipFile(file) as archive:
                return {name.removesuffix(".npy") for name in archive.namelist()}
        import h5py

        with h5py.File(file, "r", locking=False) as content:
            return set(content)
    except (OSError, UserError, zipfile.BadZipFile):
        return set()
