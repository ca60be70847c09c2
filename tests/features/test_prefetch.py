import threading

import numpy as np
import pytest
import torch
from features.conftest import Pictures
from intermodel.engine.errors import UserError
from intermodel.features.prefetch import batches
from intermodel.models.preprocessing import Preprocessing

PREPROCESSING = Preprocessing((8, 8))


@pytest.mark.parametrize("workers", [0, 1, 3])
@pytest.mark.parametrize(("start", "size"), [(0, 1), (0, 4), (3, 4), (5, 100), (11, 4)])
def test_batches_hold_the_images_in_order(workers, start, size):
    pictures = Pictures(11)
    found = list(batches(pictures, PREPROCESSING, range(start, 11), size, workers))
    assert [first for first, _ in found] == list(range(start, 11, size))
    rows = [row for _, batch in found for row in batch.numpy()]
    expected = [PREPROCESSING.pixels(Pictures(11).image(index)) for index in range(start, 11)]
    assert len(rows) == len(expected)
    assert all((one == two).all() for one, two in zip(rows, expected, strict=True))
    assert all(batch.dtype == torch.uint8 for _, batch in found)


def test_only_a_few_batches_are_decoded_ahead():
    pictures = Pictures(1000)
    stream = batches(pictures, PREPROCESSING, range(1000), 10, 2, ahead=2)
    for number in range(1, 4):
        next(stream)
        assert len(pictures.seen) <= 10 * (number + 2)
    stream.close()
    assert len(pictures.seen) < 100


def test_images_are_decoded_while_a_batch_is_in_use():
    pictures = Pictures(40)
    later = threading.Event()
    plain = pictures.image

    def image(index: int) -> np.ndarray:
        if index >= 10:
            later.set()
        return plain(index)

    pictures.image = image
    stream = batches(pictures, PREPROCESSING, range(40), 10, 1)
    next(stream)
    assert later.wait(10)
    stream.close()


def test_an_image_that_cannot_be_used_ends_the_stream_with_its_name():
    pictures = Pictures(10)
    plain = pictures.image
    pictures.image = lambda index: plain(index)[:, :, :2] if index == 7 else plain(index)
    with pytest.raises(UserError, match="The image 'picture-7' is an array"):
        list(batches(pictures, PREPROCESSING, range(10), 2, 2))
