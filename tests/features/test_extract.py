import json
import logging

import numpy as np
import pytest
import torch
from features.conftest import Net, Pictures, loaded, network, reference, run
from intermodel import store
from intermodel.engine.errors import UserError
from intermodel.features import extract as extract_module
from intermodel.features import prefetch
from intermodel.features.extract import FeatureFile
from intermodel.models.architecture import build
from torch import nn

LAYERS = ["conv1", "bn1", "relu1", "conv2", "relu2", "fc"]


def close(found: np.ndarray, expected: np.ndarray) -> None:
    """The tolerance of the contract: 1e-5 of the row's largest value."""
    assert found.shape == expected.shape
    limit = 1e-5 * abs(expected).reshape(len(expected), -1).max(1)
    assert (abs(found - expected).reshape(len(expected), -1).max(1) <= limit).all()


def pooled(output: np.ndarray) -> np.ndarray:
    return output.mean((2, 3), dtype=np.float64) if output.ndim == 4 else output


@pytest.mark.parametrize(("batch_size", "workers"), [(1, 0), (3, 1), (4, 3), (100, 2)])
def test_every_row_equals_a_forward_pass_of_its_image_alone(tmp_path, pictures, batch_size, workers):
    net = network()
    names = [f"{layer}.h5" for layer in LAYERS] + [f"{layer}.maps.h5" for layer in LAYERS]
    done = run(tmp_path, names, net, pictures, batch_size=batch_size, workers=workers)
    assert done.images == 11
    for layer in LAYERS:
        expected = reference(net, layer, pictures)
        found = store.read_pooled(tmp_path / f"{layer}.h5")
        close(found.values, pooled(expected))
        assert list(found.ids) == pictures.ids
        assert found.attributes["signed"] == bool((pooled(expected) < 0).any())
        with store.Maps(tmp_path / f"{layer}.maps.h5") as maps:
            assert maps.dtype == np.float16
            four = expected if expected.ndim == 4 else expected[:, :, None, None]
            np.testing.assert_allclose(maps.images(0, 11), four, rtol=2**-11, atol=1e-6)
            assert json.loads(maps.attributes["spatial"]) == list(four.shape[2:])
    assert not list(tmp_path.glob(".*"))


def test_the_file_explains_itself(tmp_path, pictures):
    model = loaded(network())
    run(tmp_path, ["conv2.h5"], model, pictures)
    attributes = store.read_attributes(tmp_path / "conv2.h5")
    assert attributes["dataset"] == "pictures"
    assert attributes["model"] == "net"
    assert attributes["layer"] == "conv2"
    assert attributes["dataset_fingerprint"] == "d"
    assert attributes["model_fingerprint"] == model.fingerprint
    assert attributes["device"] == "cpu"
    assert attributes["complete"]
    assert json.loads(attributes["preprocessing"]) == model.preprocessing.to_dict()
    assert json.loads(attributes["versions"])["torch"] == torch.__version__.split("+")[0]
    assert json.loads(attributes["spatial"]) == [8, 8]


class Interrupt(Exception):
    """Stands for anything that ends a job."""


def stop_at(pictures: Pictures, index: int) -> Pictures:
    """Pictures of which one ends the job."""
    stopping = Pictures(len(pictures), pictures.size, pictures.seed)
    plain = stopping.image

    def image(number: int) -> np.ndarray:
        if number == index:
            raise Interrupt
        return plain(number)

    stopping.image = image
    return stopping


def test_an_interrupted_pass_goes_on_where_it_was(tmp_path, caplog):
    pictures, net = Pictures(150), network()
    names = ["conv1.maps.h5", "fc.h5"]
    with pytest.raises(Interrupt):
        run(tmp_path, names, net, stop_at(pictures, 133))
    assert sorted(path.name for path in tmp_path.iterdir()) == [".conv1.maps.part.h5", ".fc.part.h5"]
    caplog.set_level(logging.INFO)
    done = run(tmp_path, names, net, pictures, batch_size=7)
    # Row 128 lies inside a batch, which goes through the network as a whole.
    assert done.images == 150 - 126
    assert min(pictures.seen) == 126
    assert "128 of 150 images are there already" in caplog.text
    run(tmp_path / "plain", names, net, Pictures(150))
    with store.Maps(tmp_path / names[0]) as one, store.Maps(tmp_path / "plain" / names[0]) as two:
        np.testing.assert_allclose(one.images(0, 150), two.images(0, 150), rtol=2**-10, atol=1e-6)
    close(store.read_pooled(tmp_path / "fc.h5").values, store.read_pooled(tmp_path / "plain" / "fc.h5").values)


