import intermodel.engine.isolate  # noqa: F401  keeps this environment's packages only
from intermodel.engine.job import job

with job(snakemake.log[0], snakemake.output):
    import json

    from intermodel.clip_dissect.clip import embed_words, load_clip

    embed_words(
        load_clip(**json.loads(snakemake.params.clip)),
        json.loads(snakemake.params.words)["words"],
        snakemake.output[0],
        threads=snakemake.threads,
    )
