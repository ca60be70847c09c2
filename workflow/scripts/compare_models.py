import intermodel.engine.isolate  # noqa: F401  keeps this environment's packages only
from intermodel.engine.job import job

with job(snakemake.log[0], snakemake.output):
    import json

    from intermodel.similarity.pair import compare_models
    from intermodel.store import check_origin

    names = snakemake.wildcards
    for model, paths in ((names.model_a, snakemake.input.a), (names.model_b, snakemake.input.b)):
        for path in paths:
            check_origin(path, dataset=names.dataset, model=model)
    compare_models(snakemake.input.a, snakemake.input.b, snakemake.output[0], **json.loads(snakemake.params.settings))
