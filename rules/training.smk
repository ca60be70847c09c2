# Models whose weights the study makes itself. The thread count is fixed: the sums of a training depend on it.
TRAINED = {
    model: keys.weights.dataset
    for model, keys in STUDY.models.items()
    if keys.weights.source == "train"
}

for model, dataset in TRAINED.items():

    rule:
        name:
            identifier("train_model", model)
        input:
            manifest=PATHS.manifest(dataset),
            images=(
                [PATHS.images(dataset)]
                if STUDY.datasets[dataset].source == "scenes"
                else []
            ),
        output:
            weights=PATHS.weights(model),
            history=PATHS.history(model),
        log:
            PATHS.log("train_model", model),
        benchmark:
            PATHS.benchmark("train_model", model)
        conda:
            "../envs/training.yaml"
        threads: 1
        resources:
            gpu=PLAN["gpu"],
            mem_mb=growing(4000),
            runtime=lasting(720),
        params:
            module=PLAN["modules"][model],
            recipe=lambda wildcards, recipe=STUDY.recipe(model): recipe,
            dataset=lambda wildcards, spec=STUDY.dataset_spec(dataset): spec,
            code=code_of("train_model.py"),
            # Derived values are not compared.
            compute=lambda wildcards, threads: STUDY.compute.model_dump(),
        message:
            f"Training {model} on {dataset}"
        script:
            "../workflow/scripts/train_model.py"


rule training:
    input:
        [PATHS.weights(model) for model in TRAINED],
