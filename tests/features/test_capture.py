import pytest
import torch
from features.conftest import network
from intermodel.features.capture import capture
from intermodel.models.layers import check_layers, layer_table
from intermodel.models.tokens import Tokens, arrange
from torch import nn


def prepared(net, names, size=(16, 16)):
    layers = check_layers(names, layer_table(net, size))
    return layers, {layer.name: arrange((1, *layer.shape), size, Tokens(), net, layer=layer.name) for layer in layers}


def test_outputs_are_those_that_the_layers_returned_not_what_later_layers_made_of_them():
    net = network()
    batch = torch.randn(3, 3, 16, 16)
    layers, arrangements = prepared(net, ["bn1", "relu1", "conv2", "fc"])
    maps = dict.fromkeys(arrangements, torch.float32)
    found = capture(net, batch, layers, arrangements, maps)
    before = net.bn1(net.conv1(batch))
    after = before.clamp(min=0)
    for name, expected in (("bn1", before), ("relu1", after), ("conv2", net.conv2(after))):
        torch.testing.assert_close(found[name].maps, expected)
        torch.testing.assert_close(found[name].pooled, expected.double().mean((2, 3)), rtol=1e-6, atol=1e-7)
        torch.testing.assert_close(found[name].largest, expected.abs().amax((1, 2, 3)))
        assert found[name].maps.is_contiguous()
    assert (found["bn1"].maps < 0).any()
    torch.testing.assert_close(found["fc"].maps, net(batch)[:, :, None, None])
    assert all(result.pooled.dtype == torch.float64 for result in found.values())


def test_the_network_is_not_run_beyond_the_last_wanted_layer():
    net = network()
    calls = []
    net.fc.register_forward_hook(lambda *arguments: calls.append(1))
    net.conv2.register_forward_hook(lambda *arguments: calls.append(2))
    layers, arrangements = prepared(net, ["conv2", "bn1"])
    calls.clear()
    found = capture(net, torch.randn(2, 3, 16, 16), layers, arrangements)
    assert set(found) == {"conv2", "bn1"}
    assert calls == [2]
    assert found["bn1"].maps is None
    assert not any(module._forward_hooks for name, module in net.named_modules() if name not in ("fc", "conv2"))


def test_hooks_are_removed_when_the_network_fails():
    net = network()
    layers, arrangements = prepared(net, ["conv1", "fc"])
    with pytest.raises(RuntimeError):
        capture(net, torch.randn(2, 4, 16, 16), layers, arrangements)
    assert not any(module._forward_hooks for module in net.modules())


@pytest.mark.parametrize("value", [float("nan"), float("inf"), -float("inf")])
def test_a_single_value_that_is_not_finite_is_noticed(value):
    class Spoil(nn.Module):
        def forward(self, x):
            x = x.clone()
            x[1, 2, 3, 4] = value
            return x

    net = nn.Sequential(Spoil())
    layers = layer_table(nn.Sequential(nn.Identity()), (8, 8))
    arrangements = {"0": arrange((1, 3, 8, 8), (8, 8), Tokens(), net)}
    found = capture(net, torch.rand(3, 3, 8, 8), layers, arrangements, {"0": torch.float16})
    assert found["0"].finite.tolist() == [True, False, True]


def test_a_prefix_token_that_is_not_finite_is_noticed():
    class Tokenise(nn.Module):
        def forward(self, x):
            tokens = x.flatten(2).transpose(1, 2)
            first = tokens[:, :1] * torch.tensor([0.0, float("nan")]).view(2, 1, 1)
            return torch.cat([first, tokens], 1)

    net = nn.Sequential(Tokenise())
    layers = layer_table(nn.Sequential(nn.Identity()), (4, 4))
    arrangements = {"0": arrange((1, 17, 3), (4, 4), Tokens(), net)}
    assert arrangements["0"].prefix == 1
    found = capture(net, torch.rand(2, 3, 4, 4), layers, arrangements)["0"]
    assert found.finite.tolist() == [True, False]
    assert torch.isfinite(found.pooled).all()
