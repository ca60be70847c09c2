"""Options of the forward pass, each against torch's plain float32 pass: time, and how far its numbers are from it.

    python benchmarks/forward.py [ARCHITECTURE ...] [--images N] [--device cuda]
    python benchmarks/forward.py --json [--full]

The second form is for run.py: only the plain way, which is the limit, and the one that extraction takes.

plain           contiguous memory, batch norms as they are
channels last   the memory order in which extraction runs networks
folded          channels last, and batch norms folded into convolutions
fused           also products and activations as one operator, in batches that fit the cache: what extraction does
compiled        the folded network through torch.compile, which is no option of extraction
bfloat16        the folded network with compute.precision: bfloat16

The ways take turns on one batch of noise, on one thread; the last layer's largest difference from plain is given as a
share of its largest value. Compilation is done before, and its seconds are told.
"""

from __future__ import annotations

import argparse
import copy
import json
import time
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import asdict

from measuring import alternate, ratio, row

# isort: split
import torch
from intermodel.features.capture import capture
from intermodel.features.forward import images_in_cache
from intermodel.features.simplify import simplified
from intermodel.models.device import choose_device, device_name, exact_arithmetic
from intermodel.models.layers import layer_table
from intermodel.models.load import load_model
from intermodel.models.tokens import Tokens, arrange

LAST = {"resnet50": "layer4", "resnet18": "layer4", "vit_small_patch16_224": "norm", "convnext_tiny": "stages.3"}


def measure(
    architecture: str, images: int, rounds: int, device: torch.device, options: bool = True
) -> dict[str, list[float]]:
    """Processor seconds of each way; with `options` all ways, and a line for each is printed."""
    network = load_model({"architecture": architecture}).network.eval().to(device)
    plain, last = copy.deepcopy(network), copy.deepcopy(network).to(memory_format=torch.channels_last)
    folding, fusing = copy.deepcopy(last), copy.deepcopy(last)
    table = layer_table(folding, (224, 224))
    layers = [layer for layer in table if layer.name == LAST[architecture]]
    cached = min(images, images_in_cache(table, 1))
    arrangements = {
        layer.name: arrange((1, *(layer.shape or ())), (224, 224), Tokens(), folding, "auto", layer.name)
        for layer in layers
    }
    batch = torch.randn(images, 3, 224, 224, generator=torch.Generator().manual_seed(0)).to(device)
    batch_last = batch.contiguous(memory_format=torch.channels_last)
    with ExitStack() as stack:
        size = (224, 224)
        stack.enter_context(simplified(folding, layers, arrangements, size, fusing=False))
        done = stack.enter_context(simplified(fusing, layers, arrangements, size, cached))

        def run(module: torch.nn.Module, values: torch.Tensor, together: int = images) -> Callable[[], None]:
            def once() -> None:
                with torch.inference_mode():
                    for part in values.split(together):
                        module(part)
                if device.type == "cuda":
                    torch.cuda.synchronize(device)

            return once

        def rounded() -> None:
            with torch.autocast(device.type, torch.bfloat16):
                run(folding, batch_last)()

        ways = {"plain": run(plain, batch), "fused": run(fusing, batch_last, cached)}
        if not options:
            return alternate(ways, rounds)
        compiled = torch.compile(folding)
        begin = time.perf_counter()
        with torch.inference_mode():
            compiled(batch_last)
        compilation = time.perf_counter() - begin
        ways |= {
            "channels last": run(last, batch_last),
            "folded": run(folding, batch_last),
            "compiled": run(compiled, batch_last),
            "bfloat16": rounded,
        }
        seconds = alternate(ways, rounds)

        def last_layer(module: torch.nn.Module, values: torch.Tensor, precision: torch.dtype) -> torch.Tensor:
            with torch.autocast(device.type, torch.bfloat16, enabled=precision == torch.bfloat16):
                return capture(module, values, layers, arrangements)[LAST[architecture]].pooled

        expected = last_layer(plain, batch, torch.float32)
        errors = {
            "channels last": last_layer(last, batch_last, torch.float32),
            "folded": last_layer(folding, batch_last, torch.float32),
            "fused": last_layer(fusing, batch_last, torch.float32),
            "bfloat16": last_layer(folding, batch_last, torch.bfloat16),
        }
    print(
        f"\n{architecture}: {images} images, {done.folded} batch norms folded, {done.fused} operators fused, "
        f"{cached} at a time, compilation {compilation:.0f} s"
    )
    for name in ways:
        error = float((errors[name] - expected).abs().max() / expected.abs().max()) if name in errors else None
        print(
            f"  {name:14} {1e3 * min(seconds[name]) / images:8.1f} ms an image"
            f"  {ratio(seconds[name], seconds['plain']):5.2f} of plain" + (f"  off by {error:.1e}" if error else "")
        )
    return seconds


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("architectures", nargs="*", default=["resnet50", "vit_small_patch16_224"])
    parser.add_argument("--images", type=int, default=8)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--full", action="store_true")
    options = parser.parse_args()
    exact_arithmetic(1)
    device = choose_device(options.device)
    if options.json:
        for architecture in ("resnet18", "resnet50", "vit_small_patch16_224") if options.full else ("resnet18",):
            seconds = measure(architecture, 16, options.rounds if options.full else 2, device, options=False)
            rounds = {"ours": seconds["fused"], "bare forward": seconds["plain"]}
            line = row(f"forward pass alone, {architecture}, 16 images, one thread", rounds, limit="bare forward")
            print(json.dumps(asdict(line)))
        return
    print(f"{device_name(device)}, torch {torch.__version__}, one thread")
    for architecture in options.architectures:
        measure(architecture, options.images, options.rounds, device)


if __name__ == "__main__":
    main()
