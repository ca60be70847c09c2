import intermodel.engine.isolate  # noqa: F401  keeps this environment's packages only
from intermodel.engine.job import job

with job(snakemake.log[0], snakemake.output):
    from intermodel.plotting import load_seaborn
    from intermodel.similarity.figures import draw_figures
    from intermodel.similarity.summary import read_models

    load_seaborn()
    draw_figures(
        snakemake.input.pairs,
        snakemake.input.intervals,
        read_models(snakemake.params.models),
        dict(snakemake.output.items()),
    )
