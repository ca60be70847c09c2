from snakemake.utils import min_version

min_version("9.20")

# A study given with --configfile replaces the demo as a whole; it is never merged with it.
if "models" not in config:

    configfile: "config/study.yaml"


include: "rules/common.smk"
include: "rules/data.smk"
include: "rules/training.smk"
include: "rules/features.smk"
include: "rules/concepts.smk"
include: "rules/similarity.smk"
include: "rules/unit_matching.smk"
include: "rules/clip_dissect.smk"
include: "rules/probe.smk"
include: "rules/quality.smk"
include: "rules/lce.smk"
include: "rules/report.smk"


apply_profile()


rule all:
    default_target: True
    input:
        rules.features.input,
        rules.concepts.input,
        rules.similarity.input,
        rules.unit_matching.input,
        CLIP_RESULTS,
        rules.probe.input,
        rules.quality.input,
        rules.lce.input,
        rules.report.input,


onstart:
    look_for_jobs_when_one_ends()


onsuccess:
    end_of_run()


onerror:
    end_of_run()
