import gc
import json
import os
import re
import sys
import time
from pathlib import Path

# Not workflow.basedir, which is another workflow's when this one is its module.
ROOT = Path(workflow.current_basedir.get_path_or_uri(secret_free=True)).parent
sys.path.insert(0, str(ROOT / "workflow" / "scripts"))

from intermodel.data.listing import listing_digests
from intermodel.engine.code_hash import code_of, content_of, remember
from intermodel.engine.device import gpus_wanted
from intermodel.engine.environment import expand
from intermodel.engine.errors import UserError
from intermodel.engine.plan import (
    extraction_jobs,
    features_on_disk,
    file_digest,
    frozen_plan,
    module_digest,
    text_digest,
)
from intermodel.engine.shards import shard_paths
from intermodel.engine.summary import summarise_run
from intermodel.engine.timings import read_jobs, write_jobs
from intermodel.study import load_study

BEGIN = time.monotonic()
# Planning makes millions of objects that stay; to search them for garbage all the time costs a tenth of it.
gc.set_threshold(100_000, 50, 100)
STATE = Path(".snakemake") / "intermodel"
remember(STATE / "code.json")

try:
    STUDY = load_study(
        config,
        files=workflow.configfiles,
        check_files=workflow.is_main_process,
        layer_cache=STATE / "layers" if workflow.is_main_process else None,
    )
    if workflow.modifier.modify_path(STUDY.paths.report) != STUDY.paths.report:
        raise UserError(
            "prefix: of the module intermodel is not supported, since the rules look for results on disk; remove it "
            "and give the study a `results` folder instead."
        )
except UserError as error:
    print(error, file=sys.stderr)
    sys.exit(1)

PATHS = STUDY.paths
MODELS = list(STUDY.models)
DATASETS = list(STUDY.datasets)


def feature_files(dataset, model):
    """Everything that one forward pass of a model over a data set is asked for."""
    layers = STUDY.layers(model)
    pooled = [PATHS.features(dataset, model, layer) for layer in layers]
    maps = [PATHS.maps(dataset, model, layer) for layer in STUDY.kept(model)]
    return pooled + (maps if dataset in STUDY.datasets_for("concepts") else [])


def look_at_disk():
    # A checkpoint whose sha256 the study tells is known by that.
    checkpoints = {
        name: file_digest(expand(model.weights.path), STATE / "files.json")
        for name, model in STUDY.models.items()
        if getattr(model.weights, "path", None) and not model.weights.sha256
    }
    modules = {
        name: module_digest(model.architecture, model.python_path)
        for name, model in STUDY.models.items()
    }
    # What a feature file is made from: one of another origin will be made anew.
    origins = {
        f"{dataset} {model}": text_digest(
            STUDY.dataset_spec(dataset),
            STUDY.model_spec(model),
            checkpoints.get(model, ""),
            modules[model],
            STUDY.compute.precision,
            code_of("extract_features.py"),
        )
        for dataset in DATASETS
        for model in MODELS
    }
    found = [
        features_on_disk(
            feature_files(dataset, model),
            STUDY.datasets[dataset].shards,
            origins[f"{dataset} {model}"],
        )
        for dataset in DATASETS
        for model in MODELS
    ]
    return {
        "present": [path for present, _ in found for path in present],
        "shards": {
            path: count for _, counts in found for path, count in counts.items()
        },
        "origins": origins,
        "listings": {
            dataset: listing_digests(expand(json.loads(STUDY.dataset_spec(dataset))))
            for dataset in DATASETS
        },
        "checkpoints": checkpoints,
        "modules": modules,
        "gpu": gpus_wanted(STUDY.compute.device),
    }


PLAN = frozen_plan(STATE, workflow.is_main_process, look_at_disk, PATHS.results)


def shards_of(path, dataset):
    """Number of shards that a feature file consists of, or will."""
    return PLAN["shards"].get(path, STUDY.datasets[dataset].shards)


def shards_to_join(wildcards):
    path = PATHS.features(**wildcards)
    return shard_paths(path, shards_of(path, wildcards.dataset))


def identifier(*parts):
    """A rule name from names that may hold dots and dashes."""
    return re.sub(r"\W", "_", "_".join(parts))


