"""An extraction that was killed goes on after the last block of images that it had written."""

from __future__ import annotations

import logging
import os
import signal
import subprocess
import sys
from pathlib import Path

import intermodel
import numpy as np
import pytest
from features.conftest import Pictures, network, run
from intermodel import store

IMAGES, KILLED_AT = 200, 170
NAMES = ["conv1.maps.h5", "fc.h5"]

# The image at which the process kills itself, as abruptly as `kill -9` would.
EXTRACTION = f"""
import os, signal, sys
from pathlib import Path
from features.conftest import Pictures, network, run
pictures = Pictures({IMAGES})
plain = pictures.image
pictures.image = lambda i: os.kill(os.getpid(), signal.SIGKILL) if i == {KILLED_AT} else plain(i)
run(Path(sys.argv[1]), {NAMES}, network(), pictures)
"""


def test_no_image_of_a_finished_block_goes_through_the_network_again(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    folder = tmp_path / "killed"
    search = f"{Path(intermodel.__file__).parents[1]}{os.pathsep}{Path(__file__).parents[1]}"
    killed = subprocess.run(
        [sys.executable, "-c", EXTRACTION, str(folder)], env=os.environ | {"PYTHONPATH": search}, check=False
    )
    assert killed.returncode == -signal.SIGKILL
    assert sorted(path.name for path in folder.iterdir()) == [".conv1.maps.part.h5", ".fc.part.h5"]

    caplog.set_level(logging.INFO)
    pictures = Pictures(IMAGES)
    through_the_network = run(folder, NAMES, network(), pictures).images
    first = IMAGES - through_the_network
    assert first in (64, 128)  # blocks of 64; the second one may still have been on its way to the disk
    assert sorted(pictures.seen) == list(range(first, IMAGES))
    assert f"{first} of {IMAGES} images are there already" in caplog.text

    run(tmp_path / "quiet", NAMES, network(), Pictures(IMAGES))
    for read in (lambda path: store.read_pooled(path / NAMES[1]).values, read_maps):
        np.testing.assert_allclose(read(folder), read(tmp_path / "quiet"), rtol=1e-5, atol=1e-5)


def read_maps(folder: Path) -> np.ndarray:
    with store.Maps(folder / NAMES[0]) as maps:
        return maps.images(0, IMAGES)
