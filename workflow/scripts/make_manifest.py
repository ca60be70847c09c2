import intermodel.engine.isolate  # noqa: F401  keeps this environment's packages only
from intermodel.engine.job import job

with job(snakemake.log[0], snakemake.output):
    import json

    from intermodel.data.manifest import build_manifest
    from intermodel.engine.environment import expand

    spec = expand(json.loads(snakemake.params.spec))
    build_manifest(spec, snakemake.output.manifest, threads=snakemake.threads)
