# What each data set holds is looked at once; scenes are painted by the same job. Every later job reads the manifest.
for dataset in DATASETS:
    generated = STUDY.datasets[dataset].source == "scenes"

    rule:
        name:
            identifier("make_manifest", dataset)
        output:
            manifest=PATHS.manifest(dataset),
            images=[PATHS.images(dataset)] if generated else [],
        log:
            PATHS.log("make_manifest", dataset),
        benchmark:
            PATHS.benchmark("make_manifest", dataset)
        conda:
            (
                "../envs/data_torchvision.yaml"
                if STUDY.datasets[dataset].source == "torchvision"
                else "../envs/data.yaml"
            )
        threads: 1 if generated else 4
        resources:
            mem_mb=growing(1000),
            runtime=lasting(120),
        params:
            # A function, since a text with ${NAME} would be taken for one with wildcards.
            spec=lambda wildcards, spec=STUDY.dataset_spec(dataset): spec,
            listing=PLAN["listings"][dataset]["images"],
            code=code_of("make_manifest.py"),
        message:
            f"Reading the images of {dataset}"
        script:
            "../workflow/scripts/make_manifest.py"


for dataset in filter(STUDY.has_masks, DATASETS):
    generated = STUDY.datasets[dataset].source == "scenes"

    rule:
        name:
            identifier("decode_label_maps", dataset)
        input:
            manifest=PATHS.manifest(dataset),
            images=[PATHS.images(dataset)] if generated else [],
        output:
            PATHS.segmentation(dataset),
        log:
            PATHS.log("decode_label_maps", dataset),
        benchmark:
            PATHS.benchmark("decode_label_maps", dataset)
        conda:
            "../envs/data.yaml"
        threads: 1 if generated else 4
        resources:
            mem_mb=growing(1000),
            runtime=lasting(120),
        params:
            # A function, since a text with ${NAME} would be taken for one with wildcards.
            spec=lambda wildcards, spec=STUDY.dataset_spec(dataset): spec,
            listing=PLAN["listings"][dataset]["everything"],
            size=f"size={STUDY.segmentation_size(dataset)}",
            code=code_of("decode_label_maps.py"),
        message:
            f"Decoding the label maps of {dataset}"
        script:
            "../workflow/scripts/decode_label_maps.py"


rule data:
    input:
        [PATHS.manifest(dataset) for dataset in DATASETS],
        [
            PATHS.segmentation(dataset)
            for dataset in DATASETS
            if STUDY.has_masks(dataset)
        ],
