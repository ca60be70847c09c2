import intermodel.engine.isolate  # noqa: F401  keeps this environment's packages only
from intermodel.engine.job import job

with job(snakemake.log[0], snakemake.output):
    import json

    from intermodel.similarity.intervals import subsample_similarity
    from intermodel.store import check_origin

    for path in snakemake.input.features:
        check_origin(path, **snakemake.wildcards)
    subsample_similarity(snakemake.input.features, snakemake.output[0], **json.loads(snakemake.params.settings))
