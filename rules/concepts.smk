# Which labelled concept does each unit detect? Label maps are indexed once per data set, each layer is tallied once;
# labels, thresholds of the report and figures follow from the tallies.
CONCEPT_TABLES = ["units", "concepts", "summary", "findings", "warnings"]
# Models whose last layers are explained by formulas of concepts.
COMPOSED_MODELS = MODELS if STUDY.analyses.concepts.composition_length > 1 else []
CONCEPT_TABLES += ["compositions"] if COMPOSED_MODELS else []
CONCEPT_FIGURES = ["overview", "concepts", "sets"]
# Models whose galleries are drawn; their last layers stand for them.
GALLERY_MODELS = MODELS if STUDY.analyses.concepts.gallery_units else []


rule index_label_maps:
    input:
        segmentation=PATHS.segmentation(),
        manifest=PATHS.manifest(),
    output:
        PATHS.patterns(),
    log:
        PATHS.log("index_label_maps", "{dataset}"),
    benchmark:
        PATHS.benchmark("index_label_maps", "{dataset}")
    conda:
        "../envs/concepts.yaml"
    threads: 1
    resources:
        mem_mb=growing(1000, 1),
        runtime=lasting(120, 60),
    params:
        code=code_of("index_label_maps.py"),
    message:
        "Indexing the label maps of {wildcards.dataset}"
    script:
        "../workflow/scripts/index_label_maps.py"


rule tally_concepts:
    input:
        maps=PATHS.maps(),
        patterns=PATHS.patterns(),
    output:
        PATHS.tally(),
    log:
        PATHS.log("tally_concepts", "{dataset}", "{model}", "{layer}"),
    benchmark:
        PATHS.benchmark("tally_concepts", "{dataset}", "{model}", "{layer}")
    conda:
        "../envs/concepts.yaml"
    threads: 1
    resources:
        mem_mb=growing(2000, 1),
        runtime=lasting(120, 60),
    params:
        settings=STUDY.settings(
            "concepts",
            *(
                "tail",
                "thresholds",
                "masks",
                "folds",
                "top_images",
                "shuffles",
                "rotations",
            ),
        ),
        code=code_of("tally_concepts.py"),
    message:
        "Tallying the concepts of {wildcards.model} {wildcards.layer} on {wildcards.dataset}"
    script:
        "../workflow/scripts/tally_concepts.py"


# Layers whose maps are not stored: one pass of the network for the thresholds, one for the tallies, shard by shard.
for dataset in STUDY.datasets_for("concepts"):
    SHARDS = range(1, STUDY.datasets[dataset].shards + 1)
    SCENES = STUDY.datasets[dataset].source == "scenes"
    IMAGES = [PATHS.images(dataset)] if SCENES else []
    for model in MODELS:
        STREAMED = STUDY.streamed(model)
        TRAINED = STUDY.models[model].weights.source == "train"
        WEIGHTS = [PATHS.weights(model)] if TRAINED else []
        for number in SHARDS if STREAMED else []:

            rule:
                name:
                    identifier("levels", model, dataset, str(number))
                input:
                    manifest=PATHS.manifest(dataset),
                    images=IMAGES,
                    weights=WEIGHTS,
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
                    images=IMAGES,
                    weights=WEIGHTS,
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


rule score_concepts:
    input:
        features=lambda wildcards: [
            PATHS.features(wildcards.dataset, wildcards.model, layer)
            for layer in STUDY.layers(wildcards.model)
        ],
        patterns=PATHS.patterns(),
    output:
        PATHS.auroc(),
    log:
        PATHS.log("score_concepts", "{dataset}", "{model}"),
    benchmark:
        PATHS.benchmark("score_concepts", "{dataset}", "{model}")
    conda:
        "../envs/concepts.yaml"
    threads: 1
    resources:
        mem_mb=growing(1000, 4),
        runtime=lasting(60, 60),
    params:
        layers=lambda wildcards: json.dumps(STUDY.layers(wildcards.model)),
        code=code_of("score_concepts.py"),
    message:
        "Scoring the units of {wildcards.model} on {wildcards.dataset} without thresholds"
    script:
        "../workflow/scripts/score_concepts.py"


