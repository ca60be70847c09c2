# Which units of two models respond alike? One small file per pair of models; no label is needed. The layer of each model
# whose units are matched, and what is correlated: maps, or pooled features.
MATCHED_LAYER = {
    model: STUDY.analyses.unit_matching.layers.get(model, STUDY.layers(model)[-1])
    for model in MODELS
}
MATCHED_FILE = (
    PATHS.maps if STUDY.analyses.unit_matching.over == "maps" else PATHS.features
)
MATCHED_PAIRS = [PATHS.matches("{dataset}", a, b) for a, b in STUDY.pairs() if a != b]
MATCHING_TABLES = ["pairs", "matches", "units", "groups", "findings", "warnings"]
MATCHING_FIGURES = ["models", "shared"]
# Without maps there is nothing to outline.
if MATCHED_FILE == PATHS.maps and STUDY.analyses.unit_matching.gallery_groups:
    MATCHING_FIGURES.append("gallery")


rule match_models:
    input:
        a=lambda wildcards: MATCHED_FILE(
            wildcards.dataset, wildcards.model_a, MATCHED_LAYER[wildcards.model_a]
        ),
        b=lambda wildcards: MATCHED_FILE(
            wildcards.dataset, wildcards.model_b, MATCHED_LAYER[wildcards.model_b]
        ),
        manifest=PATHS.manifest(),
    output:
        PATHS.matches("{dataset}", "{model_a}", "{model_b}"),
    log:
        PATHS.log("match_models", "{dataset}", "{model_a}__{model_b}"),
    benchmark:
        PATHS.benchmark("match_models", "{dataset}", "{model_a}__{model_b}")
    conda:
        "../envs/unit_matching.yaml"
    threads: 1
    resources:
        mem_mb=growing(2000),
        runtime=lasting(60, 30),
    params:
        settings=STUDY.settings(
            "unit_matching", "over", "images", "folds", "shuffles", "seed"
        ),
        code=code_of("match_models.py"),
    message:
        "Matching the units of {wildcards.model_a} and {wildcards.model_b} on {wildcards.dataset}"
    script:
        "../workflow/scripts/match_models.py"


rule summarise_matches:
    input:
        MATCHED_PAIRS,
    output:
        **{name: PATHS.table("unit_matching", name) for name in MATCHING_TABLES},
    log:
        PATHS.log("summarise_matches", "{dataset}"),
    benchmark:
        PATHS.benchmark("summarise_matches", "{dataset}")
    conda:
        "../envs/unit_matching.yaml"
    threads: 1
    resources:
        mem_mb=growing(1000, 8),
        runtime=lasting(30),
    params:
        models=lambda wildcards: STUDY.titles(),
        layers=MATCHED_LAYER,
        group_models=STUDY.analyses.unit_matching.group_models,
        code=code_of("summarise_matches.py"),
    message:
        "Listing the units that models share on {wildcards.dataset}"
    script:
        "../workflow/scripts/summarise_matches.py"


rule plot_matches:
    input:
        pairs=MATCHED_PAIRS,
        features=[
            PATHS.features(model=model, layer=layer)
            for model, layer in MATCHED_LAYER.items()
        ],
        maps=[
            PATHS.maps(model=model, layer=layer)
            for model, layer in MATCHED_LAYER.items()
            if STUDY.analyses.unit_matching.over == "maps"
        ],
        manifest=PATHS.manifest(),
        images=lambda wildcards: (
            [PATHS.images(wildcards.dataset)]
            if STUDY.datasets[wildcards.dataset].source == "scenes"
            else []
        ),
    output:
        **{
            name: report(
                PATHS.figure("unit_matching", name),
                caption=f"../docs/captions/unit_matching_{name}.rst",
                category="Shared units",
                subcategory="{dataset}",
                labels={"figure": name},
            )
            for name in MATCHING_FIGURES
        },
        # The same for the page.
        **{
            f"{name}_raster": PATHS.figure("unit_matching", name, suffix="webp")
            for name in MATCHING_FIGURES
            if name == "gallery"
        },
    log:
        PATHS.log("plot_matches", "{dataset}"),
    benchmark:
        PATHS.benchmark("plot_matches", "{dataset}")
    conda:
        "../envs/unit_matching.yaml"
    threads: 1
    resources:
        mem_mb=growing(2000),
        runtime=lasting(60),
    params:
        models=lambda wildcards: STUDY.titles(),
        layers=MATCHED_LAYER,
        dataset=lambda wildcards: STUDY.dataset_spec(wildcards.dataset),
        settings=STUDY.settings("unit_matching", "group_models", "gallery_groups"),
        code=code_of("plot_matches.py"),
    message:
        "Drawing the units that models share on {wildcards.dataset}"
    script:
        "../workflow/scripts/plot_matches.py"


rule unit_matching:
    input:
        [
            path
            for dataset in STUDY.datasets_for("unit_matching")
            for path in [
                *(
                    PATHS.table("unit_matching", name, dataset)
                    for name in MATCHING_TABLES
                ),
                *(
                    PATHS.figure("unit_matching", name, dataset)
                    for name in MATCHING_FIGURES
                ),
            ]
        ],
