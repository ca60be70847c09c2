import sys

import pytest
import torch
from intermodel.engine.errors import UserError
from intermodel.models.load import load_model
from safetensors.torch import save_file

PREPROCESSING = {"size": 8, "resize": "none"}


@pytest.fixture(autouse=True)
def forget_own_networks():
    yield
    sys.modules.pop("own_networks", None)


@pytest.fixture
def record(own_module, tmp_path):
    """A network of the user's own with a checkpoint."""
    from intermodel.models.architecture import build

    network = build("own_networks:build", {"width": 3}, 9, str(own_module))
    path = tmp_path / "weights.safetensors"
    save_file({f"net.{key}": value for key, value in network.state_dict().items()}, path)
    return {
        "architecture": "own_networks:build",
        "kwargs": {"width": 3},
        "python_path": str(own_module),
        "weights": {"source": "checkpoint", "path": str(path), "prefix": "net."},
        "preprocessing": PREPROCESSING,
        "layers": ["conv"],
    }


def changed(record: dict, **changes: object) -> dict:
    return {**record, **changes}


def test_a_checkpoint_of_ones_own_is_loaded(record, own_module):
    from intermodel.models.architecture import build

    model = load_model(record)
    expected = build("own_networks:build", {"width": 3}, 9, str(own_module))
    batch = torch.rand(2, 3, 8, 8)
    assert torch.equal(model.network(batch), expected(batch))
    assert len(model.report.used) == 8
    assert model.report.dropped == ("net.norm.num_batches_tracked",)


def test_the_callable_may_bring_its_weights(record):
    model = load_model(changed(record, architecture="own_networks:load", weights={"source": "callable"}))
    assert (model.network.fc.weight == 0.5).all()
    assert model.report is None


def test_trained_weights_are_loaded_without_classifier(tmp_path):
    from intermodel.models.architecture import build

    path = tmp_path / "trained.safetensors"
    trained = build("test_resnet", {"num_classes": 0}, seed=4)
    save_file({key: value.half() for key, value in trained.state_dict().items() if "num_batches" not in key}, path)
    record = {"architecture": "test_resnet", "weights": {"source": "train"}, "preprocessing": PREPROCESSING}
    model = load_model(record, weights_path=path)
    weight = model.network.state_dict()["conv1.0.weight"]
    assert weight.dtype == torch.float32
    torch.testing.assert_close(weight, trained.state_dict()["conv1.0.weight"], rtol=1e-3, atol=1e-6)
    with pytest.raises(UserError, match="run the training first"):
        load_model(record, weights_path=tmp_path / "none.safetensors")
    with pytest.raises(UserError, match="no file of trained weights"):
        load_model(record)


def test_pretrained_weights_come_from_a_local_cache(tmp_path, monkeypatch):
    from intermodel.models.architecture import build

    huggingface_hub = pytest.importorskip("huggingface_hub")
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_OFFLINE", True)
    record = {"architecture": "test_vit", "weights": {"source": "pretrained", "cache": str(tmp_path)}}
    with pytest.raises(UserError, match=r"pretrained weights of 'test_vit' could not be loaded .*weights.cache"):
        load_model(record)
    folder = tmp_path / "models--timm--test_vit.r160_in1k"
    (folder / "refs").mkdir(parents=True)
    (folder / "refs" / "main").write_text("0" * 40)
    (folder / "snapshots" / ("0" * 40)).mkdir(parents=True)
    published = build("test_vit", seed=8)
    save_file(published.state_dict(), folder / "snapshots" / ("0" * 40) / "model.safetensors")
    model = load_model(record)
    assert all(torch.equal(value, published.state_dict()[key]) for key, value in model.network.state_dict().items())
    assert model.preprocessing.size == (160, 160)
    assert model.preprocessing.mean is not None


def test_preprocessing_follows_the_size_that_the_network_was_built_for():
    model = load_model({"architecture": "test_vit", "kwargs": {"img_size": 96}})
    assert model.preprocessing.size == (96, 96)
    assert model.preprocessing.crop_fraction == pytest.approx(0.95)


def test_the_fingerprint_changes_with_all_that_features_depend_on(record, own_module):
    same = load_model(record).fingerprint
    assert load_model(changed(record, layers=["fc"])).fingerprint == same
    others = [
        changed(record, weights={"source": "random"}),
        changed(record, weights={"source": "random", "seed": 1}),
        changed(record, preprocessing={"size": 8, "resize": "squash"}),
        changed(record, preprocessing={"size": 8, "resize": "none", "channel_order": "bgr"}),
        changed(record, tokens={"pool": "class"}),
        changed(record, layout="channels_first"),
    ]
    prints = [load_model(other).fingerprint for other in others]
    file = own_module / "own_networks.py"
    file.write_text(file.read_text().replace("inplace=True", "inplace=False"))
    sys.modules.pop("own_networks")
    prints.append(load_model(record).fingerprint)
    assert len({same, *prints}) == len(others) + 2


