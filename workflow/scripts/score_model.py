import intermodel.engine.isolate  # noqa: F401  keeps this environment's packages only
from intermodel.engine.job import job

with job(snakemake.log[0], snakemake.output):
    import json

    from intermodel.quality.files import score_model

    layers = json.loads(snakemake.params.layers)
    score_model(
        snakemake.wildcards.dataset,
        snakemake.wildcards.model,
        dict(zip(layers, snakemake.input.features, strict=True)),
        snakemake.input.probe,
        snakemake.output[0],
        json.loads(snakemake.params.settings),
    )
