import intermodel.engine.isolate  # noqa: F401  keeps this environment's packages only
from intermodel.engine.job import job

with job(snakemake.log[0], snakemake.output):
    import json

    from intermodel.models.gpu import lease_gpu

    compute = snakemake.params.compute
    if compute["device"] != "cpu" and snakemake.resources.get("gpu", 0):
        lease_gpu()  # before the first use of CUDA

    from intermodel.concepts.streaming import Source, tally_stream
    from intermodel.data.manifest_file import read_manifest
    from intermodel.data.open import open_dataset
    from intermodel.engine.environment import expand
    from intermodel.models.load import load_model

    dataset, model = snakemake.params.names.split()
    layers, streamed = json.loads(snakemake.params.layers)
    files = snakemake.input
    source = Source(
        load_model(json.loads(snakemake.params.model), weights_path=next(iter(files.weights), None)),
        open_dataset(expand(json.loads(snakemake.params.dataset)), files.manifest),
        {"model": model, "dataset": dataset, "dataset_fingerprint": read_manifest(files.manifest).fingerprint},
        layers,
        tuple(snakemake.params.shard),
        {name: compute[name] for name in ("batch_size", "device", "precision")} | {"threads": snakemake.threads},
        compute["workers"],
    )
    shards = snakemake.params.shard[1]
    levels = {name: files.levels[i * shards : (i + 1) * shards] for i, name in enumerate(streamed)}
    paths = dict(zip(streamed, snakemake.output.tallies))
    tally_stream(source, levels, files.patterns, paths, **json.loads(snakemake.params.settings))
