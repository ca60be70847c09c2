"""The training loop."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from intermodel.engine.errors import UserError
from intermodel.engine.progress import progress
from intermodel.engine.seeds import derive_seed
from intermodel.training.augment import augment, draw
from intermodel.training.objectives import Objective, create_objective, spread
from intermodel.training.recipe import Recipe
from intermodel.training.schedule import learning_rate_at, momentum_at

logger = logging.getLogger(__name__)

# Losses are looked at together this often: looking at each one would make a GPU wait for every step.
INSPECTION_STEPS = 20
# Below this spread of the embeddings a training is reported as collapsed; the objectives settle above 0.3.
COLLAPSED = 0.05


@dataclass(frozen=True)
class History:
    """What happened, step by step.

    Attributes
    ----------
    loss
        (steps,) float64, before the step.
    learning_rate
        (steps,) float64.
    embedding_std
        (steps,) float64, `intermodel.training.objectives.spread`: 1 spread evenly, 0 collapsed.
    """

    loss: NDArray[np.float64]
    learning_rate: NDArray[np.float64]
    embedding_std: NDArray[np.float64]


def train(
    backbone: nn.Module,
    images: NDArray[np.uint8],
    labels: NDArray[np.integer] | None,
    recipe: Recipe,
    *,
    seed: int,
    mean: tuple[float, float, float] = (0.0, 0.0, 0.0),
    std: tuple[float, float, float] = (1.0, 1.0, 1.0),
    channel_order: str = "rgb",
    device: torch.device | str = "cpu",
    threads: int = 1,
    name: str = "model",
) -> History:
    """Train a backbone in place.

    Equal arguments give equal weights, to the last bit, on the same CPU with the same number of threads. On a GPU
    the same batches and augmentations are used, but sums are rounded differently.

    Parameters
    ----------
    backbone
        Initialised network, from images (N, 3, H, W) to pooled features (N, D). All its parameters are trained. On
        return it is on the CPU, in evaluation mode.
    images
        (N, H, W, 3) uint8, RGB, at the size at which the network is used.
    labels
        (N,) class indices, -1 for none; needed by the supervised objective only.
    recipe
        What to optimise, and how long.
    seed
        Seed of head initialisation, batches and augmentations.
    mean, std
        Per channel of the network's input, on the scale 0..1: images are normalised by them after augmentation.
    channel_order
        Order in which the network takes the channels, "rgb" or "bgr".
    device
        Where to compute.
    threads
        Threads of the CPU; sums depend on it.
    name
        The model's name, for messages.

    Returns
    -------
    History

    Raises
    ------
    UserError
        If there are fewer images than a batch takes, if labels are missing, if the backbone does not give pooled
        features, if the loss stops being a finite number, or if a batch does not fit into the device's memory.
    """
    classes, labels = _check(images, labels, recipe, name)
    target = torch.device(device)
    with _reproducible(seed, threads, target):
        backbone.to(target).train().requires_grad_(True)
        width = _feature_width(backbone, images, target, name)
        objective = create_objective(recipe, backbone, width, classes).train()
        # Convolutions train 1.7 times as fast on a CPU when the channels of a pixel lie side by side.
        objective.to(target).to(memory_format=torch.channels_last)
        normalise = _normaliser(mean, std, channel_order, target)
        try:
            history = _optimise(objective, images, labels, recipe, seed, normalise, target, name)
        except torch.OutOfMemoryError as error:
            raise UserError(
                f"The training of model {name} does not fit into the memory of {device} with batches of "
                f"{recipe.batch_size} images; make batch_size smaller."
            ) from error
    backbone.to("cpu").to(memory_format=torch.contiguous_format).eval().requires_grad_(False)
    if history.embedding_std[-1] < COLLAPSED:
        logger.warning(
            "The embeddings of model %s have collapsed (spread %.3f of 1 at the last step): its features say little; "
            "train longer, with a larger batch or a smaller learning rate.",
            name,
            history.embedding_std[-1],
        )
    return history


def _optimise(
    objective: Objective,
    images: NDArray[np.uint8],
    labels: NDArray[np.int64] | None,
    recipe: Recipe,
    seed: int,
    normalise: Callable[[Tensor], Tensor],
    device: torch.device,
    name: str,
) -> History:
    optimizer = create_optimizer(objective, recipe)
    channels_first = torch.from_numpy(np.ascontiguousarray(images.transpose(0, 3, 1, 2)))
    if _fits(channels_first, device):
        channels_first = channels_first.to(device)
    targets = None if labels is None else torch.from_numpy(labels).to(device)
    random = torch.Generator().manual_seed(derive_seed(seed, "augmentation"))
    losses: list[Tensor] = []
    spreads: list[Tensor] = []
    rates: list[float] = []
    finite = 0
    bar: progress[int] = progress(total=recipe.steps, unit="step", label=f"train {name}")
    with bar:
        batches = batch_indices(len(images), recipe.batch_size, recipe.steps, derive_seed(seed, "batches"))
        for step, chosen in enumerate(batches):
            batch = torch.from_numpy(chosen).to(channels_first.device)
            draws = draw(objective.views * len(chosen), random)
            views = channels_first[batch.repeat(objective.views)].to(device)
            views = augment(views, recipe.augmentation, draws)
            rates.append(learning_rate_at(step, recipe.steps, recipe.peak_learning_rate, recipe.warmup))
            for group in optimizer.param_groups:
                group["lr"] = rates[-1]
            loss, embedding = objective(normalise(views), None if targets is None else targets[batch.to(device)])
            optimizer.zero_grad(set_to_none=True)
            loss.backward()
            optimizer.step()
            objective.after_step(momentum_at(step, recipe.steps, recipe.momentum))
            losses.append(loss.detach())
            spreads.append(spread(embedding))
            bar.advance(1)
            if len(losses) - finite == INSPECTION_STEPS or step + 1 == recipe.steps:
                _require_finite(losses[finite:], finite, name)
                finite = len(losses)
    return History(
        loss=torch.stack(losses).double().cpu().numpy(),
        learning_rate=np.array(rates),
        embedding_std=torch.stack(spreads).double().cpu().numpy(),
    )


def _fits(images: Tensor, device: torch.device) -> bool:
    """Whether all images may stay on the device: on a GPU, if they leave three quarters of its free memory."""
    return device.type == "cuda" and images.nbytes < torch.cuda.mem_get_info(device)[0] / 4


def create_optimizer(objective: nn.Module, recipe: Recipe) -> torch.optim.Optimizer:
    """Build the optimiser; weight decay acts on matrices and kernels, not on biases and normalisation."""
    trained = [value for value in objective.parameters() if value.requires_grad]
    groups = [
        {"params": [value for value in trained if value.ndim > 1], "weight_decay": recipe.weight_decay},
        {"params": [value for value in trained if value.ndim <= 1], "weight_decay": 0.0},
    ]
    if recipe.optimizer == "sgd":
        return torch.optim.SGD(groups, lr=recipe.peak_learning_rate, momentum=0.9, nesterov=True)
    return torch.optim.AdamW(groups, lr=recipe.peak_learning_rate)


def batch_indices(count: int, batch_size: int, steps: int, seed: int) -> Iterator[NDArray[np.int64]]:
    """Draw batches without replacement, in a new order each time all images have been seen.

    Images that do not fill a last batch are left out of that round, so that every batch is full.

    Parameters
    ----------
    count
        Number of images, at least `batch_size`.
    batch_size, steps
        Images per batch, number of batches.
    seed
        Seed of the orders.

    Yields
    ------
    ndarray
        (batch_size,) int64 indices.
    """
    random = np.random.default_rng(seed)
    per_round = count // batch_size
    for step in range(steps):
        if step % per_round == 0:
            order = random.permutation(count)
        start = step % per_round * batch_size
        yield order[start : start + batch_size]


def _check(
    images: NDArray[np.uint8], labels: NDArray[np.integer] | None, recipe: Recipe, name: str
) -> tuple[int, NDArray[np.int64] | None]:
    """Number of classes and labels of a supervised training, (0, None) of another; or what is wrong."""
    if images.ndim != 4 or images.shape[3] != 3 or images.dtype != np.uint8:
        raise ValueError(f"images are {images.dtype} of shape {images.shape}, expected uint8 of shape (N, H, W, 3)")
    if len(images) < recipe.batch_size:
        raise UserError(
            f"Model {name} has {len(images)} training images, but a batch takes {recipe.batch_size}; "
            "make batch_size smaller or the data set larger."
        )
    if recipe.objective != "supervised":
        return 0, None
    if labels is None or (np.asarray(labels) < 0).any():
        missing = len(images) if labels is None else int((np.asarray(labels) < 0).sum())
        raise UserError(
            f"Model {name} is trained with the supervised objective, but {missing} of {len(images)} training images "
            "have no label; use a data set with labels or a self-supervised objective."
        )
    classes = np.asarray(labels, dtype=np.int64)
    if classes.shape != (len(images),):
        raise ValueError(f"labels have shape {classes.shape}, expected ({len(images)},)")
    if len(np.unique(classes)) < 2:
        raise UserError(
            f"Model {name} is trained with the supervised objective, but all training images are of one class."
        )
    return int(classes.max()) + 1, classes


def _normaliser(
    mean: tuple[float, float, float], std: tuple[float, float, float], channel_order: str, device: torch.device
) -> Callable[[Tensor], Tensor]:
    shift, scale = (torch.tensor(values, device=device)[:, None, None] for values in (mean, std))

    def normalise(views: Tensor) -> Tensor:
        ordered = views.flip(1) if channel_order == "bgr" else views
        return ((ordered - shift) / scale).contiguous(memory_format=torch.channels_last)

    return normalise


def _feature_width(backbone: nn.Module, images: NDArray[np.uint8], device: torch.device, name: str) -> int:
    height, width = images.shape[1:3]
    training = backbone.training
    backbone.eval()  # the running statistics of normalisation layers must not see the blank image
    with torch.no_grad():
        features = backbone(torch.zeros((1, 3, height, width), device=device))
    backbone.train(training)
    if not isinstance(features, Tensor) or features.ndim != 2:
        found = tuple(features.shape) if isinstance(features, Tensor) else type(features).__name__
        raise UserError(
            f"The network of model {name} gives {found} for one image, but pooled features (1, width) are expected; "
            "choose an architecture that pools, without its classifier (num_classes=0 in timm)."
        )
    return int(features.shape[1])


def _require_finite(losses: list[Tensor], first: int, name: str) -> None:
    finite = torch.isfinite(torch.stack(losses)).cpu().numpy()
    if not finite.all():
        raise UserError(
            f"The loss of model {name} is not a finite number at step {first + int(np.argmin(finite)) + 1}; "
            "make learning_rate smaller."
        )


@contextmanager
def _reproducible(seed: int, threads: int, device: torch.device) -> Iterator[None]:
    """Fix what a training's numbers depend on besides its arguments, and put it back afterwards."""
    before = torch.get_num_threads(), torch.backends.cudnn.deterministic, torch.backends.cudnn.benchmark
    torch.set_num_threads(threads)
    torch.backends.cudnn.deterministic, torch.backends.cudnn.benchmark = True, False
    try:
        with torch.random.fork_rng(devices=[device] if device.type == "cuda" else []):
            torch.manual_seed(derive_seed(seed, "initialisation"))
            yield
    finally:
        torch.set_num_threads(before[0])
        torch.backends.cudnn.deterministic, torch.backends.cudnn.benchmark = before[1:]
