"""Small networks, images, and a plain single-image reference for extraction."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from intermodel.features.extract import Extraction, FeatureFile, extract
from intermodel.models.fingerprint import state_digest
from intermodel.models.load import LoadedModel
from intermodel.models.preprocessing import Preprocessing
from intermodel.models.tokens import Tokens
from torch import nn


class Pictures:
    """Noise pictures of different sizes; `image(i)` may be told to fail or to wait."""

    def __init__(self, count: int, size: int = 16, seed: int = 0) -> None:
        self.ids = [f"picture-{number}" for number in range(count)]
        self.size, self.seed = size, seed
        self.seen: list[int] = []

    def __len__(self) -> int:
        return len(self.ids)

    def image(self, index: int) -> np.ndarray:
        self.seen.append(index)
        generator = np.random.default_rng([self.seed, index])
        shape = (self.size + index % 3, self.size + index % 5, 3)
        return generator.integers(0, 256, shape, dtype=np.uint8)


class Net(nn.Module):
    """Convolutions with batch norm and in-place ReLU, then a linear layer."""

    def __init__(self, width: int = 6) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(3, width, 3, padding=1, bias=False)
        self.bn1 = nn.BatchNorm2d(width)
        self.relu1 = nn.ReLU(inplace=True)
        self.conv2 = nn.Conv2d(width, 2 * width, 3, stride=2, padding=1)
        self.relu2 = nn.ReLU(inplace=True)
        self.fc = nn.Linear(2 * width, 5)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = self.relu1(self.bn1(self.conv1(x)))
        x = self.relu2(self.conv2(x))
        return self.fc(x.mean((2, 3)))


def network(seed: int = 0) -> Net:
    torch.manual_seed(seed)
    net = Net()
    nn.init.uniform_(net.bn1.running_mean, -0.2, 0.2)
    nn.init.uniform_(net.bn1.running_var, 0.5, 2)
    return net.eval().requires_grad_(False)


def loaded(net: nn.Module, size: int = 16, **tokens: Any) -> LoadedModel:
    """A network as `load_model` returns it."""
    digest = state_digest(net.state_dict())
    preprocessing = Preprocessing((size, size), mean=(0.5, 0.4, 0.3), std=(0.2, 0.3, 0.4))
    return LoadedModel(net, preprocessing, Tokens(**tokens), "auto", None, digest, f"fingerprint-{digest}")


def run(
    folder: Path, names: Sequence[str], net: nn.Module | LoadedModel, pictures: Pictures, **options: Any
) -> Extraction:
    """Extract the files `names` into `folder`."""
    model = net if isinstance(net, LoadedModel) else loaded(net)
    given = {"batch_size": 4, "workers": 2, "device": "cpu", "dataset_fingerprint": "d", **options}
    files = [FeatureFile.at(folder / name) for name in names]
    return extract(model, pictures, files, model_name="net", dataset="pictures", **given)


def reference(net: nn.Module, layer: str, pictures: Pictures, model: LoadedModel | None = None) -> np.ndarray:
    """Outputs of a layer, one plain forward pass for each image, with nothing between hook and copy."""
    preprocessing = (model or loaded(net)).preprocessing
    outputs: list[np.ndarray] = []
    module = dict(net.named_modules())[layer]
    handle = module.register_forward_hook(lambda module, inputs, output: outputs.append(output.numpy().copy()))
    plain = net.to(memory_format=torch.contiguous_format)
    mean, std = (torch.tensor(value).view(1, 3, 1, 1) for value in (preprocessing.mean, preprocessing.std))
    with torch.no_grad():
        for index in range(len(pictures)):
            pixels = torch.from_numpy(preprocessing.pixels(pictures.image(index)).copy())
            plain((pixels.permute(2, 0, 1)[None].contiguous().float() / 255 - mean) / std)
    handle.remove()
    return np.concatenate(outputs)


@pytest.fixture
def pictures() -> Pictures:
    return Pictures(11)
