"""Which images a probe learns from and which it is judged on.

Where images are drawn, they are drawn by a digest of their id: the same on every machine, for every model, and
almost unchanged when images are added.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from intermodel.engine.errors import UserError


@dataclass(frozen=True)
class Split:
    """Rows of a data set, each part in the order of the data set.

    Attributes
    ----------
    train, test
        Row numbers; every one has a label, no row is in both.
    unused
        Images left out: without label, or outside both splits of the data set.
    own
        Whether the data set's own split was used.
    """

    train: NDArray[np.intp]
    test: NDArray[np.intp]
    unused: int
    own: bool


def train_test_split(
    ids: NDArray[np.str_],
    labels: NDArray[np.integer],
    splits: NDArray[np.str_],
    test_fraction: float = 0.3,
    classes: Sequence[str] = (),
) -> Split:
    """The data set's own train and test images, or else a stratified draw by image id.

    Parameters
    ----------
    ids, labels, splits
        Of all images, (N,); label -1 means none, split is "train", "test" or "".
    test_fraction
        Share of each class that is held out when the data set has no split.
    classes
        Names of the classes, for messages.

    Raises
    ------
    UserError
        If no image has a label, there is one class only, a class has a single image, or a class of the test images
        does not occur in training.
    """
    labelled = labels >= 0
    if not labelled.any():
        raise UserError(
            f"None of the {len(ids)} images has a class; a probe needs labels: use a data set with classes or leave "
            "this one out of analyses.probe.datasets."
        )
    in_train, in_test = labelled & (splits == "train"), labelled & (splits == "test")
    own = bool(in_train.any() and in_test.any())
    if not own:
        rows = np.flatnonzero(labelled)
        held_out = stratified_draw(ids[rows], labels[rows], test_fraction, "test", classes)
        in_train, in_test = np.zeros((2, len(ids)), dtype=np.bool_)
        in_train[rows[~held_out]] = True
        in_test[rows[held_out]] = True
    train, test = np.flatnonzero(in_train), np.flatnonzero(in_test)
    known = np.unique(labels[train])
    if len(known) < 2:
        raise UserError(
            f"All {len(train)} training images have the class {_name(known[0], classes)}; a probe needs at least two "
            "classes."
        )
    new = np.setdiff1d(labels[test], known)
    if len(new):
        raise UserError(
            f"The class {_name(new[0], classes)} occurs among the test images and not among the training images "
            f"({len(new)} such classes); a probe cannot predict it: mend the data set's split."
        )
    return Split(train, test, len(ids) - len(train) - len(test), own)


def stratified_draw(
    ids: NDArray[np.str_], labels: NDArray[np.integer], fraction: float, purpose: str, classes: Sequence[str] = ()
) -> NDArray[np.bool_]:
    """Draw the same share of every class by a digest of the image ids.

    Parameters
    ----------
    ids, labels
        Of the images to draw from, (N,).
    fraction
        Share of each class that is drawn, at least one image and never all.
    purpose
        Enters the digest, so that draws for different purposes are unrelated.
    classes
        Names of the classes, for messages.

    Returns
    -------
    array
        (N,) bool, True for the images drawn.

    Raises
    ------
    UserError
        If a class has a single image.
    """
    drawn = np.zeros(len(ids), dtype=np.bool_)
    digests = np.array([_digest(purpose, str(name)) for name in ids], dtype=np.uint64)
    for label in np.unique(labels):
        members = np.flatnonzero(labels == label)
        if len(members) < 2:
            raise UserError(
                f"The class {_name(label, classes)} has a single image ({str(ids[members[0]])!r}); a probe needs at "
                "least two to hold one out: add images or remove the class."
            )
        count = min(max(round(fraction * len(members)), 1), len(members) - 1)
        drawn[members[np.argsort(digests[members], kind="stable")[:count]]] = True
    return drawn


def _digest(purpose: str, image: str) -> int:
    return int.from_bytes(hashlib.blake2b(f"{purpose}\x1f{image}".encode(), digest_size=8).digest(), "little")


def _name(label: int, classes: Sequence[str]) -> str:
    return repr(classes[label]) if 0 <= label < len(classes) else str(int(label))
