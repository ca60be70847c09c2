import intermodel.engine.isolate  # noqa: F401  keeps this environment's packages only
from intermodel.engine.job import job

with job(snakemake.log[0], snakemake.output):
    import json

    from intermodel.models.gpu import lease_gpu

    compute = snakemake.params.compute
    if compute["device"] != "cpu" and snakemake.resources.get("gpu", 0):
        lease_gpu()  # before the first use of CUDA

    from intermodel.clip_dissect.clip import embed_images, load_clip
    from intermodel.data.manifest_file import read_manifest
    from intermodel.data.open import open_dataset
    from intermodel.engine.environment import expand

    manifest = snakemake.input.manifest
    embed_images(
        load_clip(**json.loads(snakemake.params.clip)),
        open_dataset(expand(json.loads(snakemake.params.dataset)), manifest),
        snakemake.output[0],
        dataset=snakemake.wildcards.dataset,
        dataset_fingerprint=read_manifest(manifest).fingerprint,
        device=compute["device"],
        batch_size=compute["batch_size"],
        workers=compute["workers"],
        threads=snakemake.threads,
    )
