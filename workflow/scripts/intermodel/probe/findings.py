"""What the probes say, in sentences that carry their intervals and claim no more than these support."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from intermodel.probe.models import Model, control_of

Row = Mapping[str, Any]


def findings(rows: Sequence[Row], pairs: Sequence[Row], models: Sequence[Model]) -> list[str]:
    """Sentences on the best model and its equals, on training against the untrained control, on depth, on kNN.

    Parameters
    ----------
    rows, pairs
        Of `summary.accuracy_rows` and `summary.difference_rows`.
    models
        The models of the study.
    """
    main = {row["model"]: row for row in rows if row["main"]}
    return [
        *_best(main, pairs, models),
        *_training(main, pairs, models),
        *_depth(rows, models),
        *_knn(main, models),
    ]


def difference(pairs: Sequence[Row], first: str, second: str) -> tuple[float, float, float]:
    """Accuracy of `first` minus that of `second` with its interval, whichever way round the table has them."""
    for row in pairs:
        if (row["model_a"], row["model_b"]) == (first, second):
            return row["difference"], row["difference_low"], row["difference_high"]
        if (row["model_a"], row["model_b"]) == (second, first):
            return -row["difference"], -row["difference_high"], -row["difference_low"]
    raise KeyError(f"no pair of {first!r} and {second!r}")


def _best(main: Mapping[str, Row], pairs: Sequence[Row], models: Sequence[Model]) -> list[str]:
    titles = {model.name: model.title for model in models}
    best = max(main, key=lambda name: main[name]["accuracy"])
    row = main[best]
    text = (
        f"The classes are read off best from **{titles[best]}**: {_share(row['accuracy'])} of {row['test_images']:,} "
        f"test images [{_share(row['accuracy_low'])}, {_share(row['accuracy_high'])}] by a linear probe; guessing the "
        f"commonest class gets {_share(row['majority'])}."
    )
    if len(main) == 1:
        return [text]
    equals = [name for name in main if name != best and difference(pairs, best, name)[1] <= 0]
    if equals:
        text += f" The test images do not tell it apart from {_list([titles[name] for name in equals])}."
    else:
        second = min((name for name in main if name != best), key=lambda name: difference(pairs, best, name)[0])
        value, low, high = difference(pairs, best, second)
        text += f" It leads {titles[second]} by {_points(value)} [{_number(low)}, {_number(high)}]."
    return [text]


def _training(main: Mapping[str, Row], pairs: Sequence[Row], models: Sequence[Model]) -> list[str]:
    gains: dict[Model, tuple[float, float, float]] = {}
    for model in models:
        control = None if model.control else control_of(model, models)
        if control is not None:
            gains[model] = difference(pairs, model.name, control.name)
    if not gains:
        return []
    helped = [model for model, (_, low, _) in gains.items() if low > 0]
    harmed = [model for model, (_, _, high) in gains.items() if high < 0]
    sentences = []
    if len(gains) > 1:
        ordered = sorted(gains, key=lambda model: gains[model][0])
        least, most = (_gain(model, gains[model]) for model in (ordered[0], ordered[-1]))
        sentences.append(
            f"Training raises accuracy above an untrained network of the same architecture in {len(helped)} of "
            f"{len(gains)} models (paired 95 % interval above 0); the smallest change is {least}, the largest {most}."
        )
        undecided = [model.title for model in gains if model not in helped and model not in harmed]
        if undecided:
            sentences.append(f"Not told apart from the untrained network: {_list(undecided)}.")
        if harmed:
            sentences.append(f"Below the untrained network: {_list([_gain(model, gains[model]) for model in harmed])}.")
    else:
        (model,) = gains
        sentences.append(
            f"Against an untrained network of the same architecture, accuracy changes by {_gain(model, gains[model])}."
        )
    alone = [model.title for model in models if not model.control and model not in gains]
    if alone:
        sentences.append(f"No untrained control has the architecture of {_list(alone)}.")
    return sentences


def _depth(rows: Sequence[Row], models: Sequence[Model]) -> list[str]:
    deeper = []
    for model in models:
        layers = [row for row in rows if row["model"] == model.name]
        best = max(layers, key=lambda row: row["accuracy"])
        last = next(row for row in layers if row["main"])
        # Overlapping intervals of the same images would hide differences; only clear ones are named.
        if best is not last and best["accuracy_low"] > last["accuracy_high"]:
            deeper.append(
                f"{model.title} ({_share(best['accuracy'])} at {best['layer']}, {_share(last['accuracy'])} at the last)"
            )
    if not deeper:
        return []
    return [f"An earlier layer serves the probe clearly better than the last one in {_list(deeper)}."]


def _knn(main: Mapping[str, Row], models: Sequence[Model]) -> list[str]:
    titles = {model.name: model.title for model in models}
    better = [titles[name] for name, row in main.items() if row["knn_accuracy_low"] > row["accuracy_high"]]
    if not better:
        return []
    return [
        f"Nearest neighbours classify clearly better than the linear probe for {_list(better)}: the classes are there, "
        "but not linearly."
    ]


def _gain(model: Model, gain: tuple[float, float, float]) -> str:
    value, low, high = gain
    return f"{_points(value)} [{_number(low)}, {_number(high)}] for {model.title}"


def _share(value: float) -> str:
    return f"{100 * value:.1f} %"


def _number(value: float) -> str:
    return f"{100 * value:+.1f}".replace("-", "−")


def _points(value: float) -> str:
    return f"{_number(value)} points"


def _list(names: Sequence[str]) -> str:
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"
