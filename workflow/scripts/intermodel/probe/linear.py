"""A linear probe: multinomial logistic regression on standardised features.

The strength of the L2 penalty is chosen on held-out training rows. The optimum is that of scikit-learn's
`LogisticRegression` (the tests compare them); the loss is written out here because importing scikit-learn takes
several times as long as fitting the probe, and every model starts a job of its own.
"""

from __future__ import annotations

from collections.abc import Sequence
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
        solution = None
        for penalty in order:
            solution, _ = _fit(values, targets[~validation], len(classes), penalty, solution, tolerance, max_iterations)
            losses.append(_cross_entropy(held_out @ solution[:-1] + solution[-1], targets[validation]))
        best = order[int(np.argmin(losses))]
    else:
        best = order[0]
    scaler = _Scaler.of(raw)
    solution, converged = _fit(scaler.transform(raw), targets, len(classes), best, None, tolerance, max_iterations)
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
    n_classes: int,
    penalty: float,
    start: FloatArray | None,
    tolerance: float,
    max_iterations: int,
) -> tuple[FloatArray, bool]:
    """Minimise mean cross-entropy + ||W||^2 / (2 C N); weights and, in the last row, the intercept: (C' + 1, K)."""
    from scipy.optimize import minimize

    count = len(targets)
    strength = 1.0 / (penalty * count)
    rows = np.arange(count)
    shape = (values.shape[1] + 1, n_classes)

    def objective(flat: FloatArray) -> tuple[float, FloatArray]:
        weights, intercept = flat.reshape(shape)[:-1], flat.reshape(shape)[-1]
        logits = values @ weights + intercept
        logits -= logits.max(axis=1, keepdims=True)
        chosen = logits[rows, targets]
        np.exp(logits, out=logits)
        total = logits.sum(axis=1)
        loss = float(np.mean(np.log(total) - chosen)) + 0.5 * strength * float(np.vdot(weights, weights))
        logits /= total[:, None]
        logits[rows, targets] -= 1.0
        logits /= count
        return loss, np.vstack((values.T @ logits + strength * weights, logits.sum(axis=0))).ravel()

    found = minimize(
        objective,
        (np.zeros(shape) if start is None else start).ravel(),
        method="L-BFGS-B",
        jac=True,
        options={"maxiter": max_iterations, "maxfun": 2 * max_iterations, "gtol": tolerance, "ftol": 0.0},
    )
    return found.x.reshape(shape), bool(np.abs(found.jac).max() <= tolerance)


def _cross_entropy(logits: FloatArray, targets: NDArray[np.integer]) -> float:
    logits = logits - logits.max(axis=1, keepdims=True)
    return float(np.mean(np.log(np.exp(logits).sum(axis=1)) - logits[np.arange(len(targets)), targets]))
