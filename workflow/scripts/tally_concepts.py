import intermodel.engine.isolate  # noqa: F401  keeps this environment's packages only
from intermodel.engine.job import job

with job(snakemake.log[0], snakemake.output):
    import json

    from intermodel.concepts.files import tally_layer
    from intermodel.store import check_origin

    check_origin(snakemake.input.maps, **snakemake.wildcards)
    tally_layer(
        snakemake.input.maps, snakemake.input.patterns, snakemake.output[0], **json.loads(snakemake.params.settings)
    )
