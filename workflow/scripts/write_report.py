import intermodel.engine.isolate  # noqa: F401  keeps this environment's packages only
from intermodel.engine.job import job

with job(snakemake.log[0], snakemake.output):
    import json

    from intermodel.report.study_page import write_study_page

    study = json.loads(snakemake.params.study)
    write_study_page(
        snakemake.output[0],
        snakemake.params.results,
        snakemake.params.captions,
        dict(zip((dataset["name"] for dataset in study["datasets"]), snakemake.input.manifests, strict=True)),
        snakemake.input.features,
        study,
    )
