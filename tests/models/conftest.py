"""Small networks and files that several tests of models need."""

from __future__ import annotations

from pathlib import Path

import pytest

OWN_NETWORK = """
import torch
from torch import nn

SCALE = 1.0


class Net(nn.Module):
    def __init__(self, width=4, bias=True):
        super().__init__()
        self.conv = nn.Conv2d(3, width, 3, padding=1, bias=bias)
        self.norm = nn.BatchNorm2d(width)
        self.act = nn.ReLU(inplace=True)
        self.fc = nn.Linear(width, 2)

    def forward(self, x):
        return self.fc(self.act(self.norm(self.conv(x))).mean((2, 3)))


def build(width=4, bias=True):
    return Net(width, bias)


def load(width=4):
    net = Net(width)
    with torch.no_grad():
        for value in net.parameters():
            value.fill_(0.5)
    return net, {"size": 8}


def wrong():
    return 3


def failing():
    raise RuntimeError("no such luck")


number = 7
"""


@pytest.fixture
def own_module(tmp_path: Path) -> Path:
    """A folder with `own_networks.py`, a module such as a user brings."""
    folder = tmp_path / "study"
    folder.mkdir()
    (folder / "own_networks.py").write_text(OWN_NETWORK)
    return folder
