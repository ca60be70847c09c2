import intermodel.engine.isolate  # noqa: F401  keeps this environment's packages only
from intermodel.engine.job import job

with job(snakemake.log[0], snakemake.output):
    from intermodel.clip_dissect.figures import draw_figures
    from intermodel.clip_dissect.summary import read_models

    models = read_models(snakemake.params.models, snakemake.params.layers)
    draw_figures(dict(snakemake.input.items()), models, dict(snakemake.output.items()))
