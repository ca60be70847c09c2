# Which images are represented badly? One job per (model, data set) reads every layer once.
QUALITY_TABLES = [
    "layers",
    "scores",
    "models",
    "agreement",
    "calibration",
    "findings",
    "warnings",
]
QUALITY_FIGURES = ["scores", "activation_rates", "calibration", "models"]


rule score_model:
    input:
        features=lambda wildcards: [
            PATHS.features(wildcards.dataset, wildcards.model, layer)
            for layer in STUDY.layers(wildcards.model)
        ],
        probe=PATHS.probe(),
    output:
        PATHS.quality(),
    log:
        PATHS.log("score_model", "{dataset}", "{model}"),
    benchmark:
        PATHS.benchmark("score_model", "{dataset}", "{model}")
    conda:
        "../envs/quality.yaml"
    threads: 1
    resources:
        mem_mb=growing(2000, 8),
        runtime=lasting(120, 120),
    params:
        layers=lambda wildcards: json.dumps(STUDY.layers(wildcards.model)),
        settings=STUDY.settings("quality"),
        code=code_of("score_model.py"),
    message:
        "Scoring the images of {wildcards.dataset} by {wildcards.model}"
    script:
        "../workflow/scripts/score_model.py"


rule summarise_quality:
    input:
        qualities=[PATHS.quality(model=model) for model in MODELS],
        probes=[PATHS.probe(model=model) for model in MODELS],
    output:
        **{name: PATHS.table("quality", name) for name in QUALITY_TABLES},
    log:
        PATHS.log("summarise_quality", "{dataset}"),
    benchmark:
        PATHS.benchmark("summarise_quality", "{dataset}")
    conda:
        "../envs/quality.yaml"
    threads: 1
    resources:
        mem_mb=growing(1000, 4),
        runtime=lasting(60),
    params:
        models=lambda wildcards: STUDY.describe(),
        settings=STUDY.settings("quality"),
        code=code_of("summarise_quality.py"),
    message:
        "Comparing the scores of all models on {wildcards.dataset}"
    script:
        "../workflow/scripts/summarise_quality.py"


rule plot_quality:
    input:
        layers=PATHS.table("quality", "layers"),
        scores=PATHS.table("quality", "scores"),
        models=PATHS.table("quality", "models"),
        calibration=PATHS.table("quality", "calibration"),
        qualities=[PATHS.quality(model=model) for model in MODELS],
    output:
        **{
            name: report(
                PATHS.figure("quality", name),
                caption=f"../docs/captions/quality_{name}.rst",
                category="Quality",
                subcategory="{dataset}",
                labels={"figure": name},
            )
            for name in QUALITY_FIGURES
        },
    log:
        PATHS.log("plot_quality", "{dataset}"),
    benchmark:
        PATHS.benchmark("plot_quality", "{dataset}")
    conda:
        "../envs/quality.yaml"
    threads: 1
    resources:
        mem_mb=growing(1000, 4),
        runtime=lasting(30),
    params:
        models=lambda wildcards: STUDY.describe(),
        code=code_of("plot_quality.py"),
    message:
        "Drawing the scores of all models on {wildcards.dataset}"
    script:
        "../workflow/scripts/plot_quality.py"


rule quality:
    input:
        [
            PATHS.table("quality", name, dataset)
            for dataset in STUDY.datasets_for("quality")
            for name in QUALITY_TABLES
        ],
        [
            PATHS.figure("quality", name, dataset)
            for dataset in STUDY.datasets_for("quality")
            for name in QUALITY_FIGURES
        ],
