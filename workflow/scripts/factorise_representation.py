import intermodel.engine.isolate  # noqa: F401  keeps this environment's packages only
from intermodel.engine.job import job

with job(snakemake.log[0], snakemake.output):
    import json

    from intermodel.similarity.representation import factorise_representation
    from intermodel.store import check_origin

    check_origin(snakemake.input.features, **snakemake.wildcards)
    factorise_representation(snakemake.input.features, snakemake.output[0], **json.loads(snakemake.params.settings))
