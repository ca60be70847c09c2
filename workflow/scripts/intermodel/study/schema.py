"""The keys of a study, typed and documented; unknown keys are errors.

The descriptions below are the reference that `config/README.md` and `config/schema.json` are generated from.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

Fraction = Annotated[float, Field(gt=0.0, lt=1.0)]
Positive = Annotated[int, Field(ge=1)]
Share = Annotated[float, Field(ge=0.0, le=1.0)]
BelowOne = Annotated[float, Field(ge=0.0, lt=1.0)]
Sha256 = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
Names = Literal["auto"] | list[str]


class Keys(BaseModel):
    """Base of all parts: no unknown keys, no silent conversion of types, no change after validation."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True, protected_namespaces=())


# --------------------------------------------------------------------------------------------------- data sets


class DatasetKeys(Keys):
    """Keys that every data set takes."""

    title: str | None = Field(None, description="Name shown in figures; default: the key.")
    limit: Positive | None = Field(
        None, description="At most this many images, the same ones every time, spread over splits and classes."
    )
    segmentation_size: Positive | list[Positive] | None = Field(
        None, description="Common side, or height and width, of the label maps; default: their own if they have one."
    )


class Scenes(DatasetKeys):
    """Procedural scenes with dense concept masks in six categories and image-level classes."""

    source: Literal["scenes"]
    train: Annotated[int, Field(ge=0)] = Field(2048, description="Number of training images.")
    test: Annotated[int, Field(ge=0)] = Field(1000, description="Number of test images.")
    size: Annotated[int, Field(ge=16, le=1024, multiple_of=2)] = Field(
        64, description="Side of the square images in pixels, even."
    )
    seed: Annotated[int, Field(ge=0)] = Field(0, description="Image k of a split depends on the seed and k alone.")
    shift: Literal["none", "lighting", "palette", "background", "corruption"] = Field(
        "none", description="Show the same scenes under another distribution."
    )
    shift_strength: Annotated[float, Field(gt=0.0, le=1.0)] = Field(1.0, description="How far the shift goes.")


class Folder(DatasetKeys):
    """Photographs in a folder: one subfolder per class, or a flat folder without labels."""

    source: Literal["folder"]
    path: str = Field(description="The folder.")
    layout: Literal["auto", "flat", "classes", "splits"] = Field(
        "auto", description="flat: no labels; classes: <class>/…; splits: train|test/<class>/…; auto: what is found."
    )
    classes: list[str] | None = Field(None, description="Choice and order of the class folders; default: all, by name.")


class Segmentation(DatasetKeys):
    """Photographs and one label map (PNG) per photograph, matched by file stem."""

    source: Literal["segmentation"]
    path: str = Field(description="The folder.")
    images: str = Field("images", description="Subfolder of the photographs, also below <path>/<train|val|test>/.")
    masks: str = Field("labels", description="Subfolder of the label maps, in the same place.")
    classes: str = Field("classes.json", description="Class table below the path, JSON or CSV; see docs/data.md.")
    category: str = Field("object", description="Category of classes for which the table names none.")
    void: int | list[int] | None = Field(None, description="Values left out of all counts; default: the table's own.")
    unlabelled: int | list[int] | None = Field(None, description="Values that mean: no label.")


class Arrays(DatasetKeys):
    """Images in an .npz or HDF5 file."""

    source: Literal["arrays"]
    path: str = Field(description="The file.")
    images: str | dict[str, str] | None = Field(
        None, description="Array of the images, or {train: …, test: …}; default: images, or x_train and x_test."
    )
    labels: str | dict[str, str] | None = Field(
        None, description="Array of the class indices; default: labels, or y_train and y_test, if present."
    )
    masks: str | dict[str, str] | None = Field(None, description="Array of the label maps, 0 = unlabelled.")
    classes: str | list[str] | None = Field(None, description="Names of the classes, or the array that holds them.")
    concepts: str | None = Field(None, description="Class table of the label maps (JSON or CSV); needed with masks.")
    void: int | list[int] | None = Field(None, description="Label map values left out of all counts.")


