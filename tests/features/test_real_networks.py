"""Networks with known accuracy on photographs: the whole way from pixels to features is right, or the figure is not."""

import numpy as np
import pytest
from intermodel import store
from intermodel.features.extract import FeatureFile, extract
from intermodel.models.load import load_model
from intermodel.models.preprocessing import IMAGENET_MEAN, IMAGENET_STD


class Arrays:
    def __init__(self, images: np.ndarray) -> None:
        self.images = images
        self.ids = [str(number) for number in range(len(images))]

    def __len__(self) -> int:
        return len(self.images)

    def image(self, index: int) -> np.ndarray:
        return self.images[index]


@pytest.mark.real
@pytest.mark.parametrize(("name", "accuracy"), [("cifar_resnet20", 0.804), ("cifar_resnet32", 0.840)])
def test_a_cifar_network_has_the_accuracy_that_is_known(name, accuracy, real_data, tmp_path):
    arrays = np.load(real_data / "cifar10_2000_1000.npz")
    model = load_model(
        {
            "architecture": "nets:build",
            "kwargs": {"name": name},
            "python_path": str(real_data),
            "weights": {"source": "checkpoint", "path": str(real_data / "weights" / f"{name}.safetensors")},
            "preprocessing": {
                "size": 32,
                "resize": "none",
                "crop": "none",
                "mean": list(IMAGENET_MEAN),
                "std": list(IMAGENET_STD),
            },
        }
    )
    files = [FeatureFile.at(tmp_path / file) for file in ("linear.h5", "layer3.h5", "layer3.maps.h5")]
    images = Arrays(arrays["x_test"])
    extract(model, images, files, model_name=name, dataset="cifar", dataset_fingerprint="1", device="cpu")
    logits = store.read_pooled(tmp_path / "linear.h5").values
    assert (logits.argmax(1) == arrays["y_test"]).mean() == pytest.approx(accuracy, abs=0.0015)
    # The classifier is a matrix, so it maps pooled features of the layer before to the same logits.
    layer3 = store.read_pooled(tmp_path / "layer3.h5").values
    linear = model.network.linear
    again = layer3 @ linear.weight.numpy().T + linear.bias.numpy()
    np.testing.assert_allclose(again, logits, rtol=1e-4, atol=1e-4)
    with store.Maps(tmp_path / "layer3.maps.h5") as maps:
        assert maps.shape == (1000, 64, 8, 8)
        np.testing.assert_allclose(maps.images(0, 50).mean((2, 3)), layer3[:50], rtol=1e-3, atol=1e-3)
