import argparse
import hashlib
import http.server
import io
import json
import os
import pickle
import random
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path

import pytest
import torch
from intermodel.engine.errors import UserError
from intermodel.models.checkpoint import locate, read_checkpoint, unwrap
from safetensors.torch import save_file

STATE = {"a.weight": torch.arange(6.0).reshape(2, 3), "a.bias": torch.ones(2)}


class RunsCode:
    def __reduce__(self):
        return os.getcwd, ()


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "weights.safetensors"
    save_file(STATE, path)
    return path


def digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def same(found: dict[str, torch.Tensor]) -> bool:
    return set(found) == set(STATE) and all(torch.equal(found[key], STATE[key]) for key in STATE)


def test_safetensors_and_both_pickle_formats_are_read(tmp_path, file):
    assert same(read_checkpoint(file))
    for number, new in enumerate((True, False)):
        path = tmp_path / f"{number}.pth"
        torch.save({"state_dict": STATE}, path, _use_new_zipfile_serialization=new)
        assert same(read_checkpoint(path)["state_dict"])


def test_training_options_do_no_harm_but_code_is_refused(tmp_path):
    path = tmp_path / "a.pth"
    torch.save({"opt": argparse.Namespace(lr=0.1), "model": STATE}, path)
    assert same(unwrap(read_checkpoint(path), None, path))
    torch.save({"model": STATE, "more": RunsCode()}, path)
    with pytest.raises(UserError, match=r"a.pth holds objects that can only be read by running code.*getcwd") as error:
        read_checkpoint(path)
    assert "\n" not in str(error.value)


