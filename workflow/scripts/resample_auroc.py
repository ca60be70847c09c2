import intermodel.engine.isolate  # noqa: F401  keeps this environment's packages only
from intermodel.engine.job import job

with job(snakemake.log[0], snakemake.output):
    import json

    from intermodel.lce.auroc import resample_auroc
    from intermodel.store import check_origin

    features, wanted = snakemake.input.features, dict(snakemake.wildcards)
    check_origin(features, layer=snakemake.params.layer, **wanted)
    settings = json.loads(snakemake.params.settings)
    resample_auroc(features, snakemake.input.patterns, snakemake.output[0], settings.pop("folds"), settings)