def test_equal_weights_from_another_file_have_the_same_fingerprint(record, tmp_path):
    same = load_model(record).fingerprint
    state = load_model(record).network.state_dict()
    torch.save({"state_dict": {f"module.{key}": value for key, value in state.items()}}, tmp_path / "b.pth")
    other = changed(record, weights={"source": "checkpoint", "path": str(tmp_path / "b.pth"), "prefix": "module."})
    assert load_model(other).fingerprint == same


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"architecture": None}, "architecture is None"),
        ({"weigths": {}}, "the model has the unknown key 'weigths'; did you mean 'weights'"),
        ({"kwargs": [1]}, "kwargs are [1]"),
        ({"layout": "nhwc"}, "layout is 'nhwc'"),
        ({"preprocessing": None}, "has no preprocessing and nothing to take it from"),
        ({"weights": {"source": "internet"}}, "weights.source is 'internet'"),
        ({"weights": {"source": "random", "sede": 1}}, "unknown key 'sede'; did you mean 'seed'"),
        ({"weights": {"source": "pretrained"}}, "is not an architecture of timm"),
        ({"architecture": "resnet18", "weights": {"source": "callable"}}, "is no 'module:callable'"),
        ({"architecture": "test_vit", "weights": {"source": "pretrained", "tag": "x"}}, "no pretrained weights"),
        (
            {"architecture": "test_vit.r160_in1k", "weights": {"source": "pretrained", "tag": "r160_in1k"}},
            "names one too",
        ),
        ({"architecture": "resnet14t", "weights": {"source": "pretrained", "tag": "none"}}, "no pretrained weights"),
    ],
)
def test_a_wrong_record_is_refused_in_one_sentence(record, changes, words):
    with pytest.raises(UserError) as error:
        load_model(changed(record, **changes))
    assert words in str(error.value)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("weights", "words"),
    [
        ({"format": "moco"}, "weights.format is 'moco', which is not known; did you mean 'moco-v"),
        ({"format": "swav", "prefix": "module."}, "which fixes prefix too"),
        ({"rename": {"(": "a"}}, "weights.rename has the rule '('"),
        ({"rename": {"a": r"\2"}}, "weights.rename has the rule 'a'"),
        ({"unwrap": ["model"]}, "has no entry 'model'"),
        ({"prefix": "nets."}, "its keys begin with 'net.'"),
    ],
)
def test_a_wrong_checkpoint_record_is_refused_in_one_sentence(record, weights, words):
    given = {"source": "checkpoint", "path": record["weights"]["path"], **weights}
    with pytest.raises(UserError) as error:
        load_model(changed(record, weights=given))
    assert words in str(error.value)
    assert "\n" not in str(error.value)


def test_the_same_record_with_a_rename_rule_loads(record, tmp_path):
    state = load_model(record).network.state_dict()
    path = tmp_path / "c.safetensors"
    save_file({key.replace("conv.", "first.0."): value for key, value in state.items()}, path)
    weights = {"source": "checkpoint", "path": str(path), "rename": {r"first\.(\d)\.": "conv."}}
    report = load_model(changed(record, weights=weights)).report
    assert ("first.0.weight", "conv.weight") in report.used


@pytest.mark.real
@pytest.mark.parametrize(("name", "size"), [("cifar_resnet20", [32, 32]), ("espnet_camvid", [360, 480])])
def test_real_networks_are_loaded_as_their_own_loader_loads_them(name, size, real_data, monkeypatch):
    monkeypatch.setenv("INTERMODEL_DATA", str(real_data))
    weights = {"source": "checkpoint", "path": f"${{INTERMODEL_DATA}}/weights/{name}.safetensors"}
    record = {
        "architecture": "nets:build",
        "kwargs": {"name": name},
        "python_path": "${INTERMODEL_DATA}",
        "weights": weights,
        "preprocessing": {"size": size, "resize": "none"},
    }
    own = {"architecture": "nets:load", "weights": {"source": "callable"}}
    one, two = load_model(record), load_model({**record, **own})
    assert one.weights_digest == two.weights_digest
    assert not one.report.missing and not one.report.unexpected
    assert one.fingerprint != two.fingerprint
