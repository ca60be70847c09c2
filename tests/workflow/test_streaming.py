"""A study that stores no maps of some layers tells the same of their concepts."""

from __future__ import annotations

from pathlib import Path

import h5py
import numpy as np
import pytest
from workflow.test_shards import Project

pytestmark = pytest.mark.workflow


def contents(path: Path) -> dict[str, object]:
    found: dict[str, object] = {}
    with h5py.File(path) as file:
        file.visititems(lambda name, item: found.update({name: item[...]}) if isinstance(item, h5py.Dataset) else None)
        return found | {f"attribute {name}": value for name, value in file.attrs.items()}


def test_tallies_without_stored_maps_are_those_of_stored_maps(tmp_path: Path) -> None:
    project = Project(tmp_path)
    layers = ["blocks.0", "norm"]
    project.study["models"]["vit"] |= {"layers": layers, "keep_maps": ["norm"]}
    project.study["analyses"]["concepts"] = {"tail": 0.02, "rotations": 1, "gallery_units": 2}
    tallies = [f"results/concepts/scenes/vit/{layer}.h5" for layer in layers]
    project.snakemake(*tallies)
    maps = project.features / "vit"
    assert (maps / "norm.maps.h5").exists() and not (maps / "blocks.0.maps.h5").exists()
    # What lies between the passes goes when it has served.
    assert not list(tmp_path.glob("results/concepts/**/*.levels.h5"))
    assert not list(tmp_path.glob("results/concepts/**/*.part-tally.h5"))
    streamed = contents(tmp_path / tallies[0])
    for compute, anew in (({"batch_size": 7, "workers": 0}, 0), ({"precision": "bfloat16"}, 2)):
        project.study["compute"] = compute
        passes = [name for name in project.jobs(tallies[0]) if name.startswith(("levels_", "stream_"))]
        assert len(passes) == 2 * anew
    project.study["compute"] = {}
    # Changing the mind asks for the maps, and for nothing that is there already.
    assert "Nothing to be done" in project.snakemake(*tallies, "--dry-run")
    project.study["models"]["vit"]["keep_maps"] = True
    project.snakemake(*tallies, "--forcerun", "tally_concepts")
    assert (maps / "blocks.0.maps.h5").exists()
    stored = contents(tmp_path / tallies[0])
    assert stored.keys() == streamed.keys()
    for key, values in stored.items():
        np.testing.assert_array_equal(streamed[key], values, err_msg=key)
