import intermodel.engine.isolate  # noqa: F401  keeps this environment's packages only
from intermodel.engine.job import job

with job(snakemake.log[0], snakemake.output):
    from intermodel.probe.summary import summarise_probes

    summarise_probes(snakemake.input.probes, snakemake.params.models, **dict(snakemake.output.items()))
