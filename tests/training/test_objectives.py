"""Losses, heads and the target network."""

from __future__ import annotations

import math

import pytest
import torch
from intermodel.training.objectives import BYOL, BarlowTwins, SimCLR, Supervised, create_objective, spread
from intermodel.training.recipe import OBJECTIVES, read_recipe
from torch import nn


def small_backbone() -> nn.Module:
    torch.manual_seed(0)
    return nn.Sequential(nn.Conv2d(3, 5, 3), nn.BatchNorm2d(5), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten())


def views(count: int = 6) -> torch.Tensor:
    return torch.rand((2 * count, 3, 8, 8), generator=torch.Generator().manual_seed(1))


def test_simclr_loss_is_the_papers_sum_over_positive_pairs():
    objective = SimCLR(small_backbone(), 5, (4, 3), temperature=0.3)
    loss, embedding = objective(views(), None)
    unit = torch.nn.functional.normalize(embedding.detach().double(), dim=1)
    total = 0.0
    for i in range(12):
        partner = (i + 6) % 12
        others = [k for k in range(12) if k != i]
        scores = [math.exp(float(unit[i] @ unit[k]) / 0.3) for k in others]
        total -= math.log(math.exp(float(unit[i] @ unit[partner]) / 0.3) / sum(scores))
    assert float(loss.detach()) == pytest.approx(total / 12, rel=1e-5)


def test_barlow_twins_loss_is_the_papers_sum_over_the_cross_correlation():
    objective = BarlowTwins(small_backbone(), 5, (4, 3), redundancy_weight=0.02)
    loss, embedding = objective(views(), None)
    first, second = embedding.detach().double().chunk(2)
    expected = 0.0
    for i in range(3):
        for j in range(3):
            a, b = first[:, i] - first[:, i].mean(), second[:, j] - second[:, j].mean()
            c = float((a @ b) / (a.norm() * b.norm()))
            expected += (1 - c) ** 2 if i == j else 0.02 * c**2
    assert float(loss.detach()) == pytest.approx(expected, rel=1e-2)  # the loss adds 1e-5 to each variance


def test_byol_sums_both_directions():
    objective = BYOL(small_backbone(), 5, (4, 3))
    prediction, target = (torch.randn((12, 3), generator=torch.Generator().manual_seed(k)) for k in (0, 1))

    def cosine(a, b):
        return sum(float(x @ y / (x.norm() * y.norm())) for x, y in zip(a, b, strict=True)) / len(a)

    forward = -cosine(prediction[:6], target[6:])
    backward = -cosine(prediction[6:], target[:6])
    assert forward != pytest.approx(backward)
    assert float(objective.symmetric_loss(prediction, target)) == pytest.approx(forward + backward, rel=1e-5)
    swap = torch.arange(12).roll(6)
    assert float(objective.symmetric_loss(prediction[swap], target[swap])) == pytest.approx(
        forward + backward, rel=1e-5
    )


def test_byol_perfect_prediction_has_the_smallest_loss():
    objective = BYOL(small_backbone(), 5, (4, 3))
    target = torch.randn((12, 3), generator=torch.Generator().manual_seed(0))
    crossed = torch.cat([target[6:], target[:6]])
    assert float(objective.symmetric_loss(crossed, target)) == pytest.approx(-2.0, rel=1e-5)


def test_byol_target_moves_by_momentum_exactly_and_only_after_a_step():
    objective = BYOL(small_backbone(), 5, (4, 3))
    with torch.no_grad():
        for value in objective.backbone.parameters():
            value.add_(torch.randn(value.shape, generator=torch.Generator().manual_seed(2)))
    pairs = [
        (online, target, target.detach().clone())
        for online, target in zip(
            [*objective.backbone.parameters(), *objective.projection.parameters()],
            [*objective.target_backbone.parameters(), *objective.target_projection.parameters()],
            strict=True,
        )
    ]
    objective(views(), None)[0].backward()
    assert all(torch.equal(target, before) for _, target, before in pairs)
    assert all(target.grad is None for _, target, _ in pairs)
    objective.after_step(0.9)
    for online, target, before in pairs:
        torch.testing.assert_close(target, 0.9 * before + 0.1 * online.detach(), rtol=1e-6, atol=1e-7)
    objective.after_step(1.0)
    for online, target, before in pairs:
        torch.testing.assert_close(target, 0.9 * before + 0.1 * online.detach(), rtol=1e-6, atol=1e-7)
    objective.after_step(0.0)
    assert all(torch.equal(target, online) for online, target, _ in pairs)


def test_byol_heads_normalise_batches():
    objective = BYOL(small_backbone(), 5, (4, 3))
    for head in (objective.projection, objective.prediction, objective.target_projection):
        assert any(isinstance(module, nn.BatchNorm1d) for module in head.modules())


def test_supervised_loss_is_the_cross_entropy():
    objective = Supervised(small_backbone(), 5, 4, 0.0)
    labels = torch.tensor([0, 1, 2, 3, 0, 1])
    loss, features = objective(views(3), labels)
    logits = objective.classifier(features).detach().double()
    expected = -sum(float(torch.log_softmax(logits, dim=1)[i, label]) for i, label in enumerate(labels)) / 6
    assert float(loss.detach()) == pytest.approx(expected, rel=1e-5)


@pytest.mark.parametrize("name", OBJECTIVES)
def test_every_objective_sends_gradients_through_the_whole_backbone(name):
    recipe = read_recipe({"objective": name, "projection": [8, 4]})
    objective = create_objective(recipe, small_backbone(), 5, 3)
    count = 6
    loss, embedding = objective(views()[: objective.views * count], torch.arange(count) % 3)
    loss.backward()
    assert len(embedding) == objective.views * count
    for value in objective.backbone.parameters():
        assert value.grad is not None
        assert torch.isfinite(value.grad).all()
    assert any(value.grad.abs().max() > 0 for value in objective.backbone.parameters())


def test_spread_is_zero_for_one_point_and_one_for_directions_of_all_kinds():
    assert float(spread(torch.ones(10, 8))) == pytest.approx(0.0, abs=1e-6)
    many = torch.randn((4000, 64), generator=torch.Generator().manual_seed(0))
    assert float(spread(many)) == pytest.approx(1.0, abs=0.02)
    assert float(spread(many * 1000)) == pytest.approx(float(spread(many)), rel=1e-5)
