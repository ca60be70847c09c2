"""The embedding inside a study: what a vector holds decides which files it needs and which tables it makes."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import yaml
from intermodel.concepts.scores import read_scores
from intermodel.csv_tables import read_table
from small_project import SmallProject

TINY = Path(__file__).parents[1] / "workflow" / "tiny.yaml"

pytestmark = pytest.mark.workflow


def test_vectors_of_auroc_then_of_detectors(tmp_path: Path) -> None:
    tiny = yaml.safe_load(TINY.read_text())
    study = {
        "models": {name: tiny["models"][name] for name in ("untrained", "vit")},
        "analyses": {name: {"datasets": []} for name in ("similarity", "unit_matching", "probe", "quality")}
        | {"concepts": {"tail": 0.02, "rotations": 2, "gallery_units": 0, "composition_length": 1}}
        | {"lce": {"variant": "soft_auroc", "bootstrap": 100, "splits": 20}},
    }
    project = SmallProject(tmp_path, tiny | study)
    assert project.jobs("lce")["resample_auroc"] == 2
    project.snakemake("lce")
    folder = tmp_path / "results" / "lce" / "scenes"
    vectors = read_table(folder / "vectors.csv")
    for model, layer in (("untrained", "layer4"), ("vit", "norm")):
        best = read_scores(tmp_path / "results" / "concepts" / "scenes" / f"{model}.auroc.h5", layer).matrix.max(axis=0)
        value = vectors["value"][vectors["model"] == model]
        assert (value > 0).any()
        # Chosen and judged on different images, it seldom reaches the best of all.
        np.testing.assert_allclose(value[value > 0], best[value > 0], atol=0.4)
        assert value[value > 0].mean() < best[value > 0].mean()
    assert len(read_table(folder / "axes.csv")["value"]) == 0
    assert "those have no AUROC" in " ".join(read_table(folder / "warnings.csv")["statement"])
    project.study["analyses"]["lce"]["variant"] = "hellinger"
    assert project.jobs("lce") == {"embed_models": 1, "plot_lce": 1}
    project.snakemake("lce")
    places = read_table(folder / "axes_map.csv")
    assert places["model"].tolist() == ["untrained", "vit"] and (places["rotations"] == 2).all()
