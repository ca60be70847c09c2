import intermodel.engine.isolate  # noqa: F401  keeps this environment's packages only
from intermodel.engine.job import job

with job(snakemake.log[0], snakemake.output):
    from intermodel.plotting import load_seaborn
    from intermodel.probe.disagreement_report import plot_disagreement
    from intermodel.probe.figures import plot_accuracy

    load_seaborn()
    plot_accuracy(snakemake.input.accuracy, snakemake.params.models, [snakemake.output.accuracy])
    plot_disagreement(snakemake.input.disagreement, snakemake.params.models, snakemake.output.disagreement)
