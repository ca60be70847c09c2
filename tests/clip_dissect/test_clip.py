"""Building, loading and applying a CLIP model without a network connection."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import numpy as np
import pytest
import torch
from clip_dissect.conftest import CONFIG, WORDS
from intermodel.clip_dissect.clip import embed_images, embed_words, image_embeddings, load_clip, word_embeddings
from intermodel.engine.errors import UserError
from intermodel.store import open_file, read_strings
from safetensors.torch import load_file, save_file

Files = tuple[Path, Path]


class Pictures:
    """20 images of two sizes."""

    ids = np.array([f"i{number:02d}" for number in range(20)])

    def __len__(self) -> int:
        return 20

    def image(self, i: int) -> np.ndarray:
        shape = (40, 60, 3) if i % 2 else (48, 36, 3)
        return np.random.default_rng(i).integers(0, 256, shape, dtype=np.uint8)


def test_embeddings_are_those_of_open_clip(small_clip: Files) -> None:
    """Preprocessing, both towers and the tokenizer, beside open-clip's own pipeline with the same weights."""
    import open_clip
    from PIL import Image

    config, weights = small_clip
    clip = load_clip(str(config), str(weights))
    open_clip.add_model_config(config)
    model, _, transform = open_clip.create_model_and_transforms("small-clip")
    model.load_state_dict(load_file(weights))
    model.eval()
    with torch.inference_mode():
        batch = torch.stack([transform(Image.fromarray(Pictures().image(i))) for i in range(20)])
        images = model.encode_image(batch, normalize=True).numpy()
        words = model.encode_text(open_clip.get_tokenizer("small-clip")(WORDS), normalize=True).numpy()
    cpu = torch.device("cpu")
    np.testing.assert_allclose(image_embeddings(clip, Pictures(), cpu, 7, 1), images, atol=1e-5)
    np.testing.assert_allclose(word_embeddings(clip, WORDS, cpu), words, atol=1e-5)


def test_files_say_what_they_are(small_clip: Files, tmp_path: Path) -> None:
    config, weights = small_clip
    digest = hashlib.sha256(weights.read_bytes()).hexdigest()
    clip = load_clip(str(config), str(weights), digest)
    embed_images(clip, Pictures(), tmp_path / "i.h5", dataset="d", dataset_fingerprint="f", device="cpu", threads=1)
    embed_words(clip, WORDS, tmp_path / "w.h5", threads=1)
    with open_file(tmp_path / "i.h5") as file:
        assert file["embedding"].shape == (20, 32)
        np.testing.assert_allclose(np.linalg.norm(file["embedding"][...], axis=1), 1.0, atol=1e-6)
        assert read_strings(file["index"]).tolist() == Pictures.ids.tolist()
        assert (file.attrs["clip"], file.attrs["clip_sha256"], file.attrs["dataset"]) == ("small-clip", digest, "d")
    with open_file(tmp_path / "w.h5") as file:
        assert read_strings(file["word"]).tolist() == WORDS


def test_batches_change_nothing(small_clip: Files) -> None:
    clip = load_clip(*map(str, small_clip))
    cpu = torch.device("cpu")
    one, all_ = (image_embeddings(clip, Pictures(), cpu, size, 1) for size in (1, 20))
    np.testing.assert_allclose(one, all_, atol=1e-5)


@pytest.mark.parametrize("kind", ["prefixed", "torch", "inside"])
def test_checkpoints_in_other_wrappings(small_clip: Files, tmp_path: Path, kind: str) -> None:
    config, weights = small_clip
    state = load_file(weights)
    path = tmp_path / "checkpoint.pt"
    if kind == "prefixed":
        save_file({f"module.{key}": value for key, value in state.items()}, path)
    elif kind == "torch":
        torch.save(state, path)
    else:
        torch.save({"epoch": 3, "state_dict": {f"module.{key}": value for key, value in state.items()}}, path)
    found = load_clip(str(config), str(path)).model.state_dict()
    assert all(torch.equal(found[key], value) for key, value in state.items())


def test_wrong_checkpoints_are_told_apart(small_clip: Files, tmp_path: Path) -> None:
    config, weights = small_clip
    state = load_file(weights)
    path = tmp_path / "wrong.safetensors"
    save_file({key: value for key, value in state.items() if key != "ln_final.weight"}, path)
    with pytest.raises(UserError, match=r"wrong\.safetensors is no checkpoint of .*lacks 'ln_final\.weight' \(1 tens"):
        load_clip(str(config), str(path))
    save_file(state | {"extra": torch.zeros(1)}, path)
    with pytest.raises(UserError, match="has 'extra'"):
        load_clip(str(config), str(path))
    save_file(state | {"ln_final.weight": torch.zeros(7)}, path)
    with pytest.raises(UserError, match=r"'ln_final\.weight' has the shape \(7,\), expected \(32,\)"):
        load_clip(str(config), str(path))
    with pytest.raises(UserError, match="has the sha256"):
        load_clip(str(config), str(weights), "0" * 64)
    torch.save({"state_dict": state, "code": Pictures()}, tmp_path / "code.pt")
    with pytest.raises(UserError, match="running code from the file, which is refused"):
        load_clip(str(config), str(tmp_path / "code.pt"))


def test_wrong_models_are_told(small_clip: Files, tmp_path: Path) -> None:
    weights = str(small_clip[1])
    with pytest.raises(UserError, match=r"analyses\.clip_dissect\.model: found 'ViT-B-61'.*did you mean 'ViT-B-"):
        load_clip("ViT-B-61", weights)
    (tmp_path / "half.json").write_text(json.dumps({"embed_dim": 3}))
    with pytest.raises(UserError, match="lacks 'vision_cfg'"):
        load_clip(str(tmp_path / "half.json"), weights)
    (tmp_path / "none.json").write_text("{")
    with pytest.raises(UserError, match="cannot be read as JSON"):
        load_clip(str(tmp_path / "none.json"), weights)
    remote = CONFIG | {"text_cfg": CONFIG["text_cfg"] | {"hf_tokenizer_name": "nobody/nothing"}}  # type: ignore[operator]
    (tmp_path / "remote.json").write_text(json.dumps(remote))
    with pytest.raises(UserError, match=r"cannot build .* without a connection"):
        load_clip(str(tmp_path / "remote.json"), weights)


def test_weights_that_give_no_numbers_are_refused(small_clip: Files, tmp_path: Path) -> None:
    config, weights = small_clip
    state = load_file(weights)
    state["visual.proj"] = torch.full_like(state["visual.proj"], float("nan"))
    save_file(state, tmp_path / "nan.safetensors")
    clip = load_clip(str(config), str(tmp_path / "nan.safetensors"))
    with pytest.raises(UserError, match="the embedding of 'i00' is not finite"):
        embed_images(clip, Pictures(), tmp_path / "i.h5", dataset="d", dataset_fingerprint="f", device="cpu", threads=1)
