PRESENT = set(PLAN["present"])

# One forward pass per (model, data set, shard) writes every layer that is asked for. What is on disk and what is not
# belong to two jobs, so that asking for another layer leaves the finished ones alone.
for dataset in DATASETS:
    for model in MODELS:
        for job in extraction_jobs(
            feature_files(dataset, model),
            STUDY.datasets[dataset].shards,
            PLAN["shards"],
            PRESENT,
        ):
            weights = STUDY.models[model].weights

            rule:
                name:
                    identifier("extract", model, dataset, job.name)
                input:
                    manifest=PATHS.manifest(dataset),
                    images=(
                        [PATHS.images(dataset)]
                        if STUDY.datasets[dataset].source == "scenes"
                        else []
                    ),
                    weights=(
                        [PATHS.weights(model)] if weights.source == "train" else []
                    ),
                output:
                    job.outputs,
                log:
                    PATHS.log("extract_features", dataset, f"{model}.{job.name}"),
                benchmark:
                    PATHS.benchmark("extract_features", dataset, f"{model}.{job.name}")
                conda:
                    "../envs/features.yaml"
                threads: 1
                resources:
                    gpu=PLAN["gpu"],
                    mem_mb=growing(4000),
                    runtime=lasting(240),
                params:
                    # Functions, since a text with ${NAME} in it would be searched for wildcards.
                    dataset=lambda wildcards, spec=STUDY.dataset_spec(dataset): spec,
                    model=lambda wildcards, spec=STUDY.model_spec(model): spec,
                    names=f"{dataset} {model}",
                    checkpoint=PLAN["checkpoints"].get(model, ""),
                    module=PLAN["modules"][model],
                    code=code_of("extract_features.py"),
                    origin=PLAN["origins"][f"{dataset} {model}"],
                    shard=[job.number, job.count],
                    # Derived values are not compared: they must not make finished layers run again.
                    compute=lambda wildcards, threads: STUDY.compute.model_dump(),
                message:
                    f"Extracting features of {model} on {dataset}"
                    + (f", shard {job.number} of {job.count}" if job.count > 1 else "")
                script:
                    "../workflow/scripts/extract_features.py"


# One small file that shows the shards of a feature file as one; nothing is copied.
if any(spec.shards > 1 for spec in STUDY.datasets.values()) or PLAN["shards"]:

    localrules:
        join_shards,

    rule join_shards:
        input:
            shards_to_join,
        output:
            PATHS.features(),
        log:
            PATHS.log("join_shards", "{dataset}", "{model}", "{layer}"),
        benchmark:
            PATHS.benchmark("join_shards", "{dataset}", "{model}", "{layer}")
        conda:
            "../envs/features.yaml"
        threads: 1
        resources:
            mem_mb=growing(1000),
            runtime=lasting(10),
        params:
            code=code_of("join_shards.py"),
        message:
            "Joining the shards of {wildcards.layer} of {wildcards.model} on {wildcards.dataset}"
        script:
            "../workflow/scripts/join_shards.py"


rule features:
    input:
        [
            path
            for dataset in DATASETS
            for model in MODELS
            for file in feature_files(dataset, model)
            for path in dict.fromkeys(
                [file, *shard_paths(file, shards_of(file, dataset))]
            )
        ],
