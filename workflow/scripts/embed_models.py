import intermodel.engine.isolate  # noqa: F401  keeps this environment's packages only
from intermodel.engine.job import job

with job(snakemake.log[0], snakemake.output):
    import json
    from pathlib import Path

    from intermodel.lce.compare import compare_models

    settings = json.loads(snakemake.params.settings)
    layers = snakemake.params.layers
    models = [model | {"layer": layers[model["name"]]} for model in json.loads(snakemake.params.models)["models"]]
    files = iter(snakemake.input.probes)
    compare_models(
        snakemake.input.tallies,
        models,
        Path(snakemake.output.embedding).parent,
        snakemake.wildcards.dataset,
        settings | {"performance": next(iter(snakemake.input.performance), None)},
        probes={dataset: {model["name"]: next(files) for model in models} for dataset in settings["probed"]},
        companions=dict(zip(snakemake.params.companions, snakemake.input.companions, strict=True)),
        scores=snakemake.input.scores,
        resampled=snakemake.input.resampled,
    )
