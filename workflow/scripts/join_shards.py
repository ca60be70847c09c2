import intermodel.engine.isolate  # noqa: F401  keeps this environment's packages only
from intermodel.engine.job import job

with job(snakemake.log[0], snakemake.output):
    from intermodel.features.shards import join_shards

    join_shards(snakemake.input, snakemake.output[0])
