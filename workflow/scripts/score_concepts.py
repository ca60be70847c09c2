import intermodel.engine.isolate  # noqa: F401  keeps this environment's packages only
from intermodel.engine.job import job

with job(snakemake.log[0], snakemake.output):
    import json

    from intermodel.concepts.auroc import score_layers
    from intermodel.store import check_origin

    features = dict(zip(json.loads(snakemake.params.layers), snakemake.input.features, strict=True))
    for layer, path in features.items():
        check_origin(path, layer=layer, **snakemake.wildcards)
    score_layers(features, snakemake.input.patterns, snakemake.output[0])
