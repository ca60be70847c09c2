"""A small CLIP model with random weights, as a user would supply it: a configuration and a checkpoint."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

CONFIG = {
    "embed_dim": 32,
    "vision_cfg": {"image_size": 32, "layers": 2, "width": 32, "head_width": 16, "patch_size": 8},
    "text_cfg": {"context_length": 77, "vocab_size": 49408, "width": 32, "heads": 2, "layers": 2},
}
WORDS = ["sky", "water", "building", "striped", "tree", "red", "blue", "window"]


@pytest.fixture(scope="session")
def small_clip(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """Files of the configuration and of the weights."""
    import open_clip
    import torch
    from safetensors.torch import save_file

    folder = tmp_path_factory.mktemp("clip")
    config, weights = folder / "small-clip.json", folder / "small-clip.safetensors"
    config.write_text(json.dumps(CONFIG))
    open_clip.add_model_config(config)
    torch.manual_seed(0)
    model = open_clip.create_model("small-clip")
    save_file({key: value.contiguous() for key, value in model.state_dict().items()}, weights)
    return config, weights
