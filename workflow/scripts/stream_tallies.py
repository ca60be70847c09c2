import intermodel.engine.isolate  # noqa: F401  keeps this environment's packages only
from intermodel.engine.job import job

with job(snakemake.log[0], snakemake.output):
    import json

    from intermodel.models.gpu import lease_gpu

    files, params = snakemake.input, snakemake.params
    if params.compute["device"] != "cpu" and snakemake.resources.get("gpu", 0):
        lease_gpu()  # before the first use of CUDA

    from intermodel.concepts.streaming import Source, tally_stream

    layers, streamed = json.loads(params.layers)
    how = {"shard": params.shard, "compute": params.compute, "threads": snakemake.threads}
    source = Source.of(params.names, params.model, params.dataset, files.manifest, files.weights, layers, **how)
    shards = params.shard[1]
    levels = {name: files.levels[i * shards : (i + 1) * shards] for i, name in enumerate(streamed)}
    paths = dict(zip(streamed, snakemake.output.tallies))
    tally_stream(source, levels, files.patterns, paths, **json.loads(params.settings))
