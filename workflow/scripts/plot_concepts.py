import intermodel.engine.isolate  # noqa: F401  keeps this environment's packages only
from intermodel.engine.job import job

with job(snakemake.log[0], snakemake.output):
    import json

    from intermodel.concepts.plots import plot_galleries, plot_tables
    from intermodel.data.open import open_dataset
    from intermodel.engine.environment import expand
    from intermodel.plotting import load_seaborn

    load_seaborn()
    files, figures = snakemake.input, snakemake.output
    plot_tables(
        files.summary, files.concepts, overview=figures.overview, concept_map=figures.concepts, sets=figures.sets
    )
    images = open_dataset(expand(json.loads(snakemake.params.dataset)), files.manifest)
    settings = json.loads(snakemake.params.settings)
    galleries = zip(figures.galleries, figures.rasters)
    plot_galleries(
        files.tallies,
        files.patterns,
        images,
        galleries,
        scores=files.scores,
        compositions=files.compositions,
        **settings,
    )
