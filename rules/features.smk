# One forward pass per (model, data set) writes every layer that is asked for. What is on disk and what is not belong
# to two jobs, so that asking for another layer leaves the finished ones alone.
for dataset in DATASETS:
    for model in MODELS:
        for kind, paths in split_by_presence(
            feature_files(dataset, model), set(PLAN["present"])
        ).items():
            weights = STUDY.models[model].weights

            rule:
                name:
                    identifier("extract", model, dataset, kind)
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
                    paths,
                log:
                    PATHS.log("extract_features", dataset, f"{model}.{kind}"),
                benchmark:
                    PATHS.benchmark("extract_features", dataset, f"{model}.{kind}")
                conda:
                    "../envs/features.yaml"
                threads: 1
                resources:
                    gpu=PLAN["gpu"],
                    mem_mb=growing(4000),
                    runtime=lambda wildcards, attempt: 240 * attempt,
                params:
                    # Functions, since a text with ${NAME} in it would be searched for wildcards.
                    dataset=lambda wildcards, spec=STUDY.dataset_spec(dataset): spec,
                    model=lambda wildcards, spec=STUDY.model_spec(model): spec,
                    names=f"{dataset} {model}",
                    checkpoint=PLAN["checkpoints"].get(model, ""),
                    module=PLAN["modules"][model],
                    code=code_of("extract_features.py"),
                    # Derived values are not compared: they must not make finished layers run again.
                    compute=lambda wildcards, threads: STUDY.compute.model_dump(),
                message:
                    f"Extracting features of {model} on {dataset}"
                script:
                    "../workflow/scripts/extract_features.py"


rule features:
    input:
        [
            path
            for dataset in DATASETS
            for model in MODELS
            for path in feature_files(dataset, model)
        ],
