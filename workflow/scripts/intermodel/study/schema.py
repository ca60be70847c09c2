"""The keys of a study, typed and documented; unknown keys are errors.

The descriptions are the reference that `config/README.md` and `config/schema.json` are generated from.
"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from intermodel.study.analysis_keys import Analyses, Concepts, Lce, Measure, Probe, Quality, Similarity
from intermodel.study.dataset_keys import (
    Arrays,
    Broden,
    Dataset,
    DatasetKeys,
    Folder,
    Scenes,
    Segmentation,
    Torchvision,
)
from intermodel.study.keys import Keys, Positive
from intermodel.study.model_keys import (
    Augmentation,
    CallableWeights,
    CheckpointFormat,
    CheckpointWeights,
    Model,
    Preprocessing,
    PretrainedWeights,
    RandomWeights,
    Tokens,
    TrainedWeights,
    Weights,
)

__all__ = [
    "Analyses",
    "Arrays",
    "Augmentation",
    "Broden",
    "CallableWeights",
    "CheckpointFormat",
    "CheckpointWeights",
    "Compute",
    "Concepts",
    "Dataset",
    "DatasetKeys",
    "Folder",
    "Keys",
    "Lce",
    "Measure",
    "Model",
    "Preprocessing",
    "PretrainedWeights",
    "Probe",
    "Quality",
    "RandomWeights",
    "Report",
    "Scenes",
    "Segmentation",
    "Similarity",
    "StudyKeys",
    "Tokens",
    "Torchvision",
    "TrainedWeights",
    "Weights",
]


class Compute(Keys):
    """How, not what: none of these keys but `precision` changes a result beyond stated tolerances."""

    device: Literal["auto", "cpu", "cuda"] = Field("auto", description="auto: CUDA if there is one, else the CPU.")
    batch_size: Positive = Field(64, description="Images per forward pass; halved when memory runs out.")
    workers: Annotated[int, Field(ge=0)] = Field(2, description="Threads that decode images beside the network.")
    precision: Literal["float32", "bfloat16"] = Field(
        "float32", description="Arithmetic of networks whose features are extracted; bfloat16 is faster on some GPUs."
    )


class Report(Keys):
    """The page."""

    title: str = Field("What have these models learned?", description="Heading of the page.")
    authors: str | None = Field(None, description="Who made the study.")
    introduction: str | None = Field(None, description="A paragraph shown before the results.")


class StudyKeys(Keys):
    """Models, data sets, analyses."""

    name: str = Field(description="Short name of the study.")
    results: str = Field("results", min_length=1, description="Folder of all results; give each study its own.")
    seed: int = Field(0, description="Seed from which every job's own is derived by name.")
    datasets: dict[str, Dataset] = Field(min_length=1, description="Data sets by name.")
    models: dict[str, Model] = Field(min_length=1, description="Models by name.")
    analyses: Analyses = Field(Analyses(), description="What to compute.")
    compute: Compute = Field(Compute(), description="How to compute it.")
    report: Report = Field(Report(), description="The report's texts.")
