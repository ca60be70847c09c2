"""Keys of the analyses of a study."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Field, model_validator

from intermodel.study.keys import Fraction, Keys, Names, Positive, Sha256

GalleryUnits = Annotated[int, Field(ge=0, le=64, description="Units shown per model in the gallery; 0: none.")]


class Concepts(Keys):
    """Network Dissection: which labelled concept does each unit detect?"""

    datasets: Names = Field("auto", description="Data sets to use; auto: all with masks; []: none.")
    tail: Annotated[float, Field(gt=0.0, lt=0.5)] = Field(
        0.005, description="Share of a unit's activations above its threshold."
    )
    thresholds: Literal["exact", "hazen"] = Field(
        "exact", description="The order statistic, or the interpolated quantile of other programs, for comparison."
    )
    masks: Literal["quantile", "argmax"] = Field(
        "quantile", description="Unit masks from each unit's own threshold, or from the largest unit at each pixel."
    )
    detection: Literal["threshold", "fdr"] = Field(
        "threshold",
        description="A unit is a detector when its best IoU exceeds iou_threshold, or (fdr) the IoU above which wrong "
        "pairings promise at most a share of fdr false discoveries, layer by layer.",
    )
    iou_threshold: Fraction = Field(0.04, description="The IoU of detection: threshold.")
    fdr: Fraction = Field(0.05, description="The share of false discoveries of detection: fdr.")
    denominator: Literal["category", "all"] = Field(
        "category", description="Count a unit's area on images with the label's category, or on all images."
    )
    folds: Annotated[int, Field(ge=2, le=64)] = Field(16, description="Folds of images for intervals.")
    top_images: Annotated[int, Field(ge=1, le=64)] = Field(8, description="Images kept per unit for the galleries.")
    shuffles: Annotated[int, Field(ge=0, le=8)] = Field(
        1, description="Control tallies with images and label maps paired wrongly; 0: no control."
    )
    rotations: Annotated[int, Field(ge=0, le=8)] = Field(
        0,
        description="Random rotations of every layer that are dissected for comparison (masks: quantile), three or "
        "more for intervals; 0: none.",
    )
    composition_length: Annotated[int, Field(ge=1, le=3)] = Field(
        3, description="Labels at most in the formulas that explain units of the last layers; 1: no formulas."
    )
    composition_beam: Annotated[int, Field(ge=1, le=100)] = Field(
        5, description="Formulas kept after every round of their search."
    )
    gallery_units: GalleryUnits = 12


Measure = Literal[
    "svcca",
    "svcca_r2",
    "pwcca",
    "cka",
    "cka_unbiased",
    "procrustes_angle",
    "regression",
    "mutual_knn",
    "cca",
    "cca_r2",
]


class Similarity(Keys):
    """SVCCA and its peers: how much do two representations share?"""

    datasets: Names = Field("auto", description="Data sets to use; auto: all; []: none.")
    measures: list[Measure] = Field(
        [
            "svcca",
            "svcca_r2",
            "pwcca",
            "cka",
            "cka_unbiased",
            "procrustes_angle",
            "regression",
            "mutual_knn",
        ],
        min_length=1,
        description="Measures for every pair of layers. cca and cca_r2 use all directions and saturate with few "
        "images; pwcca and cca cost a full SVD per pair (leave them out beyond some 1000 units).",
    )
    variance: list[Annotated[float, Field(gt=0.0, le=1.0)]] = Field(
        [0.99], min_length=1, description="Shares of variance that SVCCA keeps; the first is svcca, others svcca@…"
    )
    neighbours: Positive = Field(10, description="Neighbours per image of mutual k-NN (cosine).")
    images: Annotated[int, Field(ge=10)] | None = Field(
        None, description="At most this many images, chosen by a hash of their ids; default: all."
    )
    basis_dtype: Literal["float64", "float32"] = Field(
        "float64", description="Precision of stored bases; float32 halves the disk, changes values by some 1e-7."
    )
    permutations: Annotated[int, Field(ge=0)] = Field(
        0, description="Row permutations per pair for p-values; exact null means are always given."
    )
    alpha: Fraction = Field(0.05, description="Level of the permutation threshold.")
    subsamples: Annotated[int, Field(ge=0)] = Field(
        40, description="Random halves of the images behind the intervals of the last layers; 0: none, else >= 10."
    )
    interval_measures: list[Measure] = Field(
        ["svcca", "svcca_r2", "cka_unbiased", "mutual_knn"],
        description="Measures that get intervals; default: those of these four that are among the measures.",
    )

    @model_validator(mode="before")
    @classmethod
    def _default_intervals(cls, values: Any) -> Any:
        """Whoever chooses fewer measures does not have to repeat the choice for the intervals."""
        if isinstance(values, dict) and isinstance(values.get("measures"), list) and "interval_measures" not in values:
            default = cls.model_fields["interval_measures"].default
            return values | {"interval_measures": [name for name in default if name in values["measures"]]}
        return values


class UnitMatching(Keys):
    """Unit matching: which units of two models respond alike, without any label?"""

    datasets: Names = Field(
        "auto", description="Data sets to use; auto: with over: maps those of concepts, else all; []: none."
    )
    layers: dict[str, str] = Field({}, description="Layer of a model that is matched; default: the last of its layers.")
    over: Literal["maps", "pooled"] = Field(
        "maps",
        description="Correlate activations over images and positions (of data sets whose maps are kept), or pooled "
        "features over images alone.",
    )
    images: Annotated[int, Field(ge=10)] | None = Field(
        None, description="At most this many images, chosen by a hash of their ids; default: all."
    )
    folds: Annotated[int, Field(ge=2, le=64)] = Field(16, description="Folds of images for intervals.")
    shuffles: Annotated[int, Field(ge=1)] = Field(1, description="Wrong pairings of the images, the null of a match.")
    group_models: Annotated[int, Field(ge=2)] = Field(3, description="Models that a group of shared units must span.")
    gallery_groups: Annotated[int, Field(ge=0, le=64)] = Field(8, description="Groups in the gallery (over: maps).")


class ClipDissect(Keys):
    """CLIP-Dissect and unit meanings in CLIP's space: names of units without labelled data."""

    weights: str | None = Field(
        None, description="Checkpoint of a CLIP model (safetensors, or tensors that torch.save wrote); null: left out."
    )
    sha256: Sha256 | None = Field(None, description="Digest that the checkpoint must have.")
    model: str = Field("ViT-B-16", description="The model's name in open-clip, or a JSON file of its configuration.")
    words: str | list[str] | None = Field(
        None, description="Words to name units by: a text file with one in each line, or a list."
    )
    datasets: Names = Field("auto", description="Data sets to use; auto: all, once weights are given; []: none.")
    layers: dict[str, str] = Field({}, description="Layer of a model that is named; default: the last of its layers.")
    score: Literal["soft_wpmi", "wpmi", "cubed_cosine", "cosine", "rank_reorder"] = Field(
        "soft_wpmi",
        description="How well a word fits a unit; the first two compare the units of all models, the last is a slow "
        "baseline.",
    )
    top_images: Positive | None = Field(
        None, description="Strongest images that count; default: 100 for soft_wpmi, 28 for wpmi."
    )
    exemplars: Annotated[int, Field(ge=2)] = Field(
        30, description="Strongest images whose mean embedding stands for a unit."
    )
    bootstrap: Annotated[int, Field(ge=0, le=1000)] = Field(
        100, description="Draws of the images that tell how stable names are; 0: none."
    )
    permutations: Annotated[int, Field(ge=0, le=10000)] = Field(
        200, description="Units with shuffled images, in each layer, that names must surpass; 0: none."
    )
    gallery_units: GalleryUnits = 12


