import intermodel.engine.isolate  # noqa: F401  keeps this environment's packages only
from intermodel.engine.job import job

with job(snakemake.log[0], snakemake.output):
    from intermodel.plotting import load_seaborn
    from intermodel.quality.figures import plot_quality

    load_seaborn()
    tables = {name: snakemake.input[name] for name in ("layers", "scores", "models", "calibration")}
    plot_quality(
        tables,
        snakemake.input.qualities,
        snakemake.params.models,
        {name: [path] for name, path in snakemake.output.items()},
    )
