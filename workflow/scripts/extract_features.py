import intermodel.engine.isolate  # noqa: F401  keeps this environment's packages only
from intermodel.engine.job import job

with job(snakemake.log[0], snakemake.output):
    import json

    from intermodel.models.gpu import lease_gpu

    compute = snakemake.params.compute
    if compute["device"] != "cpu" and snakemake.resources.get("gpu", 0):
        lease_gpu()  # before the first use of CUDA

    from intermodel.data.manifest_file import read_manifest
    from intermodel.data.open import open_dataset
    from intermodel.engine.environment import expand
    from intermodel.features.extract import FeatureFile, extract
    from intermodel.models.load import load_model

    dataset, model = snakemake.params.names.split()
    manifest = snakemake.input.manifest
    extract(
        load_model(json.loads(snakemake.params.model), weights_path=next(iter(snakemake.input.weights), None)),
        open_dataset(expand(json.loads(snakemake.params.dataset)), manifest),
        [FeatureFile.at(path) for path in snakemake.output],
        model_name=model,
        dataset=dataset,
        dataset_fingerprint=read_manifest(manifest).fingerprint,
        batch_size=compute["batch_size"],
        workers=compute["workers"],
        device=compute["device"],
        threads=snakemake.threads,
        precision=compute["precision"],
        shard=tuple(snakemake.params.shard),
        attributes={"origin": snakemake.params.origin},
    )