class Probe(Keys):
    """Linear probes: how well can the classes be read off?"""

    datasets: Names = Field("auto", description="Data sets to use; auto: all with labels; []: none.")
    penalties: list[Annotated[float, Field(gt=0.0)]] = Field(
        [0.0001, 0.001, 0.01, 0.1, 1.0],
        min_length=1,
        max_length=20,
        description="Inverse strengths of the L2 penalty to choose from (scikit-learn's C), rising.",
    )
    validation_fraction: Fraction = Field(0.2, description="Part of the training images on which C is chosen.")
    test_fraction: Fraction = Field(
        0.3, description="Part held out where a data set has no split of its own, stratified by class, by image id."
    )
    max_train_images: Annotated[int, Field(ge=100)] = Field(
        100000, description="Training images at most, the same share of every class."
    )
    max_iterations: Positive = Field(300, description="L-BFGS iterations per penalty.")
    tolerance: Annotated[float, Field(gt=0.0)] = Field(0.00001, description="L-BFGS stops at this largest gradient.")
    neighbours: Positive = Field(20, description="k of the k-NN probe.")
    temperature: Annotated[float, Field(gt=0.0)] = Field(
        0.07, description="A neighbour's vote weighs exp(cosine / temperature)."
    )


class Quality(Keys):
    """Q-Score and its baselines: which images are represented badly?"""

    datasets: Names = Field("auto", description="Data sets to use; auto: all with labels; []: none.")
    eps: Literal["auto"] | Annotated[float, Field(gt=0.0)] = Field(
        "auto",
        description="Standard deviations above an image's mean at which a unit is highly active; auto: the largest of "
        "eps_ladder that reaches eps_coverage.",
    )
    eps_ladder: list[Annotated[float, Field(gt=0.0)]] = Field(
        [4.0, 3.5, 3.0, 2.5, 2.0], min_length=1, description="Values that auto tries, falling from the paper's 4."
    )
    eps_coverage: Annotated[float, Field(gt=0.0, le=1.0)] = Field(
        0.95, description="Share of training images that must have a highly active discriminative unit."
    )
    percentiles: list[float] = Field(
        [50.0, 95.0], description="Band of activation rates that makes a unit discriminative."
    )
    nonzero_only: bool = Field(False, description="Take the percentiles over units that fire at all.")
    random_masks: Annotated[int, Field(ge=2)] = Field(20, description="Masks of the random-mask null.")
    bootstrap: Annotated[int, Field(ge=100)] = Field(1000, description="Draws of the bootstrap intervals.")
    neighbours: Positive = Field(10, description="k of the k-NN distance score.")
    consistency_neighbours: Positive = Field(50, description="k of the neighbourhood consistency between models.")
    components: Annotated[int, Field(ge=0)] = Field(
        20, description="Gaussians of the log-density score; 0: leave it out."
    )
    reference_images: Annotated[int, Field(ge=100)] = Field(
        10000, description="Training images at most that serve as reference of the k-NN and density scores."
    )


