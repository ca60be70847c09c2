# What would a CLIP model call each unit, and which models' units mean the same to it? The user supplies the CLIP model.
NAMED_LAYER = {
    model: STUDY.analyses.clip_dissect.layers.get(model, STUDY.layers(model)[-1])
    for model in MODELS
}
CLIP_LAYERS = [
    PATHS.clip_dissection(model=model, layer=layer)
    for model, layer in NAMED_LAYER.items()
]
CLIP = STUDY.analyses.clip_dissect
# A checkpoint whose sha256 the study tells is known by that and not by its date; a list of words needs no file.
CLIP_WEIGHTS = [expand(CLIP.weights)] if CLIP.weights else []
CLIP_WEIGHTS = ancient(CLIP_WEIGHTS) if CLIP.sha256 else CLIP_WEIGHTS
CLIP_WORDS = [expand(CLIP.words)] if isinstance(CLIP.words, str) else []
CLIP_TABLES = ["units", "words", "summary", "pairs", "findings", "warnings"]
CLIP_FIGURES = ["models", "words", "clarity"]
# Models whose galleries are drawn.
CLIP_SHOWN = MODELS if CLIP.gallery_units else []
CLIP_RESULTS = [
    path
    for dataset in STUDY.datasets_for("clip_dissect")
    for path in [
        *(PATHS.table("clip_dissect", name, dataset) for name in CLIP_TABLES),
        *(PATHS.figure("clip_dissect", name, dataset) for name in CLIP_FIGURES),
        *(
            PATHS.figure("clip_dissect", f"gallery-{model}", dataset)
            for model in CLIP_SHOWN
        ),
    ]
]


rule embed_images:
    input:
        weights=CLIP_WEIGHTS,
        manifest=PATHS.manifest(),
        images=lambda wildcards: (
            [PATHS.images(wildcards.dataset)]
            if STUDY.datasets[wildcards.dataset].source == "scenes"
            else []
        ),
    output:
        PATHS.clip_images(),
    log:
        PATHS.log("embed_images", "{dataset}"),
    benchmark:
        PATHS.benchmark("embed_images", "{dataset}")
    conda:
        "../envs/clip_dissect.yaml"
    threads: 1
    resources:
        gpu=PLAN["gpu"],
        mem_mb=growing(4000, 2),
        runtime=lasting(240),
    params:
        # A function, since a text with ${NAME} in it would be searched for wildcards.
        clip=lambda wildcards: STUDY.settings(
            "clip_dissect", "model", "weights", "sha256"
        ),
        dataset=lambda wildcards: STUDY.dataset_spec(wildcards.dataset),
        # Derived values are not compared.
        compute=lambda wildcards, threads: STUDY.compute.model_dump(),
        code=code_of("embed_images.py"),
    message:
        "Embedding the images of {wildcards.dataset} with CLIP"
    script:
        "../workflow/scripts/embed_images.py"


rule embed_words:
    input:
        weights=CLIP_WEIGHTS,
        words=CLIP_WORDS,
    output:
        PATHS.clip_words(),
    log:
        PATHS.log("embed_words"),
    benchmark:
        PATHS.benchmark("embed_words")
    conda:
        "../envs/clip_dissect.yaml"
    threads: 1
    resources:
        mem_mb=growing(4000, 2),
        runtime=lasting(60),
    params:
        clip=lambda wildcards: STUDY.settings(
            "clip_dissect", "model", "weights", "sha256"
        ),
        words=lambda wildcards: STUDY.settings("clip_dissect", "words"),
        code=code_of("embed_words.py"),
    message:
        "Embedding the words with CLIP"
    script:
        "../workflow/scripts/embed_words.py"


