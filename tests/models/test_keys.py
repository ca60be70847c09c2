import pytest
import torch
from intermodel.engine.errors import UserError
from intermodel.models.formats import Format
from intermodel.models.keys import load_state, remap
from torch import nn


def network() -> nn.Module:
    return nn.Sequential(nn.Conv2d(3, 2, 1), nn.BatchNorm2d(2), nn.Linear(2, 2)).requires_grad_(False)


def state() -> dict[str, torch.Tensor]:
    return {key: torch.full_like(value, 2) for key, value in network().state_dict().items()}


def test_the_prefix_counts_only_at_the_start_of_a_key():
    one = torch.ones(1)
    renamed, origin, dropped = remap(
        {"module.a": one, "net.module.b": one, "module.module.c": one, "d": one}, Format(prefix="module.")
    )
    assert list(renamed) == ["a", "net.module.b", "module.c", "d"]
    assert origin["module.c"] == "module.module.c"
    assert dropped == ()


def test_counters_of_steps_are_always_dropped_and_patterns_are_matched_before_and_after_the_prefix():
    one = torch.ones(1)
    keys = ("m.fc.weight", "m.fc2.weight", "k.a", "m.bn.num_batches_tracked", "num_batches_tracked")
    table = dict.fromkeys(keys, one)
    renamed, _, dropped = remap(table, Format(prefix="m.", drop=("fc.*", "k.*")))
    assert list(renamed) == ["fc2.weight"]
    assert set(dropped) == set(table) - {"m.fc2.weight"}


def test_the_first_rule_that_matches_renames_the_start_of_a_key():
    one = torch.ones(1)
    layout = Format(rename={r"net\.(\d)\.": r"layer\1.", "net": "never", "bias": "x"})
    assert list(remap({"net.3.net.bias": one, "a.bias": one}, layout)[0]) == ["layer3.net.bias", "a.bias"]


def test_two_keys_may_not_become_one():
    one = torch.ones(1)
    with pytest.raises(UserError, match=r"'m.a' and 'a' both become 'a'"):
        remap({"m.a": one, "a": one}, Format(prefix="m."))


def test_the_report_accounts_for_every_key_of_both_sides():
    table = {f"m.{key}": value for key, value in state().items()} | {"m.head.weight": torch.ones(1), "x": torch.ones(1)}
    del table["m.0.bias"]
    with pytest.raises(UserError, match=r"7 tensors fit, 1 missing \(0.bias\) and 1 unexpected \(x\)"):
        load_state(network(), table, Format(prefix="m.", drop=("head.*",)))
    model = network()
    report = load_state(model, table, Format(prefix="m.", drop=("head.*",)), strict=False)
    assert report.missing == ("0.bias",)
    assert report.unexpected == ("x",)
    assert report.dropped == ("m.1.num_batches_tracked", "m.head.weight")
    assert {key for key, _ in report.used} | set(report.dropped) | set(report.unexpected) == set(table)
    assert (model[0].weight == 2).all()
    assert (model[0].bias != 2).all()
    assert report.to_dict()["used"]["m.0.weight"] == "0.weight"
    assert report.summary() == "7 tensors loaded, 2 dropped, 1 missing, 1 unexpected"


@pytest.mark.parametrize(
    ("change", "layout", "words"),
    [
        (lambda table: {f"module.{key}": value for key, value in table.items()}, {}, "set weights.prefix to it"),
        (lambda table: table | {"x": torch.ones(1)}, {}, "leave these out with weights.drop"),
        (lambda table: {key: value for key, value in table.items() if key != "0.bias"}, {}, "1 missing (0.bias)"),
        (lambda table: table | {"0.weight": torch.ones(4, 3, 1, 1)}, {}, "'0.weight' has the shape (4, 3, 1, 1)"),
        (lambda table: table | {"0.bias": torch.tensor([1.0, float("nan")])}, {}, "'0.bias' has NaN or infinite"),
        (lambda table: table, {"prefix": "q."}, "correct weights.format, prefix, rename or drop"),
    ],
)
def test_what_does_not_fit_is_told_with_what_to_do(change, layout, words):
    layout = Format(**layout)
    table = change(state())
    if layout.prefix:
        table = {f"z.{key}q": value for key, value in table.items()}
    with pytest.raises(UserError) as error:
        load_state(network(), table, layout, what="The checkpoint a.pth")
    assert words in str(error.value)
    assert "a.pth" in str(error.value)
    assert "\n" not in str(error.value)


def test_nothing_that_fits_is_refused_even_when_not_strict():
    with pytest.raises(UserError, match="0 tensors fit"):
        load_state(network(), {"a": torch.ones(1)}, Format(), strict=False)


def test_a_checkpoint_without_classifier_says_how_to_build_the_network():
    model = nn.ModuleDict({"conv": nn.Conv2d(3, 2, 1), "fc": nn.Linear(2, 2)})
    table = {key: value for key, value in model.state_dict().items() if key.startswith("conv")}
    with pytest.raises(UserError, match="num_classes: 0"):
        load_state(model, table, Format())


def test_half_precision_weights_become_float32():
    table = {key: value.half() if value.is_floating_point() else value for key, value in state().items()}
    model = network()
    load_state(model, table, Format())
    assert model[0].weight.dtype == torch.float32
    assert (model[0].weight == 2).all()
