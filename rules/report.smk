# One page that answers the study's questions in order, from the tables and figures of every capability.
rule write_report:
    input:
        manifests=[PATHS.manifest(dataset) for dataset in DATASETS],
        features=[
            PATHS.features(dataset, model, layer)
            for dataset in DATASETS
            for model in MODELS
            for layer in STUDY.layers(model)
        ],
        results=[
            rules.concepts.input,
            rules.similarity.input,
            rules.unit_matching.input,
            CLIP_RESULTS,
            rules.probe.input,
            rules.quality.input,
            rules.lce.input,
        ],
    output:
        PATHS.report,
    log:
        PATHS.log("write_report"),
    benchmark:
        PATHS.benchmark("write_report")
    conda:
        "../envs/report.yaml"
    threads: 1
    resources:
        mem_mb=growing(1000, 4),
        runtime=lasting(30),
    params:
        study=lambda wildcards: STUDY.page(),
        results=lambda wildcards, output: str(Path(output[0]).parents[1]),
        captions=lambda wildcards, input: str(ROOT / "docs" / "captions"),
        texts=content_of(
            [
                *(ROOT / "docs" / "captions").glob("*.rst"),
                *(ROOT / "workflow/scripts/intermodel/report").glob("page.*"),
            ]
        ),
        code=code_of("write_report.py"),
    message:
        "Writing the report"
    script:
        "../workflow/scripts/write_report.py"


rule report:
    input:
        PATHS.report,