rule dissect_with_clip:
    input:
        features=PATHS.features(),
        images=PATHS.clip_images(),
        words=PATHS.clip_words(),
    output:
        PATHS.clip_dissection(),
    log:
        PATHS.log("dissect_with_clip", "{dataset}", "{model}", "{layer}"),
    benchmark:
        PATHS.benchmark("dissect_with_clip", "{dataset}", "{model}", "{layer}")
    conda:
        "../envs/clip_dissect.yaml"
    threads: 1
    resources:
        mem_mb=growing(4000, 20),
        runtime=lasting(60, 60),
    params:
        settings=STUDY.settings(
            "clip_dissect",
            *("score", "top_images", "exemplars", "bootstrap", "permutations", "seed"),
        ),
        code=code_of("dissect_with_clip.py"),
    message:
        "Naming the units of {wildcards.model} {wildcards.layer} on {wildcards.dataset}"
    script:
        "../workflow/scripts/dissect_with_clip.py"


rule summarise_dissections:
    input:
        layers=CLIP_LAYERS,
        words=PATHS.clip_words(),
    output:
        **{name: PATHS.table("clip_dissect", name) for name in CLIP_TABLES},
    log:
        PATHS.log("summarise_dissections", "{dataset}"),
    benchmark:
        PATHS.benchmark("summarise_dissections", "{dataset}")
    conda:
        "../envs/clip_dissect.yaml"
    threads: 1
    resources:
        mem_mb=growing(2000, 4),
        runtime=lasting(30),
    params:
        models=lambda wildcards: STUDY.titles(),
        layers=NAMED_LAYER,
        code=code_of("summarise_dissections.py"),
    message:
        "Listing what the units of all models mean on {wildcards.dataset}"
    script:
        "../workflow/scripts/summarise_dissections.py"


rule plot_dissections:
    input:
        **{
            name: PATHS.table("clip_dissect", name)
            for name in ["units", "words", "summary", "pairs"]
        },
        layers=[
            PATHS.clip_dissection(model=model, layer=NAMED_LAYER[model])
            for model in CLIP_SHOWN
        ],
        embedded=PATHS.clip_images(),
        # What labels say of the same units, where there are labels.
        concepts=lambda wildcards: (
            [PATHS.table("concepts", "units", wildcards.dataset)]
            if CLIP_SHOWN and wildcards.dataset in STUDY.datasets_for("concepts")
            else []
        ),
        manifest=PATHS.manifest(),
        images=lambda wildcards: (
            [PATHS.images(wildcards.dataset)]
            if STUDY.datasets[wildcards.dataset].source == "scenes"
            else []
        ),
    output:
        **{
            name: report(
                PATHS.figure("clip_dissect", name),
                caption=f"../docs/captions/clip_dissect_{name}.rst",
                category="Units through CLIP",
                subcategory="{dataset}",
                labels={"figure": name},
            )
            for name in CLIP_FIGURES
        },
        galleries=[
            report(
                PATHS.figure("clip_dissect", f"gallery-{model}"),
                caption="../docs/captions/clip_dissect_gallery.rst",
                category="Units through CLIP",
                subcategory="{dataset}",
                labels={"figure": f"units of {model}"},
            )
            for model in CLIP_SHOWN
        ],
        # The same for the page.
        rasters=[
            PATHS.figure("clip_dissect", f"gallery-{model}", suffix="webp")
            for model in CLIP_SHOWN
        ],
    log:
        PATHS.log("plot_dissections", "{dataset}"),
    benchmark:
        PATHS.benchmark("plot_dissections", "{dataset}")
    conda:
        "../envs/clip_dissect.yaml"
    threads: 1
    resources:
        mem_mb=growing(1500, 4),
        runtime=lasting(30),
    params:
        models=lambda wildcards: STUDY.titles(),
        layers=NAMED_LAYER,
        gallery_units=CLIP.gallery_units,
        dataset=lambda wildcards: STUDY.dataset_spec(wildcards.dataset),
        code=code_of("plot_dissections.py"),
    message:
        "Drawing what the units of all models mean on {wildcards.dataset}"
    script:
        "../workflow/scripts/plot_dissections.py"


rule clip_dissect:
    input:
        CLIP_RESULTS or no_clip_configured,
