"""How the extraction of a data set is divided: names of the shards' files, and the images of each.

A feature file ``{layer}.h5`` of K shards is a virtual data set over ``shards/{k}-of-{K}/{layer}.h5`` beside it, k from
1 to K.
"""

from __future__ import annotations

from intermodel.engine.errors import UserError

FOLDER = "shards"
# Shards begin at multiples of this many images, as long as each has as many: where feature files have their blocks.
BLOCK = 64


def shard_path(path: str, number: int, count: int) -> str:
    """The file of shard `number`, from 1 to `count`, of a feature file; the file itself where there is one shard."""
    folder, _, name = path.rpartition("/")
    return path if count == 1 else f"{folder}/{FOLDER}/{number}-of-{count}/{name}"


def shard_paths(path: str, count: int) -> list[str]:
    """The files of all shards of a feature file, in order."""
    return [shard_path(path, number, count) for number in range(1, count + 1)]


def images_of(images: int, number: int, count: int) -> range:
    """Positions of the images of a shard: contiguous, nearly the same number for each, without gap or overlap.

    Raises
    ------
    UserError
        If there are more shards than images.
    """
    if not 1 <= number <= count:
        raise ValueError(f"shard {number} of {count} does not exist")
    if count > images:
        raise UserError(f"The data set is divided into {count} shards, but has {images} images; set shards: 1.")
    block = min(BLOCK, images // count)
    blocks = -(-images // block)
    return range(block * ((number - 1) * blocks // count), min(images, block * (number * blocks // count)))
