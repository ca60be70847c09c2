"""Print what is still missing of a study will cost: python workflow/scripts/estimate_study.py STUDY."""

import argparse
import json
import shutil
import sys
import time
from pathlib import Path

import numpy as np
from intermodel.engine.environment import expand
from intermodel.engine.errors import UserError
from intermodel.engine.text import in_bytes
from intermodel.study.estimate import DatasetSize, estimate, format_costs, total, unfinished
from intermodel.study.load import read_study
from intermodel.study.study import Study


def dataset_size(study: Study, name: str) -> DatasetSize:
    from intermodel.data.open import open_dataset

    manifest = Path(study.paths.manifest(name))
    dataset = open_dataset(expand(json.loads(study.dataset_spec(name))), manifest if manifest.is_file() else None)
    pixels = 0
    if name in study.datasets_for("concepts"):
        size = study.datasets[name].segmentation_size
        sides = [size, size] if isinstance(size, int) else size or dataset.segmentation(0).layers.shape[-2:]
        pixels = int(np.prod(sides))
    return DatasetSize(len(dataset), len(dataset.classes), pixels)


def assumed_sizes(study: Study, texts: list[str]) -> dict[str, DatasetSize]:
    """Sizes of data sets that are not on disk yet, from texts such as broden=63305x112x112."""
    sizes = {}
    for text in texts:
        name, _, numbers = text.partition("=")
        parts = numbers.split("x")
        if name not in study.datasets or len(parts) not in (1, 3) or not all(part.isdigit() for part in parts):
            raise UserError(
                f"--assume is {text!r}, expected a data set of the study ({', '.join(study.datasets)}), = and its "
                "images, with masks images x height x width of its label maps, e.g. broden=63305x112x112."
            )
        images, *sides = map(int, parts)
        sizes[name] = DatasetSize(images, 0, int(np.prod(sides)) if sides else 0)
    return sizes


def operations_per_second() -> float:
    """Multiplications and additions in a second of one core, from a matrix product."""
    values = np.random.default_rng(0).normal(size=(600, 600))
    values @ values
    begin = time.process_time()
    for _ in range(5):
        values @ values
    return 5 * 2 * 600**3 / (time.process_time() - begin)


def main() -> None:
    parser = argparse.ArgumentParser(description="Print what is still missing of a study will cost.")
    parser.add_argument("study", help="the study file (YAML)")
    parser.add_argument(
        "--assume",
        action="append",
        default=[],
        metavar="DATASET=IMAGESxHEIGHTxWIDTH",
        help="size of a data set that is not on disk yet (with masks, of its label maps); no file is looked for then",
    )
    options = parser.parse_args()
    networks, where = {}, ""
    try:
        study = read_study(options.study, check_files=not options.assume)
        sizes = assumed_sizes(study, options.assume)
        sizes |= {name: dataset_size(study, name) for name in study.datasets if name not in sizes}
        for model in unfinished(study):
            from intermodel.features.measure import measure_network

            compute, record = study.compute, json.loads(study.model_spec(model))
            networks[model] = measure_network(record, study.layers(model), compute.batch_size, compute.device)
            where = f" Forward passes were timed on this machine ({networks[model].device})."
    except UserError as error:
        sys.exit(f"error: {error}")
    costs = estimate(study, sizes, networks, operations_per_second())
    if not costs:
        print(f"Nothing is missing; the report is {study.paths.report}.")
        return
    everything = total(costs)
    print(format_costs(costs, everything))
    print(f"\nWork is seconds of one core, h:mm:ss; jobs run side by side.{where}")
    results = Path(study.paths.results).absolute()
    folder = next(path for path in [results, *results.parents] if path.exists())
    free = shutil.disk_usage(folder).free
    print(f"Disk is before compression; {in_bytes(free)} are free in {folder}.")
    if everything.bytes > free:
        sys.exit("error: the disk is too small; free some space, or choose another folder as `results`.")


if __name__ == "__main__":
    main()
