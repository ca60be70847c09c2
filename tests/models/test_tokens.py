import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from intermodel.engine.errors import UserError
from intermodel.models.tokens import Arrangement, Tokens, arrange
from torch import nn

AUTO = Tokens()


class Declared(nn.Module):
    """A network with timm's attributes."""

    def __init__(self, prefix: int = 1, grid: tuple[int, int] | None = None, output_fmt: str = "NCHW") -> None:
        super().__init__()
        self.num_prefix_tokens = prefix
        self.output_fmt = output_fmt
        self.patch_embed = nn.Identity()
        if grid:
            self.patch_embed.grid_size = grid


@settings(deadline=None, max_examples=40)
@given(st.integers(1, 4), st.integers(1, 5), st.integers(1, 5), st.integers(0, 3))
def test_every_arrangement_of_the_same_units_gives_the_same_maps_and_means(channels, height, width, prefix):
    maps = torch.arange(2.0 * channels * height * width).reshape(2, channels, height, width) ** 0.5
    last = maps.permute(0, 2, 3, 1)
    tokens = torch.cat([torch.full((2, prefix, channels), 1e6), last.flatten(1, 2)], dim=1)
    for kind, output in (("channels_first", maps), ("channels_last", last), ("tokens", tokens)):
        arrangement = Arrangement(kind, channels, (height, width), prefix if kind == "tokens" else 0)
        assert torch.equal(arrangement.maps(output), maps)
        torch.testing.assert_close(arrangement.pooled(output), maps.double().mean((2, 3)), rtol=1e-15, atol=0)


def test_a_vector_is_a_map_of_one_position():
    output = torch.tensor([[1.0, 2.0]])
    arrangement = arrange((1, 2), (8, 8), AUTO, nn.Identity())
    assert arrangement.maps(output).shape == (1, 2, 1, 1)
    assert torch.equal(arrangement.pooled(output), output.double())


def test_pool_class_takes_the_first_prefix_token():
    tokens = torch.arange(12.0).reshape(1, 6, 2)
    arrangement = arrange((1, 6, 2), (4, 4), Tokens(prefix=2, pool="class"), nn.Identity())
    assert arrangement.pooled(tokens).tolist() == [[0, 1]]
    assert arrangement.maps(tokens)[0, 0].tolist() == [[4, 6], [8, 10]]


@pytest.mark.parametrize(
    ("count", "input_size", "tokens", "network", "expected"),
    [
        (197, (224, 224), AUTO, Declared(1, (14, 14)), (1, (14, 14))),
        (201, (224, 224), AUTO, Declared(5, (14, 14)), (5, (14, 14))),
        (196, (224, 224), AUTO, Declared(1, (14, 14)), (0, (14, 14))),
        (50, (224, 224), AUTO, Declared(1, (14, 14)), (1, (7, 7))),
        (65, (64, 64), AUTO, nn.Identity(), (1, (8, 8))),
        (64, (64, 64), AUTO, nn.Identity(), (0, (8, 8))),
        (301, (240, 320), AUTO, nn.Identity(), (1, (15, 20))),
        (301, (240, 320), AUTO, Declared(1, (15, 20)), (1, (15, 20))),
        (68, (64, 64), Tokens(prefix=4), nn.Identity(), (4, (8, 8))),
        (33, (64, 64), Tokens(prefix=1, grid=(4, 8)), Declared(1, (8, 8)), (1, (4, 8))),
    ],
)
def test_grid_and_prefix_are_found(count, input_size, tokens, network, expected):
    found = arrange((1, count, 3), input_size, tokens, network)
    assert (found.prefix, found.grid) == expected


@pytest.mark.parametrize(
    ("shape", "tokens", "network", "words"),
    [
        ((1, 68, 3), AUTO, nn.Identity(), "do not fill a grid with the proportions of (64, 64) after 0 or 1 prefix"),
        ((1, 65, 3), Tokens(grid=(4, 4)), nn.Identity(), "do not fill a grid of 4x4"),
        ((1, 64, 3), Tokens(pool="class"), Declared(1, (8, 8)), "has no class token"),
        ((1, 3), AUTO, nn.Identity(), ""),
        ((1,), AUTO, nn.Identity(), "expected (N, C), (N, T, C)"),
        ((1, 2, 3, 4, 5), AUTO, nn.Identity(), "choose another layer"),
        ((1, 0, 3), AUTO, nn.Identity(), "holds no values"),
        ((1, 3, 5, 9), AUTO, nn.Identity(), "set layout: channels_first or channels_last"),
    ],
)
def test_what_fits_no_arrangement_is_told(shape, tokens, network, words):
    if not words:
        assert arrange(shape, (64, 64), tokens, network).kind == "vector"
        return
    with pytest.raises(UserError) as error:
        arrange(shape, (64, 64), tokens, network, layer="blocks.3")
    assert words in str(error.value)
    assert "'blocks.3' has the shape" in str(error.value)


@pytest.mark.parametrize(
    ("shape", "input_size", "network", "layout", "kind"),
    [
        ((1, 96, 56, 56), (224, 224), nn.Identity(), "auto", "channels_first"),
        ((1, 56, 56, 96), (224, 224), nn.Identity(), "auto", "channels_last"),
        ((1, 131, 90, 120), (360, 480), nn.Identity(), "auto", "channels_first"),
        ((1, 90, 120, 131), (360, 480), nn.Identity(), "auto", "channels_last"),
        ((1, 16, 16, 16), (64, 64), nn.Identity(), "auto", "channels_first"),
        ((1, 16, 16, 16), (64, 64), Declared(output_fmt="NHWC"), "auto", "channels_last"),
        ((1, 16, 16, 16), (64, 64), nn.Identity(), "channels_last", "channels_last"),
        ((1, 3, 5, 9), (64, 64), nn.Identity(), "channels_first", "channels_first"),
        ((1, 512, 1, 1), (360, 480), nn.Identity(), "auto", "channels_first"),
    ],
)
def test_the_axes_with_the_proportions_of_the_input_are_the_grid(shape, input_size, network, layout, kind):
    found = arrange(shape, input_size, AUTO, network, layout)
    assert found.kind == kind
    assert found.shape == (shape[1:] if kind == "channels_first" else (shape[3], *shape[1:3]))


@pytest.mark.parametrize(
    ("record", "words"),
    [
        ({"prefx": 1}, "did you mean 'prefix'"),
        ({"prefix": -1}, "tokens.prefix is -1"),
        ({"grid": 8}, "tokens.grid is 8"),
        ({"grid": [8, 0]}, "tokens.grid is [8, 0]"),
        ({"pool": "max"}, "tokens.pool is 'max'"),
    ],
)
def test_a_wrong_record_is_refused(record, words):
    with pytest.raises(UserError) as error:
        Tokens.from_dict(record)
    assert words in str(error.value)


def test_a_record_survives_being_written_out():
    for tokens in (AUTO, Tokens(2, (3, 4), "class")):
        assert Tokens.from_dict(tokens.to_dict()) == tokens
    assert Tokens.from_dict(None) == AUTO
