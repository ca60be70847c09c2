"""What is optimised: classes, or agreement between two views of an image.

Every objective is a module around the backbone. Called with a batch it returns the loss and the embedding in which
a collapse would show. Self-supervised objectives get the two views of N images as one batch of 2 N (first all first
views, then all second views), so that batch normalisation sees both.
"""

from __future__ import annotations

import copy

import torch
from lightly.loss import BarlowTwinsLoss, NegativeCosineSimilarity, NTXentLoss
from lightly.models.modules.heads import (
    BarlowTwinsProjectionHead,
    BYOLPredictionHead,
    BYOLProjectionHead,
    SimCLRProjectionHead,
)
from torch import Tensor, nn
from torch.nn import functional

from intermodel.training.recipe import Recipe


class Objective(nn.Module):
    """Base of all objectives."""

    views = 2

    def __init__(self, backbone: nn.Module) -> None:
        super().__init__()
        self.backbone = backbone

    def forward(self, images: Tensor, labels: Tensor | None) -> tuple[Tensor, Tensor]:
        """Loss (scalar) and embedding (views * N, D) of a batch of images (views * N, 3, H, W), labels (N,)."""
        raise NotImplementedError

    def after_step(self, momentum: float) -> None:
        """Do what follows an optimiser step; `momentum` is the schedule's value for it."""


class Supervised(Objective):
    """Cross-entropy of a linear classifier on the pooled features."""

    views = 1

    def __init__(self, backbone: nn.Module, width: int, classes: int, label_smoothing: float) -> None:
        super().__init__(backbone)
        self.classifier = nn.Linear(width, classes)
        self.label_smoothing = label_smoothing

    def forward(self, images: Tensor, labels: Tensor | None) -> tuple[Tensor, Tensor]:
        assert labels is not None
        features = self.backbone(images)
        logits = self.classifier(features)
        return functional.cross_entropy(logits, labels, label_smoothing=self.label_smoothing), features


class SimCLR(Objective):
    """Normalised temperature-scaled cross-entropy between views (Chen et al. 2020, equation 1)."""

    def __init__(self, backbone: nn.Module, width: int, projection: tuple[int, int], temperature: float) -> None:
        super().__init__(backbone)
        self.projection = SimCLRProjectionHead(width, *projection)
        self.criterion = NTXentLoss(temperature=temperature)

    def forward(self, images: Tensor, labels: Tensor | None) -> tuple[Tensor, Tensor]:
        embedding = self.projection(self.backbone(images))
        first, second = embedding.chunk(2)
        return self.criterion(first, second), embedding


class BarlowTwins(Objective):
    """Cross-correlation of the views' embeddings driven to the identity (Zbontar et al. 2021, equation 1)."""

    def __init__(self, backbone: nn.Module, width: int, projection: tuple[int, int], redundancy_weight: float) -> None:
        super().__init__(backbone)
        self.projection = BarlowTwinsProjectionHead(width, *projection)
        self.criterion = BarlowTwinsLoss(lambda_param=redundancy_weight)

    def forward(self, images: Tensor, labels: Tensor | None) -> tuple[Tensor, Tensor]:
        embedding = self.projection(self.backbone(images))
        first, second = embedding.chunk(2)
        return self.criterion(first, second), embedding


class BYOL(Objective):
    """Prediction of a slowly moving target network's view of the image (Grill et al. 2020, equations 2 and 3).

    The loss is the sum of both directions: first view predicts second, second predicts first.
    """

    def __init__(self, backbone: nn.Module, width: int, projection: tuple[int, int]) -> None:
        super().__init__(backbone)
        hidden, output = projection
        self.projection = BYOLProjectionHead(width, hidden, output)
        self.prediction = BYOLPredictionHead(output, hidden, output)
        self.target_backbone = copy.deepcopy(backbone).requires_grad_(False)
        self.target_projection = copy.deepcopy(self.projection).requires_grad_(False)
        self.criterion = NegativeCosineSimilarity()

    def forward(self, images: Tensor, labels: Tensor | None) -> tuple[Tensor, Tensor]:
        embedding = self.projection(self.backbone(images))
        prediction = self.prediction(embedding)
        with torch.no_grad():
            target = self.target_projection(self.target_backbone(images))
        return self.symmetric_loss(prediction, target), embedding

    def symmetric_loss(self, prediction: Tensor, target: Tensor) -> Tensor:
        """Sum of the negative cosines, first prediction with second target and the reverse; both (2 N, D)."""
        first_prediction, second_prediction = prediction.chunk(2)
        first_target, second_target = target.chunk(2)
        loss: Tensor = self.criterion(first_prediction, second_target) + self.criterion(second_prediction, first_target)
        return loss

    @torch.no_grad()
    def after_step(self, momentum: float) -> None:
        """Move the target's parameters: momentum * target + (1 - momentum) * online."""
        for online, target in ((self.backbone, self.target_backbone), (self.projection, self.target_projection)):
            for value, moving in zip(online.parameters(), target.parameters(), strict=True):
                moving.mul_(momentum).add_(value, alpha=1 - momentum)


def create_objective(recipe: Recipe, backbone: nn.Module, width: int, classes: int) -> Objective:
    """Build the objective of a recipe around a backbone.

    Parameters
    ----------
    recipe
        What to optimise, and its settings.
    backbone
        From images (N, 3, H, W) to pooled features (N, width).
    width
        Width of the pooled features.
    classes
        Number of classes (supervised only).

    Returns
    -------
    Objective
    """
    if recipe.objective == "supervised":
        return Supervised(backbone, width, classes, recipe.label_smoothing)
    projection = recipe.projection_widths
    if recipe.objective == "simclr":
        return SimCLR(backbone, width, projection, recipe.temperature)
    if recipe.objective == "barlow_twins":
        return BarlowTwins(backbone, width, projection, recipe.redundancy_weight)
    return BYOL(backbone, width, projection)


def spread(embedding: Tensor) -> Tensor:
    """How far embeddings are from having collapsed to one point.

    The standard deviation of every coordinate of the embeddings scaled to length 1, averaged and multiplied by
    sqrt(D): 1 when they point in all directions alike, 0 when all are the same (Chen and He 2021, SimSiam,
    section 4.1).

    Parameters
    ----------
    embedding
        (N, D) float32.

    Returns
    -------
    Tensor
        Scalar.
    """
    unit_length = functional.normalize(embedding.detach(), dim=1)
    result: Tensor = unit_length.std(dim=0, correction=0).mean() * embedding.shape[1] ** 0.5
    return result
