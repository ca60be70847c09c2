import intermodel.engine.isolate  # noqa: F401  keeps this environment's packages only
from intermodel.engine.job import job

with job(snakemake.log[0], snakemake.output):
    import json

    from intermodel.clip_dissect.dissect import dissect_with_clip
    from intermodel.store import check_origin

    files, names = snakemake.input, snakemake.wildcards
    check_origin(files.features, dataset=names.dataset, model=names.model, layer=names.layer)
    check_origin(files.images, dataset=names.dataset)
    dissect_with_clip(
        files.features, files.images, files.words, snakemake.output[0], **json.loads(snakemake.params.settings)
    )
