import hashlib
import struct

import pytest
import torch
from intermodel.models.fingerprint import model_fingerprint, record_digest, state_digest

STATE = {"b": torch.arange(3, dtype=torch.int64), "a": torch.tensor([[1.0, -2.0]])}


def test_the_digest_of_weights_is_stable_and_blind_to_order_and_memory_layout():
    digest = state_digest(STATE)
    by_hand = hashlib.sha256(b'["a", "torch.float32", [1, 2]]' + struct.pack("<2f", 1, -2))
    by_hand.update(b'["b", "torch.int64", [3]]' + struct.pack("<3q", 0, 1, 2))
    assert digest == by_hand.hexdigest()
    assert state_digest(dict(reversed(STATE.items()))) == digest
    assert state_digest({**STATE, "a": torch.tensor([[1.0, 0.0], [-2.0, 0.0]]).T[:1]}) == digest


@pytest.mark.parametrize(
    "change",
    [
        {"a": torch.tensor([[1.0, -2.0000002]])},
        {"a": torch.tensor([[1.0], [-2.0]])},
        {"a": torch.tensor([[1.0, -2.0]], dtype=torch.float64)},
        {"c": torch.zeros(1)},
    ],
)
def test_the_digest_of_weights_changes_with_values_shapes_types_and_names(change):
    assert state_digest({**STATE, **change}) != state_digest(STATE)


def test_a_record_is_digested_whatever_the_order_of_its_keys():
    assert record_digest({"a": 1, "b": [1, 2]}) == record_digest({"b": [1, 2], "a": 1})
    assert record_digest({"a": 1}) != record_digest({"a": 2})


def test_the_fingerprint_depends_on_each_of_its_arguments():
    arguments = ("resnet18", {"width": 2}, "w", None, {"size": [8, 8]}, {"prefix": "auto"}, "auto")
    others = ("resnet34", {"width": 3}, "v", "s", {"size": [8, 9]}, {"prefix": 1}, "channels_last")
    prints = {model_fingerprint(*arguments)}
    for position, other in enumerate(others):
        prints.add(model_fingerprint(*arguments[:position], other, *arguments[position + 1 :]))
    assert len(prints) == len(others) + 1
