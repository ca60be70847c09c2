import intermodel.engine.isolate  # noqa: F401  keeps this environment's packages only
from intermodel.engine.job import job

with job(snakemake.log[0], snakemake.output):
    from intermodel.clip_dissect.summary import read_models, summarise_dissections

    summarise_dissections(
        snakemake.input.layers,
        snakemake.input.words,
        read_models(snakemake.params.models, snakemake.params.layers),
        dict(snakemake.output.items()),
    )
