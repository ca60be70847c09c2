import intermodel.engine.isolate  # noqa: F401  keeps this environment's packages only
from intermodel.engine.job import job

with job(snakemake.log[0], snakemake.output):
    import json
    from pathlib import Path

    from intermodel.concepts.fan_in import write_tables

    def by_model(paths, suffix):
        return {Path(path).name.removesuffix(suffix): path for path in paths}

    models = json.loads(snakemake.params.models)["models"]
    write_tables(
        snakemake.input.tallies,
        models,
        Path(snakemake.output.units).parent,
        scores=by_model(snakemake.input.scores, ".auroc.h5"),
        compositions=by_model(snakemake.input.compositions, ".compositions.h5"),
        **json.loads(snakemake.params.settings),
    )
