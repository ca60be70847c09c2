import json
import sys

import pytest
import torch
from intermodel.engine.errors import UserError
from intermodel.models.architecture import build
from intermodel.models.layers import check_layers, check_records, known_layers, layer_table, main
from torch import nn


@pytest.fixture(autouse=True)
def forget_own_networks():
    yield
    sys.modules.pop("own_networks", None)


class Peculiar(nn.Module):
    """Uses one layer twice, one never, and returns several tensors from one."""

    def __init__(self) -> None:
        super().__init__()
        self.first = nn.Conv2d(3, 4, 3, padding=1)
        self.again = nn.ReLU()
        self.unused = nn.ReLU()
        self.pair = Pair()
        self.one = Wrapped()

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = self.again(self.again(self.first(x)))
        return self.pair(x)[0] + self.one(x)[0]


class Pair(nn.Module):
    def forward(self, x: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        return x, x


class Wrapped(nn.Module):
    def forward(self, x: torch.Tensor) -> tuple[torch.Tensor, None]:
        return x, None


def test_the_table_says_what_each_layer_gives():
    table = {layer.name: layer for layer in layer_table(build("test_resnet"), (64, 64))}
    assert list(table) == [name for name, _ in build("test_resnet").named_modules() if name]
    assert table["layer1"].shape == (32, 16, 16)
    assert table["fc"].shape == (1000,)
    assert table["fc"].parameters == 96 * 1000 + 1000
    assert table["layer1"].position > table["layer1.0.conv1"].position
    assert table["layer2"].position > table["layer1"].position


def test_the_table_is_the_same_without_memory():
    with torch.device("meta"):
        without = build("test_vit", {"img_size": 32})
    assert layer_table(without, (32, 32)) == layer_table(build("test_vit", {"img_size": 32}), (32, 32))


def test_a_network_is_left_as_it_was():
    network = build("test_resnet").train()
    network.layer1.eval()
    before = {key: value.clone() for key, value in network.state_dict().items()}
    layer_table(network, (32, 32))
    assert network.training
    assert network.layer2.training
    assert not network.layer1.training
    assert all(torch.equal(value, before[key]) for key, value in network.state_dict().items())
    assert not any(module._forward_hooks for module in network.modules())


def test_only_a_layer_that_is_called_once_and_returns_one_tensor_is_taken():
    table = layer_table(Peculiar(), (8, 8))
    assert [layer.name for layer in check_layers(["first", "one"], table)] == ["first", "one"]
    for name, words in (
        ("again", "is called 2 times in a forward pass"),
        ("unused", "is never called"),
        ("pair", "does not return one tensor"),
        ("frist", "no layer 'frist'; did you mean 'first'"),
        ("blocks.11", "known are first, again, unused, pair, one"),
    ):
        with pytest.raises(UserError) as error:
            check_layers([name], table)
        assert words in str(error.value)


def test_among_many_layers_the_outermost_are_named():
    with pytest.raises(UserError, match=r"no layer 'encoder.3.5'; its outermost layers are conv1, bn1, act1, "):
        check_layers(["encoder.3.5"], layer_table(build("test_resnet"), (32, 32)))


def test_an_image_size_that_does_not_fit_is_told():
    with pytest.raises(UserError, match=r"cannot take an image of 40x40 pixels \(AssertionError"):
        layer_table(build("test_vit", {"img_size": 32}), (40, 40))


def test_known_layers_need_no_weights():
    record = {"architecture": "test_vit", "weights": {"source": "checkpoint", "path": "/nowhere"}, "layers": ["x"]}
    names = known_layers(record)
    assert "blocks.0" in names
    assert "" not in names


def test_a_network_that_looks_at_values_while_it_is_built_is_built_with_memory(tmp_path):
    (tmp_path / "own_networks.py").write_text(
        "import torch\n"
        "from torch import nn\n"
        "def build():\n"
        "    return nn.Sequential(nn.Conv2d(3, int(torch.ones(2).sum().item()), 1))\n"
    )
    assert known_layers({"architecture": "own_networks:build", "python_path": str(tmp_path)}) == ["0"]


def test_records_are_checked_one_by_one(own_module, tmp_path, capsys):
    records = {
        "own": {"architecture": "own_networks:build", "python_path": str(own_module)},
        "timm": {"architecture": "test_resnet", "kwargs": {"num_classes": 0}, "python_path": None},
        "wrong": {"architecture": "resnet81"},
        "empty": {},
    }
    found = check_records(records)
    assert found["own"] == ["conv", "norm", "act", "fc"]
    assert found["timm"][0] == "conv1"
    assert "did you mean 'resnet18'" in found["wrong"]
    assert "architecture is None" in found["empty"]
    file = tmp_path / "records.json"
    file.write_text(json.dumps(records))
    assert main(["--check", str(file)]) == 0
    assert json.loads(capsys.readouterr().out) == found


def test_the_command_prints_a_table(capsys, own_module):
    assert main(["--architecture", "test_resnet", "--kwargs", '{"num_classes": 0}', "--input-size", "32", "64"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].split() == ["layer", "module", "output", "parameters"]
    assert any(line.split()[:7] == ["layer1", "Sequential", "32", "x", "8", "x", "16"] for line in lines)
    # Without a size, the one that timm records is taken.
    assert main(["--architecture", "test_vit"]) == 0
    assert "10 x 10 x 64" in capsys.readouterr().out
    assert main(["--architecture", "own_networks:build", "--python-path", str(own_module), "--input-size", "8"]) == 0
    assert main(["--architecture", "resnet81"]) == 1
    assert capsys.readouterr().err.startswith("error: architecture is 'resnet81'")
    assert main(["--architecture", "resnet18", "--kwargs", "{x"]) == 1
    assert "which is not JSON" in capsys.readouterr().err
