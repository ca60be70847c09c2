# How well can the classes be read off? One job per (model, data set) fits the probes of all layers.
PROBE_TABLES = [
    "accuracy",
    "differences",
    "disagreement",
    "findings",
    "disagreement_findings",
    "warnings",
]
PROBE_FIGURES = ["accuracy", "disagreement"]


rule probe_model:
    input:
        manifest=PATHS.manifest(),
        features=lambda wildcards: [
            PATHS.features(wildcards.dataset, wildcards.model, layer)
            for layer in STUDY.layers(wildcards.model)
        ],
    output:
        PATHS.probe(),
    log:
        PATHS.log("probe_model", "{dataset}", "{model}"),
    benchmark:
        PATHS.benchmark("probe_model", "{dataset}", "{model}")
    conda:
        "../envs/probe.yaml"
    threads: 1
    resources:
        mem_mb=growing(2000, 8),
        runtime=lasting(120, 120),
    params:
        layers=lambda wildcards: json.dumps(STUDY.layers(wildcards.model)),
        settings=STUDY.settings("probe"),
        code=code_of("probe_model.py"),
    message:
        "Probing {wildcards.model} on {wildcards.dataset}"
    script:
        "../workflow/scripts/probe_model.py"


rule summarise_probes:
    input:
        probes=[PATHS.probe(model=model) for model in MODELS],
    output:
        accuracy=PATHS.table("probe", "accuracy"),
        differences=PATHS.table("probe", "differences"),
        disagreements=PATHS.table("probe", "disagreement"),
        statements=PATHS.table("probe", "findings"),
        disagreement_statements=PATHS.table("probe", "disagreement_findings"),
        warnings=PATHS.table("probe", "warnings"),
    log:
        PATHS.log("summarise_probes", "{dataset}"),
    benchmark:
        PATHS.benchmark("summarise_probes", "{dataset}")
    conda:
        "../envs/probe.yaml"
    threads: 1
    resources:
        mem_mb=growing(1000, 4),
        runtime=lasting(30),
    params:
        models=lambda wildcards: STUDY.describe(),
        code=code_of("summarise_probes.py"),
    message:
        "Comparing the probes of all models on {wildcards.dataset}"
    script:
        "../workflow/scripts/summarise_probes.py"


rule plot_probes:
    input:
        accuracy=PATHS.table("probe", "accuracy"),
        disagreement=PATHS.table("probe", "disagreement"),
    output:
        **{
            name: report(
                PATHS.figure("probe", name),
                caption=f"../docs/captions/probe_{name}.rst",
                category="Quality",
                subcategory="{dataset}",
                labels={"figure": f"probe {name}"},
            )
            for name in PROBE_FIGURES
        },
    log:
        PATHS.log("plot_probes", "{dataset}"),
    benchmark:
        PATHS.benchmark("plot_probes", "{dataset}")
    conda:
        "../envs/probe.yaml"
    threads: 1
    resources:
        mem_mb=growing(1000),
        runtime=lasting(30),
    params:
        models=lambda wildcards: STUDY.describe(),
        code=code_of("plot_probes.py"),
    message:
        "Drawing the probe accuracies on {wildcards.dataset}"
    script:
        "../workflow/scripts/plot_probes.py"


rule probe:
    input:
        [
            PATHS.table("probe", name, dataset)
            for dataset in STUDY.datasets_for("probe")
            for name in PROBE_TABLES
        ],
        [
            PATHS.figure("probe", name, dataset)
            for dataset in STUDY.datasets_for("probe")
            for name in PROBE_FIGURES
        ],
