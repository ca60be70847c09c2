import intermodel.engine.isolate  # noqa: F401  keeps this environment's packages only
from intermodel.engine.job import job

with job(snakemake.log[0], snakemake.output):
    import json

    from intermodel.clip_dissect.figures import draw_figures
    from intermodel.clip_dissect.gallery import draw_galleries
    from intermodel.clip_dissect.summary import read_models
    from intermodel.data.open import open_dataset
    from intermodel.engine.environment import expand
    from intermodel.plotting import load_seaborn

    load_seaborn()
    files, figures = snakemake.input, snakemake.output
    tables = {name: files[name] for name in ("units", "words", "summary", "pairs")}
    models = read_models(snakemake.params.models, snakemake.params.layers)
    draw_figures(tables, models, {name: figures[name] for name in ("models", "words", "clarity")})
    draw_galleries(
        files.layers,
        files.units,
        files.embedded,
        next(iter(files.concepts), None),
        open_dataset(expand(json.loads(snakemake.params.dataset)), files.manifest),
        list(zip(figures.galleries, figures.rasters, strict=True)),
        snakemake.params.gallery_units,
    )