class Torchvision(DatasetKeys):
    """A torchvision data set that is already on disk; nothing is downloaded."""

    source: Literal["torchvision"]
    path: str = Field(description="Folder that torchvision calls root.")
    name: str = Field(description="Class name in torchvision.datasets, e.g. CIFAR10.")
    options: dict[str, Any] = Field({}, description="Further arguments of the class.")


class Broden(DatasetKeys):
    """The folder format of the Broadly and Densely Labelled Dataset."""

    source: Literal["broden"]
    path: str = Field(description="The folder with index.csv.")
    categories: list[str] | None = Field(None, description="Categories to use; default: all.")


Dataset = Annotated[
    Scenes | Folder | Segmentation | Arrays | Torchvision | Broden,
    Field(discriminator="source"),
]

# ------------------------------------------------------------------------------------------------------ models


class RandomWeights(Keys):
    """Untrained weights, for controls."""

    source: Literal["random"]
    seed: int = Field(0, description="Seed of the initialisation.")


class PretrainedWeights(Keys):
    """Weights that timm knows, from the hub or from a local cache."""

    source: Literal["pretrained"]
    tag: str | None = Field(None, description="Tag of the weights, e.g. a1_in1k; default: timm's default.")
    cache: str | None = Field(None, description="Folder of downloaded weights; default: the hub's cache.")


CheckpointFormat = Literal[
    "insdis",
    "moco-v1",
    "pcl-v1",
    "pirl",
    "pcl-v2",
    "simclr-v1",
    "moco-v2",
    "simclr-v2",
    "sela-v2",
    "infomin",
    "byol",
    "deepcluster-v2",
    "swav",
    "supervised",
]


class CheckpointWeights(Keys):
    """Weights in a file of the user's, safetensors or a PyTorch checkpoint without code."""

    source: Literal["checkpoint"]
    path: str | None = Field(None, description="The file; give either path or url.")
    url: str | None = Field(None, description="Where to download the file; needs sha256.")
    sha256: Sha256 | None = Field(None, description="Digest of the file, 64 hexadecimal digits.")
    cache: str | None = Field(None, description="Folder of downloaded files; default: ~/.cache/intermodel.")
    format: CheckpointFormat | None = Field(
        None, description="A named key layout, e.g. moco-v2; it sets unwrap, prefix, drop and rename (docs/models.md)."
    )
    unwrap: list[str] | None = Field(
        None, description="Keys to go into one after the other; default: the usual ones, while there are no tensors."
    )
    prefix: str = Field("", description="Prefix to remove from the start of the keys.")
    drop: list[str] = Field(
        [], description="Keys to leave out (shell patterns), before or after the prefix is removed."
    )
    rename: dict[str, str] = Field({}, description="Regular expressions at the start of a key, and replacements.")
    strict: bool = Field(True, description="Whether missing or unexpected keys are an error.")


class CallableWeights(Keys):
    """Weights that the function of an architecture of the user's own puts in itself."""

    source: Literal["callable"]


class Augmentation(Keys):
    """Random changes of the training images; keys left out take the objective's default (see docs/training.md)."""

    crop_area: list[float] | None = Field(None, description="Least and largest share of the area that a crop keeps.")
    crop_ratio: list[float] | None = Field(None, description="Least and largest width / height of a crop.")
    flip: Share | None = Field(None, description="Probability of a horizontal flip.")
    jitter: Share | None = Field(None, description="Probability of the four colour changes that follow.")
    brightness: BelowOne | None = Field(None, description="Largest relative change of brightness.")
    contrast: BelowOne | None = Field(None, description="Largest relative change of contrast.")
    saturation: BelowOne | None = Field(None, description="Largest relative change of saturation.")
    hue: Annotated[float, Field(ge=0.0, le=0.5)] | None = Field(None, description="Largest turn of hue, in circles.")
    greyscale: Share | None = Field(None, description="Probability of losing all colour.")
    blur: Share | None = Field(None, description="Probability of a Gaussian blur.")
    blur_sigma: list[float] | None = Field(None, description="Its least and largest standard deviation in pixels.")