def size_of(paths):
    """Megabytes of those files that exist; asked again when the job is due."""
    return sum(os.path.getsize(path) for path in paths if os.path.exists(path)) / 2**20


def growing(megabytes, per_input_megabyte=0):
    """Memory in MB, more for larger inputs, doubled with every attempt."""

    def mem_mb(wildcards, input, attempt):
        wanted = megabytes + per_input_megabyte * size_of(input)
        return int(min(256_000, wanted * 2 ** (attempt - 1)))

    return mem_mb


def lasting(minutes, per_input_gigabyte=0):
    """Minutes that a job may take, more for larger inputs, and as many again with every attempt."""

    def runtime(wildcards, input, attempt):
        return int((minutes + per_input_gigabyte * size_of(input) / 2**10) * attempt)

    return runtime


def apply_profile():
    """Let `set-resources` of a profile name a step, such as extract_features, whose rules have generated names."""
    defaults = workflow.resource_settings.default_resources or {}
    for name in ("gpu", "gpu_model", "gres"):
        if name in defaults:
            print(
                f"default-resources: found {name}, which would give a GPU to every job; expected it under set-resources, "
                "at extract_features and train_model; see docs/cluster.md.",
                file=sys.stderr,
            )
            sys.exit(1)
    wanted = workflow.resource_settings.overwrite_resources
    for step in workflow.rules:
        if step.script and Path(step.basedir) == ROOT / "rules":
            step.resources.update(wanted.get(Path(step.script).stem, {}))
            step.resources.update(wanted.get(step.name, {}))
            if STUDY.compute.device == "cpu" and "gpu" in step.resources:
                step.resources.update({"gpu": 0, "gpu_model": ""})
            # A GPU waits for decoded images unless the threads that decode have cores of their own.
            if (
                Path(step.script).stem == "extract_features"
                and step.resources["gpu"].value
            ):
                step.resources.update({"_cores": 1 + STUDY.compute.workers})


def no_clip_configured(wildcards):
    """No file, and one sentence on what is missing: asked when the target is, and there is nothing to make."""
    if workflow.is_main_process:
        print(
            "clip_dissect: nothing is configured; set analyses.clip_dissect.weights to the checkpoint of a CLIP model "
            "and analyses.clip_dissect.words to a list of words (see docs/clip_dissect.md).",
            file=sys.stderr,
        )
    return []


def look_for_jobs_when_one_ends():
    """Leave out the engine's limit of 100 jobs a second, unless another was asked for.

    With a limit, each look for jobs to start orders a further one a second later, and each job that ends begins one more
    such chain: after a hundred jobs the engine looks a hundred times a second. No executor starts jobs that fast.
    """
    limiter = workflow.scheduler.job_rate_limiter
    if limiter is not None and (limiter.max_jobs, limiter.timespan) == (100, 1):
        workflow.scheduler.job_rate_limiter = None


def end_of_run():
    """Tell in one line what this run did, and write down what all jobs have cost so far."""
    if workflow.touch:
        return
    jobs = [job for job in workflow.dag.jobs if job.output]
    needed = {job for job in jobs if workflow.dag.needrun(job)}
    ran = needed.intersection(workflow.dag.finished_jobs)
    # On a cluster, what failed may be a group of jobs.
    failed = needed.intersection(
        job
        for failure in workflow.scheduler.failed
        for job in (failure.jobs if failure.is_group() else [failure])
    )
    line = summarise_run(
        [Path(job.rule.script).stem for job in ran],
        time.monotonic() - BEGIN,
        up_to_date=len(jobs) - len(needed),
        waiting=len(needed) - len(ran) - len(failed),
        failed=[job.log[0] for job in failed],
    )
    try:
        write_jobs(PATHS.timings, read_jobs(PATHS.results))
    except OSError as error:
        line += f" Timings could not be written: {error}."
    if len(ran) == len(needed) and os.path.exists(PATHS.report):
        line += f" Report: {PATHS.report}"
    print(line, file=sys.stderr)


wildcard_constraints:
    dataset="|".join(map(re.escape, DATASETS)),
    model="|".join(map(re.escape, MODELS)),
    model_a="|".join(map(re.escape, MODELS)),
    model_b="|".join(map(re.escape, MODELS)),
    layer="[^/]+",
