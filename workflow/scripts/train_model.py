import intermodel.engine.isolate  # noqa: F401  keeps this environment's packages only
from intermodel.engine.job import job

with job(snakemake.log[0], snakemake.output):
    import json

    from intermodel.models.gpu import lease_gpu

    compute = snakemake.params.compute
    if compute["device"] != "cpu" and snakemake.resources.get("gpu", 0):
        lease_gpu()  # before the first use of CUDA

    from intermodel.data.open import open_dataset
    from intermodel.engine.environment import expand
    from intermodel.training.run import train_model

    settings = json.loads(snakemake.params.recipe)
    train_model(
        open_dataset(expand(json.loads(snakemake.params.dataset)), snakemake.input.manifest),
        snakemake.output.weights,
        snakemake.output.history,
        name=settings["model"],
        model={key: settings.get(key) for key in ("architecture", "kwargs", "python_path", "preprocessing")},
        recipe=settings["recipe"],
        seed=settings["seed"],
        device=compute["device"],
        threads=snakemake.threads,
    )
