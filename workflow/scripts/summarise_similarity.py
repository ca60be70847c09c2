import intermodel.engine.isolate  # noqa: F401  keeps this environment's packages only
from intermodel.engine.job import job

with job(snakemake.log[0], snakemake.output):
    from intermodel.similarity.summary import summarise_similarity

    summarise_similarity(
        snakemake.input.pairs, snakemake.input.intervals, snakemake.params.models, dict(snakemake.output.items())
    )
