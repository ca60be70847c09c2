import intermodel.engine.isolate  # noqa: F401  keeps this environment's packages only
from intermodel.engine.job import job

with job(snakemake.log[0], snakemake.output):
    from intermodel.concepts.files import index_label_maps

    index_label_maps(snakemake.input.segmentation, snakemake.input.manifest, snakemake.output[0])
