import intermodel.engine.isolate  # noqa: F401  keeps this environment's packages only
from intermodel.engine.job import job

with job(snakemake.log[0], snakemake.output):
    import json

    from intermodel.data.open import open_dataset
    from intermodel.engine.environment import expand
    from intermodel.plotting import load_seaborn
    from intermodel.unit_matching.plots import draw_figures
    from intermodel.unit_matching.summary import read_models

    load_seaborn()
    files, layers = snakemake.input, snakemake.params.layers
    draw_figures(
        files.pairs,
        read_models(snakemake.params.models, layers),
        dict(zip(layers, files.features, strict=True)),
        dict(zip(layers, files.maps)),
        open_dataset(expand(json.loads(snakemake.params.dataset)), files.manifest),
        dict(snakemake.output.items()),
        **json.loads(snakemake.params.settings),
    )