class TrainedWeights(Keys):
    """Weights that the study trains itself."""

    source: Literal["train"]
    objective: Literal["supervised", "simclr", "barlow_twins", "byol"] = Field(description="What is optimised.")
    dataset: str = Field(description="Data set whose training images are used (all where it has no split).")
    steps: Positive = Field(500, description="Optimiser steps.")
    batch_size: Annotated[int, Field(ge=2)] = Field(64, description="Images per step.")
    optimizer: Literal["adamw", "sgd"] = Field("adamw", description="Optimiser (sgd: with Nesterov momentum 0.9).")
    learning_rate: Annotated[float, Field(gt=0.0)] | None = Field(
        None, description="Peak learning rate; default: 0.003 with adamw, 0.05 with sgd."
    )
    weight_decay: Annotated[float, Field(ge=0.0)] = Field(
        0.0001, description="Weight decay, not applied to biases and normalisation."
    )
    warmup: Annotated[float, Field(ge=0.0, lt=1.0)] = Field(
        0.1, description="Share of the steps in which the learning rate rises; a cosine to 0 follows."
    )
    projection: list[Positive] | None = Field(
        None, description="Hidden and output width of the projection head; default: the objective's own."
    )
    temperature: Annotated[float, Field(gt=0.0)] = Field(0.2, description="SimCLR's temperature.")
    redundancy_weight: Annotated[float, Field(gt=0.0)] = Field(
        0.005, description="Barlow Twins' weight of the off-diagonal terms."
    )
    momentum: Annotated[float, Field(ge=0.0, lt=1.0)] = Field(
        0.99, description="BYOL's momentum of the target network at the first step; it rises to 1 along a cosine."
    )
    label_smoothing: Annotated[float, Field(ge=0.0, lt=1.0)] = Field(
        0.0, description="Supervised: share of the target spread over all classes."
    )
    augmentation: Augmentation = Field(Augmentation(), description="Random changes of the images.")
    dtype: Literal["float32", "float16"] = Field("float32", description="Type in which matrices are saved.")
    seed: int | None = Field(None, description="Seed of initialisation, batches, augmentations; default: the study's.")


Weights = Annotated[
    RandomWeights | PretrainedWeights | CheckpointWeights | CallableWeights | TrainedWeights,
    Field(discriminator="source"),
]


class Preprocessing(Keys):
    """From an image file to the tensor that enters the network."""

    size: Positive | list[Positive] = Field(description="Side, or height and width, of the network's input in pixels.")
    resize: Literal["shorter", "squash", "none"] = Field(
        "shorter", description="Resize the shorter side, or both sides whatever the aspect ratio, or not at all."
    )
    resize_size: Positive | None = Field(None, description="Length to resize to; default: size / crop_fraction.")
    crop_fraction: Annotated[float, Field(gt=0.0, le=1.0)] = Field(
        1.0, description="Share of the resized image's side that the centre crop keeps."
    )
    crop: Literal["center", "none"] = Field("center", description="Cut the centre, or nothing.")
    interpolation: Literal["bicubic", "bilinear", "nearest"] = Field("bicubic", description="Filter of the resize.")
    mean: list[float] | None = Field(None, description="Mean per channel to subtract (scale 0..1); null: none.")
    std: list[float] | None = Field(None, description="Standard deviation per channel to divide by; null: none.")
    channel_order: Literal["rgb", "bgr"] = Field("rgb", description="Order in which the network takes the channels.")


class Tokens(Keys):
    """How the tokens of a transformer are laid out."""

    prefix: Annotated[int, Field(ge=0)] | Literal["auto"] = Field(
        "auto", description="Number of class and register tokens before the grid."
    )
    grid: list[Positive] | Literal["auto"] = Field("auto", description="Rows and columns of the patch grid.")
    pool: Literal["mean", "class"] = Field("mean", description="What the pooled feature is: grid mean or class token.")


