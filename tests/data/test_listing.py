from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from intermodel.data.listing import listing_digests
from intermodel.engine.errors import UserError

Save = Callable[..., Path]


def digest(path: Path) -> str:
    return listing_digests({"source": "folder", "path": str(path)})["images"]


def test_changes_are_noticed(tmp_path: Path, save: Save) -> None:
    save(tmp_path / "a" / "1.png")
    seen = [digest(tmp_path)]
    assert digest(tmp_path) == seen[0]
    second = save(tmp_path / "a" / "2.png")
    seen.append(digest(tmp_path))
    second.write_bytes(second.read_bytes() + b"x")
    seen.append(digest(tmp_path))
    status = second.stat()
    os.utime(second, ns=(status.st_atime_ns, status.st_mtime_ns + 1000))
    seen.append(digest(tmp_path))
    second.rename(tmp_path / "a" / "3.png")
    seen.append(digest(tmp_path))
    (tmp_path / "a" / "3.png").unlink()
    seen.append(digest(tmp_path))
    assert len(set(seen[:5])) == 5
    assert seen[5] == seen[0]


def test_the_place_of_the_folder_and_hidden_files_do_not_matter(tmp_path: Path, save: Save) -> None:
    save(tmp_path / "one" / "a" / "1.png")
    before = digest(tmp_path / "one")
    (tmp_path / "one" / ".DS_Store").write_text("")
    save(tmp_path / "one" / ".cache" / "1.png")
    (tmp_path / "one").rename(tmp_path / "two")
    assert digest(tmp_path / "two") == before


def test_single_files_and_their_tables(tmp_path: Path) -> None:
    spec = {"source": "arrays", "path": str(tmp_path / "a.npz"), "concepts": str(tmp_path / "c.json")}
    (tmp_path / "a.npz").write_bytes(b"1")
    (tmp_path / "c.json").write_text("[]")
    first = listing_digests(spec)["images"]
    (tmp_path / "c.json").write_text("[1]")
    second = listing_digests(spec)["images"]
    (tmp_path / "a.npz").write_bytes(b"12")
    assert len({first, second, listing_digests(spec)["images"]}) == 3


def test_a_corrected_label_map_is_no_change_of_the_images(segmented: Path, save: Save) -> None:
    spec = {"source": "segmentation", "path": str(segmented), "masks": "labels"}
    before = listing_digests(spec)
    save(segmented / "train/labels/a.png", np.zeros((7, 7), np.uint8))
    corrected = listing_digests(spec)
    assert corrected["images"] == before["images"] and corrected["everything"] != before["everything"]
    save(segmented / "train/images/a.png", np.zeros((7, 7, 3), np.uint8))
    assert listing_digests(spec)["images"] != before["images"]
    (segmented / "train/labels/a.png").rename(segmented / "train/labels/other.png")
    assert listing_digests(spec)["images"] not in (before["images"], corrected["images"])


def test_broken_links_and_names_do_not_stop_it(tmp_path: Path, save: Save) -> None:
    save(tmp_path / "a.png")
    (tmp_path / "gone.png").symlink_to(tmp_path / "nowhere.png")
    (tmp_path / os.fsdecode(b"bad\xff.png")).write_text("")
    assert len(digest(tmp_path)) == 32


def test_without_files() -> None:
    assert listing_digests({"source": "scenes", "seed": 3}) == {"images": "", "everything": ""}
    with pytest.raises(UserError, match="does not exist"):
        listing_digests({"source": "folder", "path": "/no/such/folder"})
    with pytest.raises(UserError, match="needs the key 'path'"):
        listing_digests({"source": "folder"})