class Batchy(Net):
    """A network whose output tells the images of its batch, as sums of real ones do in their last digits."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return super().forward(x) + 1e-3 * x.mean()


@pytest.mark.parametrize("batch_size", [7, 64])
def test_an_interrupted_pass_sees_the_batches_of_an_undisturbed_one(tmp_path, batch_size):
    net = Batchy().eval().requires_grad_(False)
    with pytest.raises(Interrupt):
        run(tmp_path, ["fc.h5"], net, stop_at(Pictures(150), 133), batch_size=batch_size)
    run(tmp_path, ["fc.h5"], net, Pictures(150), batch_size=batch_size)
    run(tmp_path / "plain", ["fc.h5"], net, Pictures(150), batch_size=batch_size)
    found, plain = (store.read_pooled(folder / "fc.h5").values for folder in (tmp_path, tmp_path / "plain"))
    assert (found == plain).all()


def test_a_layer_that_lags_behind_gets_only_the_rows_it_lacks(tmp_path):
    pictures, net = Pictures(150), network()
    with pytest.raises(Interrupt):
        run(tmp_path, ["conv1.h5"], net, stop_at(pictures, 140))
    with pytest.raises(Interrupt):
        run(tmp_path, ["fc.h5"], net, stop_at(pictures, 70))
    # Row 128, where one of the files goes on, lies inside a batch.
    done = run(tmp_path, ["conv1.h5", "fc.h5"], net, pictures, batch_size=7)
    assert done.images == 150 - 63
    for layer in ("conv1", "fc"):
        close(store.read_pooled(tmp_path / f"{layer}.h5").values, pooled(reference(net, layer, Pictures(150))))


@pytest.mark.parametrize("change", ["weights", "dataset", "ids"])
def test_a_pass_over_something_else_begins_anew(tmp_path, change):
    pictures, net = Pictures(100), network()
    with pytest.raises(Interrupt):
        run(tmp_path, ["fc.h5"], net, stop_at(pictures, 90))
    options = {"dataset_fingerprint": "other"} if change == "dataset" else {}
    if change == "weights":
        net = network(1)
    if change == "ids":
        pictures.ids = pictures.ids[::-1]
    assert run(tmp_path, ["fc.h5"], net, pictures, **options).images == 100
    close(store.read_pooled(tmp_path / "fc.h5").values, pooled(reference(net, "fc", Pictures(100))))


class Loud(nn.Module):
    """Multiplies bright images, so that one image of the set has a value too large for float16."""

    def __init__(self, factor: float) -> None:
        super().__init__()
        self.conv = nn.Conv2d(3, 2, 1, bias=False)
        nn.init.constant_(self.conv.weight, 1.0)
        self.act = nn.Identity()
        self.factor = factor

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = self.conv(x)
        loud = x.amax((1, 2, 3), keepdim=True) > 6
        return self.act(torch.where(loud, x * self.factor, x))


def test_maps_that_overflow_float16_are_float32_from_the_first_row(tmp_path, caplog):
    class OneBright(Pictures):
        def image(self, index: int) -> np.ndarray:
            picture = super().image(index) // 2
            if index == 77:
                picture[:] = 255
            return picture

    pictures, net = OneBright(100), Loud(2e4)
    names = ["conv.maps.h5", "act.maps.h5", "act.h5"]
    caplog.set_level(logging.INFO)
    done = run(tmp_path, names, net, pictures)
    assert done.images > 100
    assert "maps of layer act are stored as float32, since it has a value above 65504" in caplog.text
    expected = reference(net, "act", pictures)
    assert expected.max() > 65504
    with store.Maps(tmp_path / "act.maps.h5") as maps:
        assert maps.dtype == np.float32
        close(maps.images(0, 100), expected)
    close(store.read_pooled(tmp_path / "act.h5").values, pooled(expected))
    with store.Maps(tmp_path / "conv.maps.h5") as maps:
        assert maps.dtype == np.float16
        np.testing.assert_allclose(maps.images(0, 100), reference(net, "conv", pictures), rtol=2**-11, atol=1e-6)


def test_maps_that_float16_would_blur_are_float32(tmp_path, pictures):
    net = nn.Sequential(nn.Conv2d(3, 2, 1)).requires_grad_(False)
    net[0].weight *= 1e-6
    net[0].bias *= 1e-6
    run(tmp_path, ["0.maps.h5"], net, pictures)
    with store.Maps(tmp_path / "0.maps.h5") as maps:
        assert maps.dtype == np.float32
        close(maps.images(0, 11), reference(net, "0", pictures))


def test_maps_of_zeros_stay_float16(tmp_path, pictures):
    net = nn.Sequential(nn.Conv2d(3, 2, 1)).requires_grad_(False)
    net[0].weight *= 0
    net[0].bias *= 0
    assert run(tmp_path, ["0.maps.h5"], net, pictures).images == 11
    with store.Maps(tmp_path / "0.maps.h5") as maps:
        assert maps.dtype == np.float16
        assert not maps.attributes["signed"]


def test_products_are_rounded_only_where_it_is_asked_for(tmp_path, pictures):
    net = network()
    for precision in ("float32", "bfloat16"):
        run(tmp_path / precision, ["conv2.h5", "conv2.maps.h5"], net, pictures, precision=precision)
    exact, rounded = (store.read_pooled(tmp_path / name / "conv2.h5") for name in ("float32", "bfloat16"))
    assert (exact.attributes["precision"], rounded.attributes["precision"]) == ("float32", "bfloat16")
    close(exact.values, pooled(reference(net, "conv2", pictures)))
    assert exact.values.dtype == rounded.values.dtype == np.float32
    error = abs(rounded.values - exact.values).max() / abs(exact.values).max()
    assert 1e-5 < error < 2e-2
    with store.Maps(tmp_path / "bfloat16" / "conv2.maps.h5") as maps:
        values = torch.from_numpy(maps.images(0, 11))
    assert (values == values.bfloat16().float()).all()


def test_a_pass_with_another_precision_begins_anew(tmp_path):
    pictures, net = Pictures(100), network()
    with pytest.raises(Interrupt):
        run(tmp_path, ["fc.h5"], net, stop_at(pictures, 90))
    assert run(tmp_path, ["fc.h5"], net, pictures, precision="bfloat16").images == 100


def test_values_that_are_not_finite_stop_the_pass_with_model_layer_and_image(tmp_path, pictures):
    class Spoil(Net):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return super().forward(torch.where(x.mean((1, 2, 3), keepdim=True) > self.limit, x / 0, x))

    net = Spoil()
    net.eval().requires_grad_(False)
    net.limit = 1e9
    means = [float(row.mean()) for row in reference(nn.Sequential(nn.Identity()), "0", pictures)]
    net.limit = sorted(means)[-2]
    worst = int(np.argmax(means))
    message = (
        rf"The layer 'conv1' of the model 'net' has NaN or infinite values for the image 'picture-{worst}' of 'pictu"
    )
    with pytest.raises(UserError, match=message):
        run(tmp_path, ["fc.h5", "conv1.h5"], net, pictures)
    assert not list(tmp_path.glob("[!.]*"))


def test_when_memory_runs_out_smaller_batches_are_used(tmp_path, caplog):
    class Hungry(Net):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            if len(x) > self.most:
                raise torch.OutOfMemoryError("CUDA out of memory")
            return super().forward(x)

    net = Hungry().eval().requires_grad_(False)
    net.most = 3
    pictures = Pictures(50)
    done = run(tmp_path, ["fc.h5"], net, pictures, batch_size=16)
    assert done.batch_size == 2
    assert "cpu is out of memory with 16 images; going on with 8" in caplog.text
    found = store.read_pooled(tmp_path / "fc.h5").values
    close(found, pooled(reference(net, "fc", Pictures(50))))
    net.most = 16
    run(tmp_path / "twos", ["fc.h5"], net, pictures, batch_size=2)
    assert (found == store.read_pooled(tmp_path / "twos" / "fc.h5").values).all()
    net.most = 0
    with pytest.raises(UserError, match=r"cannot take an image|A single image of 16x16 pixels does not fit"):
        run(tmp_path / "none", ["fc.h5"], net, pictures)


SWIN = {"img_size": 64, "window_size": 4, "embed_dim": 16, "depths": (1, 1), "num_heads": (1, 2)}


@pytest.mark.parametrize(
    ("architecture", "kwargs", "layers", "prefix"),
    [
        ("test_vit", {"img_size": 64}, ["blocks.3", "norm"], 1),
        ("test_vit4", {"img_size": 64}, ["blocks.1"], None),
        # Channels last inside the blocks of a network that passes channels first between them.
        ("test_convnext", {}, ["stages.0.blocks.0.mlp", "stages.1"], 0),
        ("test_maxvit", {"img_size": 64}, ["stages.1"], 0),
        # Channels last, and as many channels as rows and columns.
        ("swin_tiny_patch4_window7_224", SWIN, ["layers.0", "layers.1"], 0),
    ],
)
def test_transformers_and_channels_last_networks_of_timm(tmp_path, architecture, kwargs, layers, prefix):
    net = build(architecture, kwargs)
    pictures = Pictures(3, size=64)
    model = loaded(net, 64)
    run(tmp_path, [f"{layer}{end}.h5" for layer in layers for end in ("", ".maps")], model, pictures)
    for layer in layers:
        expected = reference(net, layer, pictures, model)
        if expected.ndim == 3:
            prefix = net.num_prefix_tokens if prefix is None else prefix
            side = round((expected.shape[1] - prefix) ** 0.5)
            expected = expected[:, prefix:].reshape(3, side, side, -1)
        last = expected.shape[1] == expected.shape[2] != expected.shape[3] or architecture.startswith("swin")
        if last or layer.startswith(("blocks", "norm")):
            expected = expected.transpose(0, 3, 1, 2)
        close(store.read_pooled(tmp_path / f"{layer}.h5").values, pooled(expected))
        with store.Maps(tmp_path / f"{layer}.maps.h5") as maps:
            np.testing.assert_allclose(maps.images(0, 3), expected, rtol=2**-10, atol=1e-4 * abs(expected).max())


def test_the_class_token_is_the_pooled_feature_where_the_record_says_so(tmp_path):
    net = build("test_vit", {"img_size": 64})
    model = loaded(net, 64, pool="class")
    pictures = Pictures(3, size=64)
    run(tmp_path, ["blocks.1.h5"], model, pictures)
    close(store.read_pooled(tmp_path / "blocks.1.h5").values, reference(net, "blocks.1", pictures, model)[:, 0])


@pytest.mark.parametrize(
    ("names", "options", "words"),
    [
        (["conv9.h5"], {}, "no layer 'conv9'; did you mean 'conv"),
        ([], {}, "No feature file was asked for"),
        (["conv1.h5"], {"batch_size": 0}, "batch_size is 0"),
        (["conv1.h5"], {"device": "cuda:7"}, "device is 'cuda:7'"),
        (["conv1.h5"], {"precision": "float8"}, "precision is 'float8', expected float32 or bfloat16"),
        (["conv1.h5"], {"shard": (1, 12)}, "divided into 12 shards, but has 11 images"),
    ],
)
def test_what_cannot_be_extracted_is_told(tmp_path, pictures, names, options, words):
    with pytest.raises(UserError) as error:
        run(tmp_path, names, network(), pictures, **options)
    assert words in str(error.value)
    with pytest.raises(UserError, match="has no images"):
        run(tmp_path, ["conv1.h5"], network(), Pictures(0))


def test_names_of_files_say_what_is_wanted():
    assert FeatureFile.at("a/blocks.11.h5").layer == "blocks.11"
    assert FeatureFile.at("a/blocks.11.maps.h5") == FeatureFile(
        "blocks.11", "maps", extract_module.Path("a/blocks.11.maps.h5")
    )
    for name in ("layer4.csv", ".h5", ".maps.h5"):
        with pytest.raises(UserError, match="is no name of a feature file"):
            FeatureFile.at(name)


def test_memory_does_not_grow_with_the_number_of_images(tmp_path, monkeypatch):
    import tracemalloc

    peaks = []
    monkeypatch.setattr(prefetch, "MANY", 1)
    run(tmp_path / "first", ["conv1.maps.h5"], network(), Pictures(8), batch_size=8)  # imports the compiler
    for count in (100, 400):
        tracemalloc.start()
        run(tmp_path / str(count), ["conv1.maps.h5"], network(), Pictures(count), batch_size=8)
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
    # numpy's and Python's own memory; 300 images more would be 900 kB of float16 maps.
    assert peaks[1] < peaks[0] + 300_000
