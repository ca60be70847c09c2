import intermodel.engine.isolate  # noqa: F401  keeps this environment's packages only
from intermodel.engine.job import job

with job(snakemake.log[0], snakemake.output):
    import json

    from intermodel.store import check_origin
    from intermodel.unit_matching.pair import match_models

    files, names = snakemake.input, snakemake.wildcards
    for model, path in ((names.model_a, files.a), (names.model_b, files.b)):
        check_origin(path, dataset=names.dataset, model=model)
    match_models(files.a, files.b, files.manifest, snakemake.output[0], **json.loads(snakemake.params.settings))
