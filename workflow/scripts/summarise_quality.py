import intermodel.engine.isolate  # noqa: F401  keeps this environment's packages only
from intermodel.engine.job import job

with job(snakemake.log[0], snakemake.output):
    import json

    from intermodel.quality.summary import summarise_quality

    summarise_quality(
        snakemake.input.qualities,
        snakemake.input.probes,
        snakemake.params.models,
        json.loads(snakemake.params.settings),
        dict(snakemake.output.items()),
    )
