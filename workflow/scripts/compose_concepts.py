import intermodel.engine.isolate  # noqa: F401  keeps this environment's packages only
from intermodel.engine.job import job

with job(snakemake.log[0], snakemake.output):
    import json

    from intermodel.concepts.compose import compose_layer
    from intermodel.store import check_origin

    files = snakemake.input
    for path in (files.maps, files.tally):
        check_origin(path, **snakemake.wildcards)
    compose_layer(files.maps, files.patterns, files.tally, snakemake.output[0], **json.loads(snakemake.params.settings))
