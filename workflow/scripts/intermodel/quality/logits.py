"""Baselines that need a trained classifier: how sure the probe is of its own answer."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from intermodel.quality.events import FloatArray

# Norm of the normalised largest logit; Cattelan and Silva (arXiv 2305.15508) tune it on held-out data, which the
# project does not spend on a baseline.
P_NORM = 4.0


def logit_scores(logits: ArrayLike) -> dict[str, FloatArray]:
    """Confidence of a classifier, (N,) each; larger means more sure.

    - `msp`: largest softmax probability; `margin`: its lead over the second;
    - `neg_entropy`: minus the entropy of the softmax, in nats;
    - `maxlogit`: largest logit; `energy`: log sum exp of the logits (both depend on an offset common to all classes);
    - `maxlogit_pnorm`: largest logit over the p-norm of the logits, p = 4 (the probe's logits sum to 0 over classes).

    Parameters
    ----------
    logits
        (N, K), K >= 2.
    """
    values = np.asarray(logits, dtype=np.float64)
    largest = values.max(axis=1)
    shifted = values - largest[:, None]
    log_total = np.log(np.exp(shifted).sum(axis=1))
    log_probability = shifted - log_total[:, None]
    probability = np.exp(log_probability)
    best = np.partition(probability, -2, axis=1)[:, -2:]
    return {
        "msp": best[:, 1],
        "margin": best[:, 1] - best[:, 0],
        "neg_entropy": (probability * log_probability).sum(axis=1),
        "maxlogit": largest,
        "energy": largest + log_total,
        "maxlogit_pnorm": pnorm_score(values),
    }


def pnorm_score(logits: FloatArray, p: float = P_NORM) -> FloatArray:
    """Largest logit over the p-norm of all logits of an image, (N,); 0 where all logits are 0."""
    size = np.abs(logits).max(axis=1)
    scaled = logits / np.where(size > 0, size, 1.0)[:, None]
    norm = np.power(np.power(np.abs(scaled), p).sum(axis=1), 1 / p)
    score: FloatArray = np.divide(scaled.max(axis=1), norm, out=np.zeros(len(norm)), where=size > 0)
    return score
