# Layers whose maps are not stored: one pass of the network for the thresholds, one for the tallies, shard by shard.
for dataset in STUDY.datasets_for("concepts"):
    SHARDS = range(1, STUDY.datasets[dataset].shards + 1)
    for model in MODELS:
        STREAMED = STUDY.streamed(model)
        for number in SHARDS if STREAMED else []:

            rule:
                name:
                    identifier("levels", model, dataset, str(number))
                input:
                    manifest=PATHS.manifest(dataset),
                    images=(
                        [PATHS.images(dataset)]
                        if STUDY.datasets[dataset].source == "scenes"
                        else []
                    ),
                    weights=(
                        [PATHS.weights(model)]
                        if STUDY.models[model].weights.source == "train"
                        else []
                    ),
                output:
                    levels=[
                        temp(PATHS.levels(dataset, model, layer, number, len(SHARDS)))
                        for layer in STREAMED
                    ],
                log:
                    PATHS.log(
                        "find_levels",
                        dataset,
                        f"{model}.new.{number}-of-{len(SHARDS)}",
                    ),
                benchmark:
                    PATHS.benchmark(
                        "find_levels",
                        dataset,
                        f"{model}.new.{number}-of-{len(SHARDS)}",
                    )
                conda:
                    "../envs/features.yaml"
                threads: 1
                resources:
                    gpu=PLAN["gpu"],
                    mem_mb=growing(8000),
                    runtime=lasting(240),
                params:
                    dataset=lambda wildcards, spec=STUDY.dataset_spec(dataset): spec,
                    model=lambda wildcards, spec=STUDY.model_spec(model): spec,
                    names=f"{dataset} {model}",
                    layers=json.dumps([STUDY.layers(model), STREAMED]),
                    settings=STUDY.settings("concepts", "tail", "rotations"),
                    checkpoint=PLAN["checkpoints"].get(model, ""),
                    module=PLAN["modules"][model],
                    code=code_of("find_levels.py"),
                    shard=[number, len(SHARDS)],
                    # Of how to compute, this alone changes results.
                    precision=STUDY.compute.precision,
                    compute=lambda wildcards, threads: STUDY.compute.model_dump(),
                message:
                    f"Finding thresholds of {model} on {dataset} without storing maps"
                script:
                    "../workflow/scripts/find_levels.py"

            rule:
                name:
                    identifier("stream", model, dataset, str(number))
                input:
                    manifest=PATHS.manifest(dataset),
                    images=(
                        [PATHS.images(dataset)]
                        if STUDY.datasets[dataset].source == "scenes"
                        else []
                    ),
                    weights=(
                        [PATHS.weights(model)]
                        if STUDY.models[model].weights.source == "train"
                        else []
                    ),
                    patterns=PATHS.patterns(dataset),
                    levels=[
                        PATHS.levels(dataset, model, layer, part, len(SHARDS))
                        for layer in STREAMED
                        for part in SHARDS
                    ],
                output:
                    tallies=[
                        temp(
                            PATHS.part_tally(
                                dataset, model, layer, number, len(SHARDS)
                            )
                        )
                        for layer in STREAMED
                    ],
                log:
                    PATHS.log(
                        "stream_tallies",
                        dataset,
                        f"{model}.new.{number}-of-{len(SHARDS)}",
                    ),
                benchmark:
                    PATHS.benchmark(
                        "stream_tallies",
                        dataset,
                        f"{model}.new.{number}-of-{len(SHARDS)}",
                    )
                conda:
                    "../envs/features.yaml"
                threads: 1
                resources:
                    gpu=PLAN["gpu"],
                    mem_mb=growing(8000, 2),
                    runtime=lasting(240),
                params:
                    dataset=lambda wildcards, spec=STUDY.dataset_spec(dataset): spec,
                    model=lambda wildcards, spec=STUDY.model_spec(model): spec,
                    names=f"{dataset} {model}",
                    layers=json.dumps([STUDY.layers(model), STREAMED]),
                    settings=STUDY.settings(
                        "concepts",
                        *("tail", "thresholds", "masks", "folds"),
                        *("top_images", "shuffles", "rotations"),
                    ),
                    checkpoint=PLAN["checkpoints"].get(model, ""),
                    module=PLAN["modules"][model],
                    code=code_of("stream_tallies.py"),
                    shard=[number, len(SHARDS)],
                    # Of how to compute, this alone changes results.
                    precision=STUDY.compute.precision,
                    compute=lambda wildcards, threads: STUDY.compute.model_dump(),
                message:
                    f"Tallying the concepts of {model} on {dataset} without storing maps"
                script:
                    "../workflow/scripts/stream_tallies.py"

        # (Rules without wildcards go before tally_concepts.)
        for layer in STREAMED:

            rule:
                name:
                    identifier("join", model, dataset, layer)
                input:
                    [
                        PATHS.part_tally(dataset, model, layer, number, len(SHARDS))
                        for number in SHARDS
                    ],
                output:
                    PATHS.tally(dataset, model, layer),
                log:
                    PATHS.log("join_tallies", dataset, model, layer),
                benchmark:
                    PATHS.benchmark("join_tallies", dataset, model, layer)
                conda:
                    "../envs/concepts.yaml"
                threads: 1
                resources:
                    mem_mb=growing(1000, 20),
                    runtime=lasting(30),
                params:
                    top_images=STUDY.analyses.concepts.top_images,
                    code=code_of("join_tallies.py"),
                message:
                    f"Joining the tallies of {layer} of {model} on {dataset}"
                script:
                    "../workflow/scripts/join_tallies.py"