class Lce(Keys):
    """Learned Concepts Embedding: models as points."""

    datasets: Names = Field("auto", description="Data sets to use; auto: those of concepts; []: none.")
    layers: dict[str, str] = Field({}, description="Layer of a model that enters; default: the last of its layers.")
    variant: Literal["count", "fraction", "share", "hellinger", "binary", "soft", "soft_auroc"] = Field(
        "count",
        description="What a model's vector holds per concept: detectors; per unit; per detector; the root of that; "
        "whether any; the best IoU; the best AUROC. Use fraction, share or hellinger when layers differ in width.",
    )
    scale: Literal["none", "sqrt", "log1p", "unit"] = Field("none", description="Transformation before distances.")
    projection: Literal["pca", "mds"] = Field("pca", description="How the map is drawn.")
    distance: Literal["euclidean", "cosine", "jaccard", "hellinger"] = Field(
        "euclidean", description="Distance of the heat map, the clusters and mds (tables hold all four)."
    )
    linkage: Literal["average", "ward"] = Field("average", description="How clusters are joined (ward: euclidean).")
    clusters: Positive | Literal["auto"] = Field(
        "auto",
        description="Number of clusters, at most the number of models; auto: the largest silhouette among the numbers "
        "that are stable when images are drawn again.",
    )
    bootstrap: Annotated[int, Field(ge=100)] = Field(400, description="Bootstrap draws over folds of images.")
    splits: Annotated[int, Field(ge=20)] = Field(200, description="Random halvings of the folds for the noise floor.")
    level: Fraction = Field(0.95, description="Coverage of intervals and ellipses; 1 - level is the tests' level.")
    performance: str | None = Field(
        None, description="CSV of downstream results (model, task, dataset, metric, value; see docs/lce.md)."
    )
    probes: bool = Field(True, description="Add the study's own probe accuracies to the downstream results.")
    predictor: Literal["unique", "detectors", "iou"] = Field(
        "unique", description="What is crossed with results, per category: unique concepts, detectors, mean best IoU."
    )
    summary: bool = Field(True, description="Average the transformed results over the data sets of a task.")
    covariate: str | None = Field(None, description="A result to hold constant, as task/dataset/metric.")
    permutations: Annotated[int, Field(ge=100)] = Field(10000, description="Draws of the max-|r| permutation test.")


class Analyses(Keys):
    """What to compute, each on the data sets that serve it."""

    concepts: Concepts = Field(Concepts(), description="Concept matching.")
    similarity: Similarity = Field(Similarity(), description="Representational similarity.")
    unit_matching: UnitMatching = Field(UnitMatching(), description="Units that respond alike.")
    clip_dissect: ClipDissect = Field(ClipDissect(), description="Units named by a CLIP model that you supply.")
    probe: Probe = Field(Probe(), description="Linear probes.")
    quality: Quality = Field(Quality(), description="Quality of each representation.")
    lce: Lce = Field(Lce(), description="Learned Concepts Embedding.")
