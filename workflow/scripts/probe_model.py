import intermodel.engine.isolate  # noqa: F401  keeps this environment's packages only
from intermodel.engine.job import job

with job(snakemake.log[0], snakemake.output):
    import json

    from intermodel.probe.files import probe_model

    layers = json.loads(snakemake.params.layers)
    probe_model(
        snakemake.input.manifest,
        dict(zip(layers, snakemake.input.features, strict=True)),
        snakemake.output[0],
        json.loads(snakemake.params.settings),
    )
