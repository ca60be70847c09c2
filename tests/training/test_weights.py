"""The files that a training leaves."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from intermodel.csv_tables import read_table
from intermodel.engine.errors import UserError
from intermodel.training.train import History
from intermodel.training.weights import compact, read_metadata, write_history, write_weights
from safetensors.torch import load_file, save_file
from torch import nn


def network() -> nn.Module:
    torch.manual_seed(0)
    return nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), nn.Flatten(), nn.Linear(4, 2))


def test_round_trip_is_exact_with_metadata(tmp_path):
    state = network().state_dict()
    path = tmp_path / "new" / "model.safetensors"
    write_weights(path, state, {"architecture": "small", "kwargs": {"b": 1, "a": [2]}, "seed": 3})
    loaded = load_file(path)
    assert loaded.keys() == state.keys()
    assert all(torch.equal(loaded[name], value) and loaded[name].dtype == value.dtype for name, value in state.items())
    assert read_metadata(path) == {"architecture": "small", "kwargs": {"b": 1, "a": [2]}, "seed": 3}
    assert [entry.name for entry in path.parent.iterdir()] == ["model.safetensors"]


def test_files_of_others_are_refused(tmp_path):
    (tmp_path / "noise").write_bytes(b"noise")
    save_file({"a": torch.zeros(1)}, tmp_path / "other")
    with pytest.raises(UserError, match="cannot be read as safetensors"):
        read_metadata(tmp_path / "noise")
    with pytest.raises(UserError, match="cannot be read as safetensors"):
        read_metadata(tmp_path / "missing")
    with pytest.raises(UserError, match="does not say how it was trained"):
        read_metadata(tmp_path / "other")


def test_equal_states_give_equal_bytes(tmp_path):
    for name in ("a", "b"):
        write_weights(tmp_path / name, network().state_dict(), dict(zip("hgfedcba", range(8))))
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()


def test_float16_halves_matrices_and_spares_the_rest(tmp_path):
    state = network().state_dict()
    state["1.running_var"] = torch.tensor([1e-9, 1.0, 2.0, 1e6])
    path = tmp_path / "model.safetensors"
    write_weights(path, state, {}, "float16")
    loaded = load_file(path)
    assert loaded["0.weight"].dtype == loaded["3.weight"].dtype == torch.float16
    torch.testing.assert_close(loaded["0.weight"].float(), state["0.weight"], rtol=2**-11, atol=2**-24)
    for name in ("0.bias", "1.weight", "1.running_var", "1.num_batches_tracked"):
        assert torch.equal(loaded[name], state[name])
    fresh = network()
    fresh.load_state_dict(loaded)  # float16 goes into a float32 network without further ado
    assert fresh[0].weight.dtype == torch.float32


def test_values_beyond_float16_keep_their_type():
    large = torch.tensor([[1e5, 1.0]])
    assert compact({"w": large})["w"].dtype == torch.float32


def test_history_is_one_row_per_step(tmp_path):
    history = History(np.array([1.5, 1 / 3]), np.array([0.1, 0.05]), np.array([0.9, 0.8]))
    write_history(tmp_path / "history.csv", history)
    table = read_table(tmp_path / "history.csv")
    assert list(table) == ["step", "loss", "learning_rate", "embedding_std"]
    np.testing.assert_array_equal(table["step"], [1, 2])
    np.testing.assert_array_equal(table["loss"], history.loss)
