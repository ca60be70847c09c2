import intermodel.engine.isolate  # noqa: F401  keeps this environment's packages only
from intermodel.engine.job import job

with job(snakemake.log[0], snakemake.output):
    import json

    from intermodel.data.label_maps import build_segmentation
    from intermodel.engine.environment import expand

    build_segmentation(
        expand(json.loads(snakemake.params.spec)),
        snakemake.input.manifest,
        snakemake.output[0],
        size=json.loads(snakemake.params.size.partition("=")[2]),
        threads=snakemake.threads,
    )
