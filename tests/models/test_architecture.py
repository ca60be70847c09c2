import random
import sys

import numpy as np
import pytest
import torch
from intermodel.engine.errors import UserError
from intermodel.models.architecture import build, find_callable, seeded, source_digest, source_file


def weights(network: torch.nn.Module) -> torch.Tensor:
    return torch.cat([value.flatten() for value in network.state_dict().values()])


@pytest.fixture(autouse=True)
def forget_own_networks():
    yield
    sys.modules.pop("own_networks", None)


def test_a_timm_network_is_frozen_and_its_initial_weights_depend_on_the_seed_alone():
    first, again, other = (build("test_resnet", {"num_classes": 0}, seed=seed) for seed in (1, 1, 2))
    assert torch.equal(weights(first), weights(again))
    assert not torch.equal(weights(first), weights(other))
    assert not first.training
    assert not any(parameter.requires_grad for parameter in first.parameters())


def test_the_global_generators_are_left_alone():
    torch.manual_seed(5), np.random.seed(5), random.seed(5)  # noqa: NPY002
    expected = torch.rand(3), np.random.rand(3), random.random()  # noqa: NPY002
    torch.manual_seed(5), np.random.seed(5), random.seed(5)  # noqa: NPY002
    with seeded(1):
        inside = torch.rand(3), np.random.rand(3), random.random()  # noqa: NPY002
    with seeded(1):
        again = torch.rand(3), np.random.rand(3), random.random()  # noqa: NPY002
    found = torch.rand(3), np.random.rand(3), random.random()  # noqa: NPY002
    for left, right in ((found, expected), (inside, again)):
        assert torch.equal(left[0], right[0])
        assert (left[1] == right[1]).all()
        assert left[2] == right[2]


def test_a_network_of_ones_own_is_built_from_a_folder(own_module):
    network = build("own_networks:build", {"width": 6}, 0, str(own_module))
    assert network.conv.out_channels == 6
    assert str(own_module) not in sys.path
    # A tuple that begins with the network will do.
    assert (build("own_networks:load", {}, 0, str(own_module)).fc.weight == 0.5).all()


def test_the_folder_may_be_given_by_a_variable(own_module, monkeypatch):
    monkeypatch.setenv("MY_NETWORKS", str(own_module))
    assert build("own_networks:Net", {}, 0, "${MY_NETWORKS}").conv.out_channels == 4
    monkeypatch.delenv("MY_NETWORKS")
    with pytest.raises(UserError, match="MY_NETWORKS, which is not set"):
        build("own_networks:Net", {}, 0, "${MY_NETWORKS}")


def test_two_studies_may_each_have_a_module_of_the_same_name(own_module, tmp_path):
    other = tmp_path / "other"
    other.mkdir()
    (other / "own_networks.py").write_text((own_module / "own_networks.py").read_text().replace("width=4", "width=5"))
    widths = [build("own_networks:build", {}, 0, str(folder)).conv.out_channels for folder in (own_module, other)]
    assert widths == [4, 5]


def test_the_source_of_ones_own_network_is_found_without_running_it(own_module):
    assert source_file("own_networks:build", str(own_module)) == own_module / "own_networks.py"
    assert "own_networks" not in sys.modules
    before = source_digest("own_networks:build", str(own_module))
    (own_module / "own_networks.py").write_text("raise RuntimeError")
    assert source_digest("own_networks:build", str(own_module)) != before
    assert source_digest("resnet18") is None


@pytest.mark.parametrize(
    ("architecture", "kwargs", "words"),
    [
        ("resnet81", {}, "did you mean 'resnet18'"),
        ("hf_hub:timm/resnet18", {}, "could not be imported"),
        ("timm/resnet18", {}, "expected a name out of timm.list_models()"),
        ("test_resnet", {"widht": 3}, "unexpected keyword argument 'widht'"),
        ("own_networks:bild", {}, "has no 'bild'; did you mean 'build'"),
        ("own_networks:number", {}, "is int, expected something that can be called"),
        ("own_networks:wrong", {}, "returned int, expected a torch.nn.Module"),
        ("own_networks:failing", {}, "raised RuntimeError when called with {}: no such luck"),
        ("own_networks:build", {"with": 3}, "raised TypeError"),
        ("no_such_module:build", {}, "ModuleNotFoundError"),
        (":build", {}, "expected 'package.module:callable'"),
        ("a:b:c", {}, "expected 'package.module:callable'"),
    ],
)
def test_what_cannot_be_built_is_told_in_one_sentence(architecture, kwargs, words, own_module):
    with pytest.raises(UserError) as error:
        build(architecture, kwargs, 0, str(own_module) if ":" in architecture else None)
    assert words in str(error.value)
    assert "\n" not in str(error.value)


def test_a_folder_that_does_not_exist_is_named(tmp_path):
    with pytest.raises(UserError, match="is not a folder"):
        find_callable("a:b", str(tmp_path / "none"))
