import intermodel.engine.isolate  # noqa: F401  keeps this environment's packages only
from intermodel.engine.job import job

with job(snakemake.log[0], snakemake.output):
    from intermodel.unit_matching.summary import read_models, summarise_matches

    models = read_models(snakemake.params.models, snakemake.params.layers)
    summarise_matches(snakemake.input, models, dict(snakemake.output.items()), snakemake.params.group_models)
