"""The training loop."""

from __future__ import annotations

import logging

import numpy as np
import pytest
import torch
from intermodel.engine.errors import UserError
from intermodel.training.recipe import OBJECTIVES, read_recipe
from intermodel.training.train import batch_indices, create_optimizer, train
from torch import nn

CLASSES = 4


def stripes(count: int = 96, size: int = 16, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Noisy stripes in four orientations: classes that a few steps can learn."""
    random = np.random.default_rng(seed)
    labels = random.integers(0, CLASSES, count)
    y, x = np.mgrid[:size, :size]
    angle = np.pi * labels / CLASSES
    wave = np.sin(
        (np.cos(angle)[:, None, None] * x + np.sin(angle)[:, None, None] * y) * 1.2
        + random.uniform(0, 2 * np.pi, count)[:, None, None]
    )
    images = 127 + 80 * wave[..., None] + random.normal(0, 10, (count, size, size, 3))
    return images.clip(0, 255).astype(np.uint8), labels


def small_backbone(seed: int = 0) -> nn.Module:
    torch.manual_seed(seed)
    return nn.Sequential(
        nn.Conv2d(3, 8, 3, stride=2),
        nn.BatchNorm2d(8),
        nn.ReLU(),
        nn.Conv2d(8, 16, 3),
        nn.ReLU(),
        nn.AdaptiveAvgPool2d(1),
        nn.Flatten(),
    )


def recipe(objective: str, **settings):
    return read_recipe({"objective": objective, "steps": 40, "batch_size": 32, "projection": [32, 16], **settings})


def weights(backbone: nn.Module) -> dict[str, bytes]:
    return {name: value.numpy().tobytes() for name, value in backbone.state_dict().items()}


@pytest.mark.parametrize("objective", OBJECTIVES)
def test_loss_decreases_and_nothing_collapses(objective):
    images, labels = stripes()
    history = train(small_backbone(), images, labels, recipe(objective, learning_rate=0.01), seed=0)
    assert len(history.loss) == len(history.learning_rate) == len(history.embedding_std) == 40
    assert history.loss[-8:].mean() < history.loss[:8].mean() - 0.05
    assert history.embedding_std[-1] > 0.05
    assert (history.embedding_std <= 1.0 + 1e-6).all()


@pytest.mark.parametrize("objective", OBJECTIVES)
def test_two_runs_give_equal_bytes(objective):
    images, labels = stripes()
    results = []
    for disturbance in (1, 2):
        backbone = small_backbone()
        torch.manual_seed(disturbance)  # the state of the global generators must not matter
        np.random.seed(disturbance)  # noqa: NPY002
        history = train(backbone, images, labels, recipe(objective, steps=6), seed=5)
        results.append((weights(backbone), history.loss.tobytes()))
    assert results[0] == results[1]


def test_another_seed_gives_other_weights():
    images, labels = stripes()
    results = []
    for seed in (0, 1):
        backbone = small_backbone()
        train(backbone, images, labels, recipe("supervised", steps=3), seed=seed)
        results.append(weights(backbone))
    assert results[0] != results[1]


def test_global_state_is_put_back():
    images, labels = stripes()
    backbone = small_backbone()
    torch.manual_seed(3)
    before = torch.get_num_threads(), torch.random.get_rng_state()
    train(backbone, images, labels, recipe("simclr", steps=2), seed=0)
    assert torch.get_num_threads() == before[0]
    assert torch.equal(torch.random.get_rng_state(), before[1])
    assert not backbone.training


def test_labels_do_not_matter_to_self_supervision():
    images, labels = stripes()
    results = []
    for given in (labels, None, np.full(len(images), -1)):
        backbone = small_backbone()
        train(backbone, images, given, recipe("barlow_twins", steps=3), seed=0)
        results.append(weights(backbone))
    assert results[0] == results[1] == results[2]


def test_normalisation_reaches_the_network():
    """Shifting and scaling the input by mean and std equals training on images that were so before."""
    images, labels = stripes()
    seen: list[torch.Tensor] = []

    class Recorder(nn.Module):
        def __init__(self):
            super().__init__()
            self.backbone = small_backbone()

        def forward(self, values):
            seen.append(values.detach().clone())
            return self.backbone(values)

    still = recipe("supervised", steps=1, augmentation={"crop_area": [1.0, 1.0], "crop_ratio": [1.0, 1.0], "flip": 0.0})
    train(Recorder(), images, labels, still, seed=0, mean=(0.1, 0.2, 0.3), std=(0.5, 0.25, 2.0))
    chosen = next(batch_indices(len(images), 32, 1, seed=_batch_seed(0)))
    expected = (images[chosen] / 255.0 - np.array([0.1, 0.2, 0.3])) / np.array([0.5, 0.25, 2.0])
    np.testing.assert_allclose(seen[-1].numpy(), expected.transpose(0, 3, 1, 2), atol=1e-6)


def _batch_seed(seed: int) -> int:
    from intermodel.engine.seeds import derive_seed

    return derive_seed(seed, "batches")


def test_batches_cover_each_round_without_repetition():
    batches = list(batch_indices(20, 6, 7, seed=1))
    assert all(len(batch) == 6 for batch in batches)
    for start in (0, 3):
        together = np.concatenate(batches[start : start + 3])
        assert len(np.unique(together)) == 18
    assert not np.array_equal(batches[0], batches[3])


def test_weight_decay_spares_biases_and_normalisation():
    backbone = small_backbone()
    optimizer = create_optimizer(backbone, recipe("supervised", weight_decay=0.1))
    decayed, spared = optimizer.param_groups
    assert decayed["weight_decay"] == 0.1 and spared["weight_decay"] == 0.0
    assert {value.ndim for value in decayed["params"]} == {4}
    assert {value.ndim for value in spared["params"]} == {1}
    assert isinstance(create_optimizer(backbone, recipe("supervised", optimizer="sgd")), torch.optim.SGD)


def test_a_diverging_loss_names_model_and_step():
    images, labels = stripes()

    class Breaks(nn.Module):
        def __init__(self):
            super().__init__()
            self.backbone = small_backbone()
            self.calls = -1  # the first call measures the width

        def forward(self, values):
            self.calls += 1
            return self.backbone(values) * (float("nan") if self.calls >= 23 else 1.0)

    with pytest.raises(UserError, match="loss of model wild is not a finite number at step 23;"):
        train(Breaks(), images, labels, recipe("supervised"), seed=0, name="wild")


def test_too_little_memory_is_told_in_one_sentence():
    images, labels = stripes()

    class Large(nn.Module):
        def __init__(self):
            super().__init__()
            self.backbone = small_backbone()

        def forward(self, values):
            if len(values) > 1:
                raise torch.OutOfMemoryError("CUDA out of memory.")
            return self.backbone(values)

    with pytest.raises(UserError, match="model large does not fit into the memory of cpu with batches of 32 images"):
        train(Large(), images, labels, recipe("supervised"), seed=0, name="large")


def test_a_collapse_is_reported(caplog):
    images, labels = stripes()

    class Constant(nn.Module):
        def __init__(self):
            super().__init__()
            self.value = nn.Parameter(torch.ones(8))

        def forward(self, values):
            return self.value.expand(len(values), 8)

    with caplog.at_level(logging.WARNING):
        train(Constant(), images, labels, recipe("supervised", steps=2), seed=0, name="flat")
    assert "model flat have collapsed" in caplog.text


def test_errors_say_what_is_missing():
    images, labels = stripes(40)
    with pytest.raises(UserError, match="Model m has 40 training images, but a batch takes 64"):
        train(small_backbone(), images, labels, recipe("simclr", batch_size=64), seed=0, name="m")
    with pytest.raises(UserError, match="40 of 40 training images have no label"):
        train(small_backbone(), images, None, recipe("supervised"), seed=0)
    labels[3] = -1
    with pytest.raises(UserError, match="1 of 40 training images have no label"):
        train(small_backbone(), images, labels, recipe("supervised"), seed=0)
    with pytest.raises(UserError, match="all training images are of one class"):
        train(small_backbone(), images, np.zeros(40, int), recipe("supervised"), seed=0)
    with pytest.raises(UserError, match=r"gives \(1, 3, 16, 16\) for one image"):
        train(nn.Identity(), images, labels * 0, recipe("simclr"), seed=0)
    with pytest.raises(ValueError, match="expected uint8"):
        train(small_backbone(), images.astype(float), labels, recipe("simclr"), seed=0)
