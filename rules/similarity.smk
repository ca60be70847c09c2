# What do two representations share? One factorisation per representation, one small file per pair of models.
SIMILARITY_TABLES = ["pairs", "representations", "findings", "warnings"]
SIMILARITY_FIGURES = ["models", "layers", "pairs"]
INTERVALS = f"{PATHS.results}/similarity/{{dataset}}/intervals.h5"
PAIR_FILES = [PATHS.pair("{dataset}", a, b) for a, b in STUDY.pairs()]


rule factorise_representation:
    input:
        features=PATHS.features(),
    output:
        PATHS.basis(),
    log:
        PATHS.log("factorise_representation", "{dataset}", "{model}", "{layer}"),
    benchmark:
        PATHS.benchmark("factorise_representation", "{dataset}", "{model}", "{layer}")
    conda:
        "../envs/similarity.yaml"
    threads: 1
    resources:
        mem_mb=growing(1000, 8),
        runtime=lasting(60, 30),
    params:
        settings=STUDY.settings("similarity", "neighbours", "images", "basis_dtype"),
        code=code_of("factorise_representation.py"),
    message:
        "Factorising {wildcards.layer} of {wildcards.model} on {wildcards.dataset}"
    script:
        "../workflow/scripts/factorise_representation.py"


rule compare_models:
    input:
        a=lambda wildcards: [
            PATHS.basis(wildcards.dataset, wildcards.model_a, layer)
            for layer in STUDY.layers(wildcards.model_a)
        ],
        b=lambda wildcards: [
            PATHS.basis(wildcards.dataset, wildcards.model_b, layer)
            for layer in STUDY.layers(wildcards.model_b)
        ],
    output:
        PATHS.pair("{dataset}", "{model_a}", "{model_b}"),
    log:
        PATHS.log("compare_models", "{dataset}", "{model_a}__{model_b}"),
    benchmark:
        PATHS.benchmark("compare_models", "{dataset}", "{model_a}__{model_b}")
    conda:
        "../envs/similarity.yaml"
    threads: 1
    resources:
        mem_mb=growing(1000, 2),
        runtime=lasting(60, 10),
    params:
        settings=STUDY.settings(
            "similarity", "measures", "variance", "permutations", "alpha", "seed"
        ),
        code=code_of("compare_models.py"),
    message:
        "Comparing {wildcards.model_a} with {wildcards.model_b} on {wildcards.dataset}"
    script:
        "../workflow/scripts/compare_models.py"


# A fan-in, so that every half of the images is factorised once for each model and not once for each pair.
rule subsample_similarity:
    input:
        features=[
            PATHS.features(model=model, layer=STUDY.layers(model)[-1])
            for model in MODELS
        ],
    output:
        INTERVALS,
    log:
        PATHS.log("subsample_similarity", "{dataset}"),
    benchmark:
        PATHS.benchmark("subsample_similarity", "{dataset}")
    conda:
        "../envs/similarity.yaml"
    threads: 1
    resources:
        mem_mb=growing(1000, 8),
        runtime=lasting(240, 120),
    params:
        settings=STUDY.settings(
            "similarity",
            "interval_measures",
            "variance",
            "neighbours",
            "images",
            "subsamples",
            "seed",
        ),
        code=code_of("subsample_similarity.py"),
    message:
        "Comparing all models on halves of {wildcards.dataset}"
    script:
        "../workflow/scripts/subsample_similarity.py"


rule summarise_similarity:
    input:
        pairs=PAIR_FILES,
        intervals=INTERVALS,
    output:
        **{name: PATHS.table("similarity", name) for name in SIMILARITY_TABLES},
    log:
        PATHS.log("summarise_similarity", "{dataset}"),
    benchmark:
        PATHS.benchmark("summarise_similarity", "{dataset}")
    conda:
        "../envs/similarity.yaml"
    threads: 1
    resources:
        mem_mb=growing(1000, 4),
        runtime=lasting(30),
    params:
        models=lambda wildcards: STUDY.describe(),
        code=code_of("summarise_similarity.py"),
    message:
        "Listing what all models share on {wildcards.dataset}"
    script:
        "../workflow/scripts/summarise_similarity.py"


rule plot_similarity:
    input:
        pairs=PAIR_FILES,
        intervals=INTERVALS,
    output:
        **{
            name: report(
                PATHS.figure("similarity", name),
                caption=f"../docs/captions/similarity_{name}.rst",
                category="Similarity",
                subcategory="{dataset}",
                labels={"figure": name},
            )
            for name in SIMILARITY_FIGURES
        },
    log:
        PATHS.log("plot_similarity", "{dataset}"),
    benchmark:
        PATHS.benchmark("plot_similarity", "{dataset}")
    conda:
        "../envs/similarity.yaml"
    threads: 1
    resources:
        mem_mb=growing(1500, 4),
        runtime=lasting(30),
    params:
        models=lambda wildcards: STUDY.describe(),
        code=code_of("plot_similarity.py"),
    message:
        "Drawing what all models share on {wildcards.dataset}"
    script:
        "../workflow/scripts/plot_similarity.py"


rule similarity:
    input:
        [
            path
            for dataset in STUDY.datasets_for("similarity")
            for path in [
                *(
                    PATHS.table("similarity", name, dataset)
                    for name in SIMILARITY_TABLES
                ),
                *(
                    PATHS.figure("similarity", name, dataset)
                    for name in SIMILARITY_FIGURES
                ),
            ]
        ],
