"""The settings of one training."""

from __future__ import annotations

import pytest
from intermodel.engine.errors import UserError
from intermodel.training.augment import SELF_SUPERVISED, SUPERVISED
from intermodel.training.recipe import OBJECTIVES, Recipe, read_recipe


@pytest.mark.parametrize("objective", OBJECTIVES)
def test_defaults_follow_the_objective(objective):
    recipe = read_recipe({"objective": objective})
    assert recipe.augmentation == (SUPERVISED if objective == "supervised" else SELF_SUPERVISED)
    assert recipe.peak_learning_rate == 0.003
    assert recipe.steps == 500


def test_some_augmentation_keys_change_and_the_rest_stay():
    recipe = read_recipe({"objective": "simclr", "augmentation": {"hue": 0.0, "crop_area": [0.4, 0.9]}})
    assert recipe.augmentation.hue == 0.0
    assert recipe.augmentation.crop_area == (0.4, 0.9)
    assert recipe.augmentation.blur == SELF_SUPERVISED.blur


def test_learning_rate_of_the_optimizer_or_as_given():
    assert Recipe("simclr", optimizer="sgd").peak_learning_rate == 0.05
    assert Recipe("simclr", optimizer="sgd", learning_rate=0.2).peak_learning_rate == 0.2


def test_projection_given_or_usual():
    assert Recipe("byol").projection_widths == (512, 128)
    assert Recipe("byol", projection=[64, 32]).projection_widths == (64, 32)


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({}, "needs the key `objective`"),
        ({"objective": "moco"}, "objective of a training is 'moco'"),
        ({"objective": "simclr", "step": 5}, "has no key 'step'"),
        ({"objective": "simclr", "augmentation": {"color": 1}}, "augmentation has no key 'color'"),
        ({"objective": "simclr", "steps": 0}, "steps of a training is 0"),
        ({"objective": "simclr", "batch_size": 1}, "batch_size of a training is 1"),
        ({"objective": "simclr", "optimizer": "lars"}, "adamw or sgd"),
        ({"objective": "simclr", "learning_rate": 0.0}, "learning_rate of a training is 0.0"),
        ({"objective": "simclr", "learning_rate": float("nan")}, "a positive number"),
        ({"objective": "simclr", "warmup": 1.0}, "warmup of a training is 1.0"),
        ({"objective": "simclr", "temperature": 0.0}, "temperature"),
        ({"objective": "byol", "momentum": 1.0}, "momentum"),
        ({"objective": "byol", "projection": [5]}, "two widths"),
        ({"objective": "byol", "dtype": "bfloat16"}, "float32 or float16"),
        ({"objective": "byol", "weight_decay": -1.0}, "weight_decay"),
    ],
)
def test_errors_say_what_is_wrong(settings, words):
    with pytest.raises(UserError, match=words):
        read_recipe(settings)
