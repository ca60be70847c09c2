import intermodel.engine.isolate  # noqa: F401  keeps this environment's packages only
from intermodel.engine.job import job

with job(snakemake.log[0], snakemake.output):
    from intermodel.concepts.files import join_tallies

    join_tallies(list(snakemake.input), snakemake.output[0], snakemake.params.top_images)
