"""Networks measured before they are run."""

from __future__ import annotations

import pytest
from intermodel.engine.errors import UserError
from intermodel.features.measure import measure_network

VIT = {
    "architecture": "test_vit",
    "kwargs": {"patch_size": 8, "img_size": 32, "embed_dim": 32, "depth": 2, "num_heads": 2},
    "preprocessing": {"size": 32},
}
RESNET = {
    "architecture": "resnet14t",
    "kwargs": {"channels": [4, 8, 8, 16], "stem_width": 4, "output_stride": 8},
    "preprocessing": {"size": 32},
}


@pytest.mark.parametrize(
    "record, shapes",
    [
        (VIT, {"blocks.0": (32, 4, 4), "norm": (32, 4, 4)}),
        (RESNET, {"layer1": (16, 8, 8), "layer4": (64, 4, 4), "global_pool": (64, 1, 1)}),
    ],
    ids=["tokens", "maps"],
)
def test_shapes_are_those_of_the_files(record: dict[str, object], shapes: dict[str, tuple[int, int, int]]) -> None:
    cost = measure_network(record, list(shapes), batch_size=2, device="cpu")
    assert cost.shapes == shapes
    assert cost.device == "cpu"
    assert 1e-6 < cost.seconds < 10


def test_layers_that_cannot_be_extracted_are_told() -> None:
    with pytest.raises(UserError, match=r"no layer 'layr4'; did you mean"):
        measure_network(RESNET, ["layr4"], device="cpu")