class Model(Keys):
    """A network, its weights, and the layers to look at."""

    architecture: str = Field(
        description="A timm name, or module:function for a network of your own that returns a torch module."
    )
    python_path: str | None = Field(None, description="Folder of the module of an architecture of your own.")
    kwargs: dict[str, Any] = Field({}, description="Arguments of the architecture.")
    weights: Weights = Field(RandomWeights(source="random"), description="Where the weights come from.")
    layers: list[str] = Field(
        min_length=1,
        description="Layers, shallow to deep, named as named_modules() names them; `make layers` lists them.",
    )
    preprocessing: Preprocessing | None = Field(None, description="Default: what timm records for the weights.")
    tokens: Tokens = Field(Tokens(), description="Token layout of transformers.")
    layout: Literal["auto", "channels_first", "channels_last"] = Field(
        "auto", description="Order of the axes of four-dimensional outputs."
    )
    family: str | None = Field(None, description="Group for colours and statements, e.g. self-supervised.")
    control: bool = Field(False, description="Whether this is an untrained control that others are compared with.")
    title: str | None = Field(None, description="Name shown in figures; default: the key.")
    citation: str | None = Field(None, description="Reference for the methods paragraph.")


# ---------------------------------------------------------------------------------------------------- analyses


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
    iou_threshold: Fraction = Field(0.04, description="A unit is a detector when its best IoU exceeds this.")
    denominator: Literal["category", "all"] = Field(
        "category", description="Count a unit's area on images with the label's category, or on all images."
    )
    folds: Annotated[int, Field(ge=2, le=64)] = Field(16, description="Folds of images for intervals.")
    top_images: Annotated[int, Field(ge=1, le=64)] = Field(8, description="Images kept per unit for the galleries.")
    shuffles: Annotated[int, Field(ge=0, le=8)] = Field(
        1, description="Control tallies with images and label maps paired wrongly; 0: no control."
    )
    gallery_units: Annotated[int, Field(ge=0, le=64)] = Field(
        12, description="Units shown per model in the gallery; 0: none."
    )


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
    variant: Literal["count", "fraction", "share", "hellinger", "binary", "soft"] = Field(
        "count",
        description="What a model's vector holds per concept: detectors; per unit; per detector; the root of that; "
        "whether any; the best IoU. Use fraction, share or hellinger when layers differ in width.",
    )
    scale: Literal["none", "sqrt", "log1p", "unit"] = Field("none", description="Transformation before distances.")
    projection: Literal["pca", "mds"] = Field("pca", description="How the map is drawn.")
    distance: Literal["euclidean", "cosine", "jaccard", "hellinger"] = Field(
        "euclidean", description="Distance of the heat map, the clusters and mds (tables hold all four)."
    )
    linkage: Literal["average", "ward"] = Field("average", description="How clusters are joined (ward: euclidean).")
    clusters: Positive = Field(3, description="Number of clusters, at most the number of models.")
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
    probe: Probe = Field(Probe(), description="Linear probes.")
    quality: Quality = Field(Quality(), description="Quality of each representation.")
    lce: Lce = Field(Lce(), description="Learned Concepts Embedding.")


class Compute(Keys):
    """How, not what: none of these keys changes a result beyond stated tolerances."""

    device: Literal["auto", "cpu", "cuda"] = Field("auto", description="auto: CUDA if there is one, else the CPU.")
    batch_size: Positive = Field(64, description="Images per forward pass; halved when memory runs out.")
    workers: Annotated[int, Field(ge=0)] = Field(2, description="Threads that decode images beside the network.")


class Report(Keys):
    """The page."""

    title: str = Field("What have these models learned?", description="Heading of the page.")
    authors: str | None = Field(None, description="Who made the study.")
    introduction: str | None = Field(None, description="A paragraph shown before the results.")


class StudyKeys(Keys):
    """Models, data sets, analyses."""

    name: str = Field(description="Short name of the study.")
    results: str = Field("results", min_length=1, description="Folder of all results; give each study its own.")
    seed: int = Field(0, description="Seed from which every job's own is derived by name.")
    datasets: dict[str, Dataset] = Field(min_length=1, description="Data sets by name.")
    models: dict[str, Model] = Field(min_length=1, description="Models by name.")
    analyses: Analyses = Field(Analyses(), description="What to compute.")
    compute: Compute = Field(Compute(), description="How to compute it.")
    report: Report = Field(Report(), description="The report's texts.")
