"""How the learning rate and the momentum of a target network move over the steps."""

from __future__ import annotations

import math


def learning_rate_at(step: int, steps: int, peak: float, warmup: float) -> float:
    """Linear rise to the peak, then half a cosine to zero (Loshchilov and Hutter 2017, equation 5, without restarts).

    Parameters
    ----------
    step
        Number of finished steps, 0 <= step < steps.
    steps
        All steps of the training.
    peak
        Largest learning rate.
    warmup
        Share of the steps in which it rises; rounded to whole steps.

    Returns
    -------
    float
        Positive for every step: the first step has 1/rise of the peak, the step after the last one would have 0.
    """
    rise = round(warmup * steps)
    if step < rise:
        return peak * (step + 1) / rise
    return peak * 0.5 * (1 + math.cos(math.pi * (step - rise) / (steps - rise)))


def momentum_at(step: int, steps: int, base: float) -> float:
    """Momentum of BYOL's target network (Grill et al. 2020, section 3.2): 1 - (1 - base)(cos(pi k / K) + 1) / 2.

    Parameters
    ----------
    step
        k, the number of finished steps.
    steps
        K, all steps.
    base
        Momentum at the first step.

    Returns
    -------
    float
        From `base` at the start to 1 at the end.
    """
    return 1 - (1 - base) * (math.cos(math.pi * step / steps) + 1) / 2
