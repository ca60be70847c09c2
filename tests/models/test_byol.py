import numpy as np
import pytest
import torch
from intermodel.engine.errors import UserError
from intermodel.models.architecture import build
from intermodel.models.byol import byol_to_torchvision
from intermodel.models.formats import FORMATS
from intermodel.models.keys import load_state

KWARGS = {"channels": [2, 2, 4, 4], "stem_width": 2, "num_classes": 0}


def haiku(state: dict[str, torch.Tensor]) -> tuple[dict, dict]:
    """A torchvision ResNet's tensors as Haiku holds them, with projector and predictor beside them."""
    params: dict[str, dict[str, np.ndarray]] = {}
    averages: dict[str, dict[str, np.ndarray]] = {}
    root = "byol/~/res_net50/~/"
    for key, tensor in state.items():
        *module, leaf = key.split(".")
        if leaf == "num_batches_tracked":
            continue
        if len(module) == 1:
            name = root + ("initial_conv" if module[0] == "conv1" else "initial_batchnorm")
        else:
            stage, block, part = int(module[0][5:]) - 1, module[1], module[2]
            if part == "downsample":
                last = "shortcut_conv" if module[3] == "0" else "shortcut_batchnorm"
            else:
                last = f"{'conv' if part.startswith('conv') else 'batchnorm'}_{int(part[-1]) - 1}"
            name = f"{root}block_group_{stage}/~/block_{block}/~/{last}"
        array = tensor.numpy()
        if array.ndim == 4:
            params[name] = {"w": array.transpose(2, 3, 1, 0)}
        elif leaf in ("weight", "bias"):
            entry = {"weight": "scale", "bias": "offset"}[leaf]
            params.setdefault(name, {})[entry] = array.reshape(1, 1, 1, -1)
        else:
            ema = {"running_mean": "mean_ema", "running_var": "var_ema"}[leaf]
            averages[f"{name}/~/{ema}"] = {"average": array.reshape(1, 1, 1, -1), "hidden": array * 0, "counter": array}
    params["byol/~/projector/~/linear"] = {"w": np.zeros((2, 3))}
    params["byol/~/predictor/~/batchnorm"] = {"scale": np.zeros(3), "offset": np.zeros(3)}
    return params, averages


@pytest.fixture(scope="module")
def original() -> dict[str, torch.Tensor]:
    network = build("resnet50", KWARGS, seed=1)
    generator = torch.Generator().manual_seed(0)
    return {
        key: torch.rand(value.shape, generator=generator) if value.is_floating_point() else value
        for key, value in network.state_dict().items()
    }


def test_a_haiku_resnet_becomes_the_torchvision_one_it_was_made_of(original):
    converted = byol_to_torchvision(*haiku(original))
    network = build("resnet50", KWARGS)
    report = load_state(network, {key: torch.from_numpy(array) for key, array in converted.items()}, FORMATS["byol"])
    assert len(report.used) == 265
    assert all(torch.equal(network.state_dict()[name], original[name]) for _, name in report.used)


def test_the_order_of_the_names_does_not_matter(original):
    params, state = haiku(original)
    one = byol_to_torchvision(params, state)
    two = byol_to_torchvision(dict(sorted(params.items())), dict(reversed(state.items())))
    assert one.keys() == two.keys()
    assert all((one[key] == two[key]).all() for key in one)


def test_other_arrays_are_refused(original):
    params, state = haiku(original)
    with pytest.raises(UserError, match="no batch norm among"):
        byol_to_torchvision({"mlp/linear": {"w": np.zeros((2, 2))}}, {})
    del state["byol/~/res_net50/~/initial_batchnorm/~/var_ema"]
    with pytest.raises(UserError, match="bn1 has no running averages"):
        byol_to_torchvision(params, state)
