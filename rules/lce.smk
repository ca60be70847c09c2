# What has each model learned, compared with the others? Models become points in the space of the concepts that their
# units detect; everything follows from the tallies. The layer of each model that enters the embedding, the data sets
# whose probes are crossed with it, and other ways of comparing models that it is held against.
LCE_LAYER = {
    model: STUDY.analyses.lce.layers.get(model, STUDY.layers(model)[-1])
    for model in MODELS
}
LCE_PROBED = STUDY.datasets_for("probe") if STUDY.analyses.lce.probes else []
LCE_CROSSED = bool(LCE_PROBED or STUDY.analyses.lce.performance)
LCE_COMPANIONS = {
    dataset: [
        name
        for name in ["similarity", "unit_matching", "clip_dissect"]
        if dataset in STUDY.datasets_for(name)
    ]
    for dataset in STUDY.datasets
}
LCE_TABLES = [
    "vectors",
    "map",
    "distances",
    "loadings",
    "clusters",
    "cluster_numbers",
    "enrichment",
    "families",
    "complementarity",
    "ensemble",
    "categories",
    "performance",
    "tasks",
    "geometries",
    "agreement",
    "variants",
    "axes",
    "axes_map",
    "axes_distances",
    "findings",
    "warnings",
]
# An AUROC is no sum over images: drawing images again needs more than the tallies.
RESAMPLED_MODELS = MODELS if STUDY.analyses.lce.variant == "soft_auroc" else []
LCE_FIGURES = (
    ["map", "distances", "enrichment", "categories", "complementarity"]
    + (["agreement"] if any(LCE_COMPANIONS.values()) else [])
    + (["performance"] if LCE_CROSSED else [])
)


rule resample_auroc:
    input:
        features=lambda wildcards: PATHS.features(
            **wildcards, layer=LCE_LAYER[wildcards.model]
        ),
        patterns=PATHS.patterns(),
    output:
        PATHS.resampled_auroc(),
    log:
        PATHS.log("resample_auroc", "{dataset}", "{model}"),
    benchmark:
        PATHS.benchmark("resample_auroc", "{dataset}", "{model}")
    conda:
        "../envs/lce.yaml"
    threads: 1
    resources:
        mem_mb=growing(1500, 4),
        runtime=lasting(120, 60),
    params:
        layer=lambda wildcards: LCE_LAYER[wildcards.model],
        settings=STUDY.settings(
            *("lce", "bootstrap", "splits", "seed"),
            folds=STUDY.analyses.concepts.folds,
        ),
        code=code_of("resample_auroc.py"),
    message:
        "Drawing images again for the AUROC of {wildcards.model} on {wildcards.dataset}"
    script:
        "../workflow/scripts/resample_auroc.py"


rule embed_models:
    input:
        tallies=lambda wildcards: [
            PATHS.tally(wildcards.dataset, model, LCE_LAYER[model]) for model in MODELS
        ],
        scores=[PATHS.auroc(model=model) for model in MODELS],
        resampled=[PATHS.resampled_auroc(model=model) for model in RESAMPLED_MODELS],
        probes=[
            PATHS.probe(dataset, model) for dataset in LCE_PROBED for model in MODELS
        ],
        performance=(
            [expand(STUDY.analyses.lce.performance)]
            if STUDY.analyses.lce.performance
            else []
        ),
        companions=lambda wildcards: [
            PATHS.table(name, "pairs", wildcards.dataset)
            for name in LCE_COMPANIONS[wildcards.dataset]
        ],
    output:
        embedding=PATHS.lce(),
        tables=[PATHS.table("lce", name) for name in LCE_TABLES],
    log:
        PATHS.log("embed_models", "{dataset}"),
    benchmark:
        PATHS.benchmark("embed_models", "{dataset}")
    conda:
        "../envs/lce.yaml"
    threads: 1
    resources:
        mem_mb=growing(1500, 12),
        runtime=lasting(60),
    params:
        settings=STUDY.settings(
            "lce",
            iou_threshold=STUDY.analyses.concepts.iou_threshold,
            denominator=STUDY.analyses.concepts.denominator,
            detection=STUDY.analyses.concepts.detection,
            fdr=STUDY.analyses.concepts.fdr,
            probed=LCE_PROBED,
        ),
        models=lambda wildcards: STUDY.describe(),
        layers=LCE_LAYER,
        companions=lambda wildcards: LCE_COMPANIONS[wildcards.dataset],
        code=code_of("embed_models.py"),
    message:
        "Embedding the models by the concepts of {wildcards.dataset}"
    script:
        "../workflow/scripts/embed_models.py"


rule plot_lce:
    input:
        embedding=PATHS.lce(),
        performance=PATHS.table("lce", "performance"),
        enrichment=PATHS.table("lce", "enrichment"),
        geometries=PATHS.table("lce", "geometries"),
        agreement=PATHS.table("lce", "agreement"),
    output:
        **{
            name: report(
                PATHS.figure("lce", name),
                caption=f"../docs/captions/lce_{name}.rst",
                category="Learned concepts",
                subcategory="{dataset}",
                labels={"figure": name},
            )
            for name in LCE_FIGURES
        },
    log:
        PATHS.log("plot_lce", "{dataset}"),
    benchmark:
        PATHS.benchmark("plot_lce", "{dataset}")
    conda:
        "../envs/lce.yaml"
    threads: 1
    resources:
        mem_mb=growing(1500, 4),
        runtime=lasting(30),
    params:
        code=code_of("plot_lce.py"),
    message:
        "Drawing the embedding of {wildcards.dataset}"
    script:
        "../workflow/scripts/plot_lce.py"


rule lce:
    input:
        [
            path
            for dataset in STUDY.datasets_for("lce")
            for path in [
                PATHS.lce(dataset),
                # Each by name: a table that did not use to be made would not be missed otherwise.
                *(PATHS.table("lce", name, dataset) for name in LCE_TABLES),
                *(PATHS.figure("lce", name, dataset) for name in LCE_FIGURES),
            ]
        ],
