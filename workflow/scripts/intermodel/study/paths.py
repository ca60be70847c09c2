"""The names of all files, in one place."""

from __future__ import annotations

from dataclasses import dataclass

from intermodel.engine.shards import shard_path

# Stands between the two model names of a pair file, and is therefore forbidden inside names.
PAIR = "__"


@dataclass(frozen=True)
class Paths:
    """File names below the results folder of one study; arguments may be wildcards such as ``"{model}"``."""

    results: str

    def manifest(self, dataset: str = "{dataset}") -> str:
        """What the images, labels and splits of a data set are."""
        return f"{self.results}/data/{dataset}/manifest.h5"

    def images(self, dataset: str = "{dataset}") -> str:
        """Generated images (procedural data sets only)."""
        return f"{self.results}/data/{dataset}/images.h5"

    def segmentation(self, dataset: str = "{dataset}") -> str:
        """Decoded label maps of a data set with masks."""
        return f"{self.results}/data/{dataset}/segmentation.h5"

    def weights(self, model: str = "{model}") -> str:
        """Weights of a model that the study trains."""
        return f"{self.results}/training/{model}.safetensors"

    def history(self, model: str = "{model}") -> str:
        """Loss curve of a model that the study trains."""
        return f"{self.results}/training/{model}.history.csv"

    def features(self, dataset: str = "{dataset}", model: str = "{model}", layer: str = "{layer}") -> str:
        """Pooled features of one layer."""
        return f"{self.results}/features/{dataset}/{model}/{layer}.h5"

    def maps(self, dataset: str = "{dataset}", model: str = "{model}", layer: str = "{layer}") -> str:
        """Activation maps of one layer."""
        return f"{self.results}/features/{dataset}/{model}/{layer}.maps.h5"

    def tally(self, dataset: str = "{dataset}", model: str = "{model}", layer: str = "{layer}") -> str:
        """Concept tally of one layer."""
        return f"{self.results}/concepts/{dataset}/{model}/{layer}.h5"

    def levels(self, dataset: str, model: str, layer: str, number: int, count: int) -> str:
        """Largest activations of one layer in one shard of a data set, where maps are not stored."""
        return shard_path(f"{self.results}/concepts/{dataset}/{model}/{layer}.levels.h5", number, count)

    def part_tally(self, dataset: str, model: str, layer: str, number: int, count: int) -> str:
        """Concept tally of one layer in one shard of a data set, where maps are not stored."""
        return shard_path(f"{self.results}/concepts/{dataset}/{model}/{layer}.part-tally.h5", number, count)

    def auroc(self, dataset: str = "{dataset}", model: str = "{model}") -> str:
        """How well each unit's mean activation tells each concept, all layers of a model."""
        return f"{self.results}/concepts/{dataset}/{model}.auroc.h5"

    def compositions(self, dataset: str = "{dataset}", model: str = "{model}") -> str:
        """The formula of labels that fits each unit of a model's last layer best."""
        return f"{self.results}/concepts/{dataset}/{model}.compositions.h5"

    def patterns(self, dataset: str = "{dataset}") -> str:
        """Label maps of a data set in the form that the concept tallies read."""
        return f"{self.results}/concepts/{dataset}/patterns.h5"

    def basis(self, dataset: str = "{dataset}", model: str = "{model}", layer: str = "{layer}") -> str:
        """Factorisation of one layer's pooled features."""
        return f"{self.results}/similarity/{dataset}/{model}/{layer}.basis.h5"

    def pair(self, dataset: str, first: str, second: str) -> str:
        """Similarity of two models (or of one with itself), whatever the order of the arguments."""
        first, second = sorted((first, second))
        return f"{self.results}/similarity/{dataset}/{first}{PAIR}{second}.h5"

    def matches(self, dataset: str, first: str, second: str) -> str:
        """Matched units of two models, whatever the order of the arguments."""
        first, second = sorted((first, second))
        return f"{self.results}/unit_matching/{dataset}/{first}{PAIR}{second}.h5"

    def clip_words(self) -> str:
        """Embeddings of the words that CLIP may name units by."""
        return f"{self.results}/clip_dissect/words.h5"

    def clip_images(self, dataset: str = "{dataset}") -> str:
        """A data set's images in CLIP's space."""
        return f"{self.results}/clip_dissect/{dataset}/images.h5"

    def clip_dissection(self, dataset: str = "{dataset}", model: str = "{model}", layer: str = "{layer}") -> str:
        """Units of one layer in CLIP's space."""
        return f"{self.results}/clip_dissect/{dataset}/{model}/{layer}.h5"

    def probe(self, dataset: str = "{dataset}", model: str = "{model}") -> str:
        """Linear probes on all layers of a model."""
        return f"{self.results}/probe/{dataset}/{model}.h5"

    def quality(self, dataset: str = "{dataset}", model: str = "{model}") -> str:
        """Q-Score and its baselines on all layers of a model."""
        return f"{self.results}/quality/{dataset}/{model}.h5"

    def table(self, capability: str, name: str, dataset: str = "{dataset}") -> str:
        """A CSV table of a capability."""
        return f"{self.results}/{capability}/{dataset}/{name}.csv"

    def figure(self, capability: str, name: str, dataset: str = "{dataset}", suffix: str = "svg") -> str:
        """A figure of a capability."""
        return f"{self.results}/{capability}/{dataset}/figures/{name}.{suffix}"

    def lce(self, dataset: str = "{dataset}") -> str:
        """The Learned Concepts Embedding of all models."""
        return f"{self.results}/lce/{dataset}/lce.h5"

    def resampled_auroc(self, dataset: str = "{dataset}", model: str = "{model}") -> str:
        """How well the best unit of a model's layer tells each concept when images are drawn again."""
        return f"{self.results}/lce/{dataset}/{model}.auroc.h5"

    @property
    def report(self) -> str:
        """The page that a researcher reads."""
        return f"{self.results}/report/index.html"

    def log(self, rule: str, *wildcards: str) -> str:
        """Log file of a job."""
        return "/".join([self.results, "logs", rule, *(wildcards or ("all",))]) + ".log"

    def benchmark(self, rule: str, *wildcards: str) -> str:
        """Measured seconds and memory of a job."""
        return "/".join([self.results, "benchmarks", rule, *(wildcards or ("all",))]) + ".tsv"

    @property
    def timings(self) -> str:
        """What every job has cost, written at the end of a run."""
        return f"{self.results}/timings.csv"
