import pytest
import torch
from intermodel.features.capture import capture
from intermodel.features.simplify import simplified
from intermodel.models.architecture import build
from intermodel.models.layers import check_layers, layer_table
from intermodel.models.tokens import Tokens, arrange
from torch import nn


def unsettled(net: nn.Module) -> nn.Module:
    """Batch norms as training leaves them: none of their constants is 0 or 1."""
    generator = torch.Generator().manual_seed(2)
    net.eval().requires_grad_(False)
    for module in net.modules():
        if getattr(module, "running_var", None) is not None:
            module.running_mean.normal_(0, 0.3, generator=generator)
            module.running_var.uniform_(0.5, 2, generator=generator)
            if module.affine:
                module.weight.uniform_(0.5, 1.5, generator=generator)
                module.bias.normal_(0, 0.2, generator=generator)
    return net


def outputs(net: nn.Module, names: list[str], fold: bool, size: int = 32) -> tuple[dict[str, torch.Tensor], int]:
    layers = check_layers(names, layer_table(net, (size, size)))
    arrangements = {layer.name: arrange((1, *layer.shape), (size, size), Tokens(), net) for layer in layers}
    batch = torch.randn(3, 3, size, size, generator=torch.Generator().manual_seed(1))
    dtypes = dict.fromkeys(names, torch.float32)
    if not fold:
        return {name: result.maps for name, result in capture(net, batch, layers, arrangements, dtypes).items()}, 0
    with simplified(net, layers, arrangements, (size, size)) as done:
        return {
            name: result.maps for name, result in capture(net, batch, layers, arrangements, dtypes).items()
        }, done.folded


def agree(net: nn.Module, names: list[str]) -> int:
    """Number of batch norms folded, after comparing outputs with and without folding, and the network restored."""
    before = {key: value.clone() for key, value in net.state_dict().items()}
    expected, _ = outputs(net, names, fold=False)
    found, count = outputs(net, names, fold=True)
    for name in names:
        assert (found[name] - expected[name]).abs().max() <= 5e-6 * expected[name].abs().max()
    after = net.state_dict()
    assert list(after) == list(before)
    assert all(torch.equal(after[key], before[key]) for key in before)
    assert all(
        torch.equal(one, two) for one, two in zip(expected.values(), outputs(net, names, fold=False)[0].values())
    )
    return count


@pytest.mark.parametrize(
    ("architecture", "layers", "count"),
    [
        ("test_resnet", ["layer1", "layer2.0.bn1", "layer4"], None),
        # Norm and activation in one module.
        ("test_efficientnet", ["blocks.0", "blocks.2", "conv_stem"], None),
        ("test_vit", ["blocks.1"], 0),
    ],
)
def test_networks_of_timm_give_the_same(architecture, layers, count):
    net = unsettled(build(architecture, {"img_size": 32} if "vit" in architecture else {}))
    norms = sum(getattr(module, "running_var", None) is not None for module in net.modules())
    found = agree(net, layers)
    assert found == count if count is not None else norms // 3 < found <= norms


class Net(nn.Module):
    """One convolution whose norm may go, and three whose norm must stay where the layer named is looked at."""

    def __init__(self) -> None:
        super().__init__()
        self.conv1, self.bn1 = nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4, affine=False)
        self.conv2, self.bn2 = nn.Conv2d(4, 4, 3, bias=False), nn.BatchNorm2d(4)
        self.block = nn.Sequential(nn.Conv2d(4, 4, 3))
        self.bn3 = nn.BatchNorm2d(4)
        self.conv4, self.bn4 = nn.Conv2d(4, 4, 1), nn.BatchNorm2d(4)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = torch.relu(self.bn1(self.conv1(x)))
        x = torch.relu(self.bn2(self.conv2(x)))
        x = self.bn3(self.block(x))
        y = self.conv4(x)
        return self.bn4(y) + self.extra * y

    extra = 0.0


@pytest.mark.parametrize(
    ("names", "count"),
    [
        (["bn4"], 4),
        # The fourth is never reached.
        (["bn1", "bn2", "bn3"], 3),
        # What a wanted convolution returns must stay what it is.
        (["conv2", "bn4"], 3),
        # A wanted container returns its last convolution's output.
        (["block", "bn4"], 3),
    ],
)
def test_only_norms_are_folded_that_no_wanted_layer_can_tell(names, count):
    assert agree(unsettled(Net()), names) == count


def test_nothing_is_folded_where_the_outputs_would_change():
    net = unsettled(nn.Sequential(Net()))
    net[0].extra = 1.0
    # The sum takes the convolution's output past the norm, outside any module.
    assert agree(net, ["0"]) == 0