rule compose_concepts:
    input:
        maps=lambda wildcards: PATHS.maps(
            **wildcards, layer=STUDY.layers(wildcards.model)[-1]
        ),
        tally=lambda wildcards: PATHS.tally(
            **wildcards, layer=STUDY.layers(wildcards.model)[-1]
        ),
        patterns=PATHS.patterns(),
    output:
        PATHS.compositions(),
    log:
        PATHS.log("compose_concepts", "{dataset}", "{model}"),
    benchmark:
        PATHS.benchmark("compose_concepts", "{dataset}", "{model}")
    conda:
        "../envs/concepts.yaml"
    threads: 1
    resources:
        mem_mb=growing(2000),
        runtime=lasting(120, 60),
    params:
        settings=json.dumps(
            {
                "length": STUDY.analyses.concepts.composition_length,
                "beam": STUDY.analyses.concepts.composition_beam,
            }
        ),
        code=code_of("compose_concepts.py"),
    message:
        "Explaining the units of {wildcards.model} on {wildcards.dataset} by formulas of concepts"
    script:
        "../workflow/scripts/compose_concepts.py"


rule summarise_concepts:
    input:
        tallies=[
            PATHS.tally(model=model, layer=layer)
            for model in MODELS
            for layer in STUDY.layers(model)
        ],
        scores=[PATHS.auroc(model=model) for model in MODELS],
        compositions=[PATHS.compositions(model=model) for model in COMPOSED_MODELS],
    output:
        **{name: PATHS.table("concepts", name) for name in CONCEPT_TABLES},
    log:
        PATHS.log("summarise_concepts", "{dataset}"),
    benchmark:
        PATHS.benchmark("summarise_concepts", "{dataset}")
    conda:
        "../envs/concepts.yaml"
    threads: 1
    resources:
        mem_mb=growing(2000, 4),
        runtime=lasting(60),
    params:
        models=lambda wildcards: STUDY.describe(),
        settings=STUDY.settings(
            "concepts", "iou_threshold", "denominator", "detection", "fdr"
        ),
        code=code_of("summarise_concepts.py"),
    message:
        "Comparing the concepts of all models on {wildcards.dataset}"
    script:
        "../workflow/scripts/summarise_concepts.py"


rule plot_concepts:
    input:
        summary=PATHS.table("concepts", "summary"),
        concepts=PATHS.table("concepts", "concepts"),
        manifest=PATHS.manifest(),
        images=lambda wildcards: (
            [PATHS.images(wildcards.dataset)]
            if STUDY.datasets[wildcards.dataset].source == "scenes"
            else []
        ),
        patterns=PATHS.patterns(),
        tallies=[
            PATHS.tally(model=model, layer=STUDY.layers(model)[-1])
            for model in GALLERY_MODELS
        ],
        scores=[PATHS.auroc(model=model) for model in GALLERY_MODELS],
        compositions=[
            PATHS.compositions(model=model)
            for model in GALLERY_MODELS
            if model in COMPOSED_MODELS
        ],
    output:
        **{
            name: report(
                PATHS.figure("concepts", name),
                caption=f"../docs/captions/concepts_{name}.rst",
                category="Concepts",
                subcategory="{dataset}",
                labels={"figure": name},
            )
            for name in CONCEPT_FIGURES
        },
        galleries=[
            report(
                PATHS.figure("concepts", f"gallery-{model}"),
                caption="../docs/captions/concepts_gallery.rst",
                category="Concepts",
                subcategory="{dataset}",
                labels={"figure": f"units of {model}"},
            )
            for model in GALLERY_MODELS
        ],
        # The same for the page.
        rasters=[
            PATHS.figure("concepts", f"gallery-{model}", suffix="webp")
            for model in GALLERY_MODELS
        ],
    log:
        PATHS.log("plot_concepts", "{dataset}"),
    benchmark:
        PATHS.benchmark("plot_concepts", "{dataset}")
    conda:
        "../envs/concepts.yaml"
    threads: 1
    resources:
        mem_mb=growing(2000),
        runtime=lasting(60),
    params:
        dataset=lambda wildcards: STUDY.dataset_spec(wildcards.dataset),
        settings=STUDY.settings(
            "concepts",
            *("gallery_units", "iou_threshold", "denominator", "detection", "fdr"),
        ),
        code=code_of("plot_concepts.py"),
    message:
        "Drawing the concepts of all models on {wildcards.dataset}"
    script:
        "../workflow/scripts/plot_concepts.py"


rule concepts:
    input:
        [
            PATHS.table("concepts", name, dataset)
            for dataset in STUDY.datasets_for("concepts")
            for name in CONCEPT_TABLES
        ],
        [
            PATHS.figure("concepts", name, dataset)
            for dataset in STUDY.datasets_for("concepts")
            for name in [
                *CONCEPT_FIGURES,
                *(f"gallery-{model}" for model in GALLERY_MODELS),
            ]
        ],
