import intermodel.engine.isolate  # noqa: F401  keeps this environment's packages only
from intermodel.engine.job import job

with job(snakemake.log[0], snakemake.output):
    import json

    from intermodel.quality.files import score_model
    from intermodel.store import check_origin

    features = dict(zip(json.loads(snakemake.params.layers), snakemake.input.features, strict=True))
    for layer, path in features.items():
        check_origin(path, layer=layer, **snakemake.wildcards)
    score_model(
        snakemake.wildcards.dataset,
        snakemake.wildcards.model,
        features,
        snakemake.input.probe,
        snakemake.output[0],
        json.loads(snakemake.params.settings),
    )
