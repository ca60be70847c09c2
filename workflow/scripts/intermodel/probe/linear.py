"""A linear probe: scikit-learn's multinomial logistic regression on standardised features.

The strength of the L2 penalty is chosen on held-out training rows.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from intermodel.engine.errors import UserError

FloatArray = NDArray[np.float64]

# A feature whose spread is below this share of its size carries rounding noise only.
CONSTANT = 1e-6


@dataclass(frozen=True)
class LinearProbe:
    """A fitted probe: `logits = features @ weights + intercept`.

    Attributes
    ----------
    classes
        Labels in the order of the columns of the logits, (K,).
    weights, intercept
        In units of the raw features, (C, K) and (K,); rows of dropped features are 0. For each feature the weights
        sum to 0 over the classes, as does the intercept.
    penalty
        The chosen C, the inverse strength of the L2 penalty (scikit-learn's convention).
    penalties, validation_loss
        What was tried, and the mean negative log-likelihood on the validation rows, in nats.
    dropped
        Number of features that are constant on the training rows.
    converged
        Whether the final fit reached its tolerance.
    """

    classes: NDArray[np.int64]
    weights: FloatArray
    intercept: FloatArray
    penalty: float
    penalties: tuple[float, ...]
    validation_loss: tuple[float, ...]
    dropped: int
    converged: bool

    def logits(self, features: NDArray[np.floating]) -> FloatArray:
        """Logits of raw features (N, C) as (N, K)."""
        result: FloatArray = np.asarray(features, dtype=np.float64) @ self.weights + self.intercept
        return result

    def predict(self, features: NDArray[np.floating]) -> NDArray[np.int64]:
        """Predicted labels of raw features (N, C) as (N,)."""
        labels: NDArray[np.int64] = self.classes[self.logits(features).argmax(axis=1)]
        return labels


def fit_linear_probe(
    features: NDArray[np.floating],
    labels: NDArray[np.integer],
    validation: NDArray[np.bool_],
    penalties: Sequence[float] = (0.0001, 0.001, 0.01, 0.1, 1.0),
    tolerance: float = 1e-5,
    max_iterations: int = 300,
) -> LinearProbe:
    """Fit a linear probe on training rows alone.

    The penalty with the smallest negative log-likelihood on the validation rows is chosen (the strongest of equals),
    trying them from strong to weak, each started from the last; the probe is then fitted on all rows.

    Parameters
    ----------
    features, labels
        Training rows, (N, C) and (N,).
    validation
        Which rows choose the penalty, (N,); every class must occur outside them.
    penalties
        Inverse strengths C of the L2 penalty on the weights (not on the intercept).
    tolerance
        A fit stops when every entry of the gradient of the mean loss is smaller.
    max_iterations
        L-BFGS iterations of one fit.

    Raises
    ------
    UserError
        If there are fewer than two classes, a class has no row outside the validation rows, or a feature is not
        finite.
    """
    raw = np.asarray(features, dtype=np.float64)
    bad = ~np.isfinite(raw).all(axis=1)
    if bad.any():
        raise UserError(
            f"Row {int(bad.argmax())} of the training features is not finite ({int(bad.sum())} such rows); a probe "
            "needs finite features: check the model's weights."
        )
    classes, targets = np.unique(labels, return_inverse=True)
    if len(classes) < 2:
        raise UserError(f"The training images hold {len(classes)} class; a probe needs at least two.")
    fitted = np.bincount(targets[~validation], minlength=len(classes))
    if not fitted.all():
        raise UserError(
            f"Class {int(classes[fitted.argmin()])} has no training image left after {int(validation.sum())} of "
            f"{len(targets)} were set aside to choose the penalty; it needs at least two."
        )
    order = sorted(penalties)
    losses: list[float] = []
    if len(order) > 1 and validation.any():
        scaler = _Scaler.of(raw[~validation])
        values, held_out = scaler.transform(raw[~validation]), scaler.transform(raw[validation])
        for solution, _ in _fit(values, targets[~validation], order, tolerance, max_iterations):
            losses.append(_cross_entropy(held_out @ solution[:-1] + solution[-1], targets[validation]))
        best = order[int(np.argmin(losses))]
    else:
        best = order[0]
    scaler = _Scaler.of(raw)
    ((solution, converged),) = _fit(scaler.transform(raw), targets, [best], tolerance, max_iterations)
    weights, intercept = scaler.raw(solution)
    return LinearProbe(
        classes=classes.astype(np.int64),
        weights=weights,
        intercept=intercept,
        penalty=float(best),
        penalties=tuple(float(penalty) for penalty in order) if losses else (float(best),),
        validation_loss=tuple(losses),
        dropped=int((~scaler.kept).sum()),
        converged=converged,
    )


@dataclass(frozen=True)
class _Scaler:
    """Mean and spread of the training rows; constant features are left out."""

    mean: FloatArray
    scale: FloatArray
    kept: NDArray[np.bool_]

    @classmethod
    def of(cls, features: FloatArray) -> _Scaler:
        spread = features.std(axis=0)
        kept = spread > CONSTANT * np.abs(features).max(axis=0)
        return cls(features.mean(axis=0), np.where(kept, spread, 1.0), kept)

    def transform(self, features: FloatArray) -> FloatArray:
        result: FloatArray = ((features - self.mean) / self.scale)[:, self.kept]
        return result

    def raw(self, solution: FloatArray) -> tuple[FloatArray, FloatArray]:
        """Weights (C, K) and intercept (K,) in units of the raw features."""
        weights = np.zeros((len(self.kept), solution.shape[1]))
        weights[self.kept] = solution[:-1]
        weights /= self.scale[:, None]
        # Softmax ignores a constant added to all classes; with sums of 0 equal fits have equal numbers.
        weights -= weights.mean(axis=1, keepdims=True)
        intercept = solution[-1] - self.mean @ weights
        return weights, intercept - intercept.mean()


def _fit(
    values: FloatArray,
    targets: NDArray[np.integer],
    penalties: Sequence[float],
    tolerance: float,
    max_iterations: int,
) -> Iterator[tuple[FloatArray, bool]]:
    """One fit for each penalty, started from the last: weights and, in the last row, the intercept, (C' + 1, K)."""
    from sklearn.exceptions import ConvergenceWarning
    from sklearn.linear_model import LogisticRegression

    if not values.shape[1]:
        # Without features the best guess is how common each class is, whatever the penalty.
        frequency = np.bincount(targets) / len(targets)
        yield from ((np.log(frequency)[None, :], True) for _ in penalties)
        return
    model = LogisticRegression(tol=tolerance, max_iter=max_iterations, warm_start=True)
    for penalty in penalties:
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always", ConvergenceWarning)
            model.set_params(C=penalty).fit(values, targets)
        solution = np.vstack((model.coef_.T, model.intercept_))
        if solution.shape[1] == 1:
            # Two classes: the logit of the second against the first, shared between them.
            solution = np.hstack((-solution, solution)) / 2
        yield solution, not any(issubclass(warning.category, ConvergenceWarning) for warning in caught)


def _cross_entropy(logits: FloatArray, targets: NDArray[np.integer]) -> float:
    logits = logits - logits.max(axis=1, keepdims=True)
    return float(np.mean(np.log(np.exp(logits).sum(axis=1)) - logits[np.arange(len(targets)), targets]))
