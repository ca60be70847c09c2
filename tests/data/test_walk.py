from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest
from intermodel.data.walk import Found, find_images, inner_path, is_image
from intermodel.engine.errors import UserError

Save = Callable[..., Path]
ODD = (
    "with space.png",
    'it\'s "quoted".png',
    "Übung/日本語.png",
    "a,b;c.PNG",
    "new\nline.png",
    "#hash%20.png",
    "emoji 🐈.jpg",
)


def test_odd_names(tmp_path: Path, save: Save) -> None:
    for name in ODD:
        save(tmp_path / name)
    found = find_images(tmp_path)
    assert found.images == tuple(sorted(ODD))


def test_other_files_are_counted_and_hidden_ones_passed_over(tmp_path: Path, save: Save) -> None:
    save(tmp_path / "a" / "x.png")
    save(tmp_path / ".thumbnails" / "x.png")
    save(tmp_path / "._x.png")
    for name in ("notes.txt", "a/labels.csv", ".hidden"):
        (tmp_path / name).write_text("")
    found = find_images(tmp_path)
    assert (found.images, found.others) == (("a/x.png",), 2)


def test_links_out_of_the_folder_are_refused(tmp_path: Path, save: Save) -> None:
    outside = save(tmp_path / "outside.png")
    root = tmp_path / "data"
    save(root / "inside.png")
    (root / "again.png").symlink_to(root / "inside.png")
    assert find_images(root).images == ("again.png", "inside.png")
    (root / "out.png").symlink_to(outside)
    with pytest.raises(UserError, match=r"out\.png' leads by a link to .*outside of the data folder"):
        find_images(root)


def test_pipes_are_not_opened(tmp_path: Path, save: Save) -> None:
    save(tmp_path / "a.png")
    os.mkfifo(tmp_path / "pipe.png")
    assert find_images(tmp_path) == Found(("a.png",), 1)


def test_links_to_folders_are_refused(tmp_path: Path, save: Save) -> None:
    save(tmp_path / "data" / "a.png")
    (tmp_path / "data" / "loop").symlink_to(tmp_path / "data", target_is_directory=True)
    with pytest.raises(UserError, match=r"loop' is a link to the folder"):
        find_images(tmp_path / "data")


def test_the_data_folder_may_itself_be_a_link(tmp_path: Path, save: Save) -> None:
    save(tmp_path / "data" / "a.png")
    (tmp_path / "data" / "b.png").symlink_to("a.png")
    (tmp_path / "link").symlink_to(tmp_path / "data", target_is_directory=True)
    assert find_images(tmp_path / "link").images == ("a.png", "b.png")


def test_names_that_are_not_unicode(tmp_path: Path, save: Save) -> None:
    path = save(tmp_path / "plain.png")
    try:
        os.rename(os.fsencode(path), os.fsencode(tmp_path) + b"/bad\xff.png")  # noqa: PTH104
    except OSError:
        pytest.skip("this file system refuses names that are not UTF-8")
    with pytest.raises(UserError, match="not valid UTF-8"):
        find_images(tmp_path)


def test_missing_folder(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="is not a folder"):
        find_images(tmp_path / "none")


@pytest.mark.parametrize("name", ["../out.png", "a/../../out.png", "/etc/passwd"])
def test_names_from_tables_stay_inside(tmp_path: Path, name: str) -> None:
    with pytest.raises(UserError, match=r"line 3 names .* outside"):
        inner_path(tmp_path, name, "line 3")


def test_names_from_tables_do_not_follow_links_out(tmp_path: Path, save: Save) -> None:
    save(tmp_path / "outside" / "a.png")
    (tmp_path / "root").mkdir()
    (tmp_path / "root" / "sub").symlink_to(tmp_path / "outside", target_is_directory=True)
    with pytest.raises(UserError, match=r"sub/a\.png' leads by a link to .*outside of the data folder"):
        inner_path(tmp_path / "root", "sub/a.png", "line 3")


def test_suffixes() -> None:
    assert is_image("a/b.c/photo.JPEG") and is_image("x.tiff")
    assert not any(is_image(name) for name in ("notes.txt", "jpg", "a.b/jpg", "photo.jpg.part", "photo.npy"))