class WritesFile:
    """What a stranger's checkpoint could do: here it would only write a file."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self):
        return exec, (f"open({str(self.path)!r}, 'w').close()",)


@pytest.mark.filterwarnings("ignore")
def test_code_in_a_checkpoint_is_not_run(tmp_path):
    proof = tmp_path / "code was run"
    content = {"state_dict": STATE, "harm": WritesFile(proof)}
    # The payload works where it is trusted.
    pickle.loads(pickle.dumps(content))
    assert proof.exists()
    proof.unlink()
    files = {}
    for new in (True, False):
        files[f"torch {new}"] = buffer = io.BytesIO()
        torch.save(content, buffer, _use_new_zipfile_serialization=new)
    for protocol in range(6):
        files[f"pickle {protocol}"] = io.BytesIO(pickle.dumps(content, protocol))
    program = torch.jit.trace(torch.nn.Linear(2, 2), torch.zeros(1, 2))
    torch.jit.save(program, files.setdefault("program", io.BytesIO()))
    path = tmp_path / "weights.pth"
    for kind, buffer in files.items():
        path.write_bytes(buffer.getvalue())
        with pytest.raises(UserError) as error:
            read_checkpoint(path)
        assert str(path) in str(error.value) and "\n" not in str(error.value), kind
        if kind.startswith("torch"):
            assert "only be read by running code from the file, which is refused" in str(error.value)
        if kind == "program":
            assert "is a TorchScript program, which is not run" in str(error.value)
    assert [entry.name for entry in tmp_path.iterdir()] == ["weights.pth"]


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("kind", ["safetensors", "zip", "legacy"])
def test_damaged_checkpoints_raise_nothing_else(tmp_path, file, kind):
    path = tmp_path / "damaged.bin"
    if kind != "safetensors":
        torch.save({"state_dict": STATE}, file, _use_new_zipfile_serialization=kind == "zip")
    whole, generator = file.read_bytes(), random.Random(kind)
    refused = 0
    for _ in range(300):
        content = bytearray(whole)
        for _ in range(generator.choice([1, 2, 4])):
            content[generator.randrange(min(len(content), 400))] = generator.choice([0, 255, generator.randrange(256)])
        path.write_bytes(content[: generator.randrange(len(content))] if generator.random() < 0.2 else content)
        try:
            unwrap(read_checkpoint(path), None, path)
        except UserError as error:
            refused += 1
            assert str(path) in str(error) and "\n" not in str(error)
    assert refused > 100


def test_a_truncated_or_foreign_file_is_named(tmp_path, file):
    whole = file.read_bytes()
    file.write_bytes(whole[:-5])
    with pytest.raises(UserError, match=r"weights.safetensors is a truncated or damaged safetensors"):
        read_checkpoint(file)
    path = tmp_path / "b.pth"
    torch.save(STATE, path)
    path.write_bytes(path.read_bytes()[:-200])
    with pytest.raises(UserError, match=r"b.pth is a truncated or damaged checkpoint"):
        read_checkpoint(path)
    path.write_text("version https://git-lfs.github.com/spec/v1\noid sha256:00\n")
    with pytest.raises(UserError, match="git lfs pull"):
        read_checkpoint(path)
    path.write_text("<html>not found</html>")
    with pytest.raises(UserError, match=r"neither a safetensors file nor .*<html>"):
        read_checkpoint(path)
    path.write_bytes(b"")
    with pytest.raises(UserError, match="0 bytes"):
        read_checkpoint(path)


def test_a_local_file_is_verified(file, monkeypatch):
    assert locate(str(file), None, None) == file
    assert locate(str(file), None, digest(file).upper()) == file
    monkeypatch.setenv("WEIGHTS", str(file.parent))
    assert locate("${WEIGHTS}/weights.safetensors", None, None) == file
    with pytest.raises(UserError, match=r"has the sha256 .*, expected 0000"):
        locate(str(file), None, "0" * 64)
    with pytest.raises(UserError, match="does not exist"):
        locate(str(file) + "x", None, None)
    with pytest.raises(UserError, match="expected 64 hexadecimal digits"):
        locate(str(file), None, "xyz")
    with pytest.raises(UserError, match="exactly one of"):
        locate(None, None, None)


def test_a_remote_file_is_fetched_once_and_verified(file, tmp_path):
    cache, url, sha256 = tmp_path / "cache", file.as_uri(), digest(file)
    with pytest.raises(UserError, match="every remote file needs its sha256"):
        locate(None, url, None, str(cache))
    with pytest.raises(UserError, match=r"fetched from file:.* has the sha256"):
        locate(None, url, "0" * 64, str(cache))
    assert list(cache.iterdir()) == []
    found = locate(None, url, sha256, str(cache))
    assert found.read_bytes() == file.read_bytes()
    file.unlink()
    assert locate(None, url, sha256, str(cache)) == found
    # A damaged copy in the cache is not trusted.
    found.write_bytes(b"x")
    with pytest.raises(UserError, match="could not be fetched"):
        locate(None, url, sha256, str(cache))
    with pytest.raises(UserError, match="expected an address that begins with"):
        locate(None, "ftp://example.org/a", sha256, str(cache))


@pytest.fixture
def server() -> Iterator[tuple[str, dict[str, bytes | None]]]:
    """A web server on this machine: its address and what lies there; None breaks off in the middle."""
    files: dict[str, bytes | None] = {}

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            path = self.path.partition("?")[0]
            if path not in files:
                self.send_error(404)
                return
            content = files[path]
            self.send_response(200)
            self.send_header("Content-Length", str(len(content or b"x" * 100)))
            self.end_headers()
            self.wfile.write(content or b"x" * 40)

        def log_message(self, *_: object) -> None:
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as running:
        threading.Thread(target=running.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{running.server_port}", files
        running.shutdown()


def test_a_checkpoint_is_downloaded_whole_or_not_at_all(server, file, tmp_path):
    address, files = server
    cache, sha256 = tmp_path / "cache", digest(file)
    files |= {"/good.safetensors": file.read_bytes(), "/broken.safetensors": None, "/other.safetensors": b"<html>"}
    for name, words in (
        ("broken", "could not be fetched|has the sha256"),
        ("other", "has the sha256"),
        ("none", "404"),
    ):
        with pytest.raises(UserError, match=words) as error:
            locate(None, f"{address}/{name}.safetensors", sha256, str(cache))
        assert f"{address}/{name}.safetensors" in str(error.value) and "\n" not in str(error.value)
        assert list(cache.iterdir()) == []
    found = locate(None, f"{address}/good.safetensors?download=1", sha256, str(cache))
    assert found.name == f"{sha256}.safetensors" and same(read_checkpoint(found))
    files.clear()
    assert locate(None, f"{address}/good.safetensors", sha256, str(cache)) == found


def test_several_jobs_may_fetch_the_same_checkpoint_at_once(server, file, tmp_path):
    address, files = server
    files["/a.safetensors"] = file.read_bytes()
    fetch = partial(locate, None, f"{address}/a.safetensors", digest(file), str(tmp_path / "cache"))
    with ThreadPoolExecutor(8) as pool:
        found = list(pool.map(lambda _: fetch(), range(16)))
    assert len(set(found)) == 1 and found[0].read_bytes() == file.read_bytes()
    assert [entry.name for entry in found[0].parent.iterdir()] == [found[0].name]


def test_the_table_of_tensors_is_found(tmp_path):
    path = tmp_path / "a.pth"
    nested = {"epoch": 3, "state_dict": {"model": STATE, "note": "x"}}
    assert same(unwrap(nested, None, path))
    assert same(unwrap(nested, ["state_dict", "model"], path))
    assert same(unwrap({**STATE, "epoch": 3}, None, path))
    assert same(unwrap(STATE, [], path))
    with pytest.raises(UserError, match=r"has no entry 'model' \(it has 'epoch', 'state_dict'\)"):
        unwrap(nested, ["model"], path)
    with pytest.raises(UserError, match=r"no table of named tensors .*found list"):
        unwrap([1, 2], None, path)
    with pytest.raises(UserError, match=r"no table of named tensors .*it has 'weights'"):
        unwrap({"weights": {"a": 1}}, None, path)


def test_metadata_of_safetensors_is_no_tensor(tmp_path):
    path = tmp_path / "a.safetensors"
    save_file(STATE, path, metadata={"kwargs": json.dumps({"width": 2})})
    assert same(unwrap(read_checkpoint(path), None, path))
