import intermodel.engine.isolate  # noqa: F401  keeps this environment's packages only
from intermodel.engine.job import job

with job(snakemake.log[0], snakemake.output):
    import json

    from intermodel.data.manifest_file import read_manifest
    from intermodel.probe.files import probe_model
    from intermodel.store import check_origin

    features = dict(zip(json.loads(snakemake.params.layers), snakemake.input.features, strict=True))
    fingerprint = read_manifest(snakemake.input.manifest).fingerprint
    for layer, path in features.items():
        check_origin(path, layer=layer, dataset_fingerprint=fingerprint, **snakemake.wildcards)
    probe_model(
        snakemake.input.manifest,
        features,
        snakemake.output[0],
        json.loads(snakemake.params.settings),
    )
