import intermodel.engine.isolate  # noqa: F401  keeps this environment's packages only
from intermodel.engine.job import job

with job(snakemake.log[0], snakemake.output):
    import json
    from pathlib import Path

    from intermodel.concepts.fan_in import write_tables

    models = json.loads(snakemake.params.models)["models"]
    write_tables(
        snakemake.input.tallies,
        models,
        Path(snakemake.output.units).parent,
        scores=dict(zip([model["name"] for model in models], snakemake.input.scores, strict=True)),
        **json.loads(snakemake.params.settings),
    )