def test_a_norm_that_is_used_twice_or_has_no_statistics_stays():
    class Twice(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.conv1, self.conv2 = nn.Conv2d(3, 3, 1), nn.Conv2d(3, 3, 1)
            self.norm = nn.BatchNorm2d(3)
            self.last = nn.Sequential(nn.Conv2d(3, 3, 1), nn.BatchNorm2d(3, track_running_stats=False))

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return self.last(self.norm(self.conv2(self.norm(self.conv1(x)))))

    assert agree(unsettled(Twice()), ["last"]) == 0


def test_the_network_is_restored_when_the_block_fails():
    net = unsettled(Net())
    before = {key: value.clone() for key, value in net.state_dict().items()}
    layers = check_layers(["bn4"], layer_table(net, (16, 16)))
    arrangements = {"bn4": arrange((1, *layers[0].shape), (16, 16), Tokens(), net)}
    with pytest.raises(KeyboardInterrupt), simplified(net, layers, arrangements, (16, 16)):
        assert isinstance(net.bn1, nn.Identity)
        raise KeyboardInterrupt
    assert isinstance(net.bn1, nn.BatchNorm2d)
    assert all(torch.equal(net.state_dict()[key], before[key]) for key in before)


class Activated(nn.Module):
    """A convolution, a batch norm and an activation, then a product that nothing follows."""

    def __init__(self, activation: nn.Module) -> None:
        super().__init__()
        self.conv, self.norm, self.act = nn.Conv2d(3, 6, 3, padding=1), nn.BatchNorm2d(6), activation
        self.last = nn.Conv2d(6, 4, 1, groups=2)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.last(self.act(self.norm(self.conv(x))))


class Perceptron(nn.Module):
    """A linear layer on every position, its activation, and another linear layer."""

    def __init__(self, activation: nn.Module) -> None:
        super().__init__()
        self.first, self.act, self.last = nn.Linear(3, 8), activation, nn.Linear(8, 5, bias=False)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.last(self.act(self.first(x.permute(0, 2, 3, 1)))).permute(0, 3, 1, 2)


@pytest.mark.parametrize("network", [Activated, Perceptron])
@pytest.mark.parametrize(
    "activation", [nn.ReLU(), nn.ReLU(inplace=True), nn.SiLU(inplace=True), nn.GELU(), nn.GELU("tanh")], ids=str
)
def test_products_take_over_the_activation_that_follows(network, activation):
    net = unsettled(network(activation))
    layers = check_layers(["last"], layer_table(net, (16, 16)))
    arrangements = {"last": arrange((1, *layers[0].shape), (16, 16), Tokens(), net)}
    with simplified(net, layers, arrangements, (16, 16)) as done:
        assert done.fused == 2
        assert isinstance(net.act, nn.Identity)
    assert net.act is activation
    assert "forward" not in net.last.__dict__
    agree(net, ["last"])


@pytest.mark.parametrize("wanted", ["conv", "norm", "act"])
@pytest.mark.parametrize("in_place", [False, True])
def test_wanted_layers_around_an_activation_stay_what_they_are(wanted, in_place):
    agree(unsettled(Activated(nn.ReLU(in_place))), [wanted, "last"])


def test_an_activation_stays_where_another_module_takes_its_input():
    class Residual(Activated):
        def __init__(self) -> None:
            super().__init__(nn.ReLU())
            self.other = nn.Conv2d(6, 4, 1)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            x = self.norm(self.conv(x))
            return self.last(self.act(x)) + self.other(x)

    net = unsettled(nn.Sequential(Residual()))
    layers = check_layers(["0"], layer_table(net, (16, 16)))
    arrangements = {"0": arrange((1, *layers[0].shape), (16, 16), Tokens(), net)}
    with simplified(net, layers, arrangements, (16, 16)) as done:
        assert (done.folded, done.fused) == (1, 3)
        assert isinstance(net[0].act, nn.ReLU)
    agree(net, ["0"])


def test_an_activation_of_a_sum_made_in_place_stays_and_identities_are_looked_through():
    class Block(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.stem = nn.Conv2d(3, 4, 1)
            self.conv1, self.bn1, self.drop, self.act1 = nn.Conv2d(4, 4, 1), nn.BatchNorm2d(4), nn.Identity(), nn.ReLU()
            self.conv2, self.bn2, self.act2 = nn.Conv2d(4, 4, 1), nn.BatchNorm2d(4), nn.ReLU(inplace=True)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            shortcut = self.stem(x)
            x = self.bn2(self.conv2(self.act1(self.drop(self.bn1(self.conv1(shortcut))))))
            x += shortcut
            return self.act2(x)

    net = unsettled(nn.Sequential(Block()))
    # Where the last norm gives zero, as untrained residual networks begin, noise alone would not tell.
    net[0].bn2.weight.zero_()
    net[0].bn2.bias.zero_()
    layers = check_layers(["0"], layer_table(net, (16, 16)))
    arrangements = {"0": arrange((1, *layers[0].shape), (16, 16), Tokens(), net)}
    with simplified(net, layers, arrangements, (16, 16)) as done:
        assert (done.folded, done.fused) == (2, 3)
        assert isinstance(net[0].act1, nn.Identity)
        assert isinstance(net[0].act2, nn.ReLU)
    agree(net, ["0"])


def test_folding_remains_where_operators_cannot_be_fused():
    class Hidden(Activated):
        """Looks at the norm's output outside any module, where an activation that moved would be seen."""

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            x = self.norm(self.conv(x))
            return self.last(self.act(x)) + x.mean()

    net = unsettled(nn.Sequential(Hidden(nn.ReLU())))
    layers = check_layers(["0"], layer_table(net, (16, 16)))
    arrangements = {"0": arrange((1, *layers[0].shape), (16, 16), Tokens(), net)}
    with simplified(net, layers, arrangements, (16, 16)) as done:
        assert (done.folded, done.fused) == (1, 0)
    with simplified(net, layers, arrangements, (16, 16), fusing=False) as done:
        assert (done.folded, done.fused) == (1, 0)
    assert agree(net, ["0"]) == 1
