"""The methods paragraph: what was computed, with which settings, versions and sources."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

REFERENCES = {
    "netdissect": "Bau D, Zhou B, Khosla A, Oliva A, Torralba A. Network Dissection: Quantifying Interpretability of Deep "
    "Visual Representations. CVPR 2017.",
    "dissect": "Bau D, Zhu J-Y, Strobelt H, Lapedriza A, Zhou B, Torralba A. Understanding the role of individual units in "
    "a deep neural network. PNAS 117(48), 2020.",
    "invert": "Bykov K, Kopf L, Nakajima S, Kloft M, Höhne M. Labeling Neural Representations with Inverse Recognition. "
    "NeurIPS 2023.",
    "formulas": "Mu J, Andreas J. Compositional Explanations of Neurons. NeurIPS 2020.",
    "svcca": "Raghu M, Gilmer J, Yosinski J, Sohl-Dickstein J. SVCCA: Singular Vector Canonical Correlation Analysis for "
    "Deep Learning Dynamics and Interpretability. NeurIPS 2017.",
    "pwcca": "Morcos A, Raghu M, Bengio S. Insights on representational similarity in neural networks with canonical "
    "correlation. NeurIPS 2018.",
    "cka": "Kornblith S, Norouzi M, Lee H, Hinton G. Similarity of Neural Network Representations Revisited. ICML 2019.",
    "unbiased": "Song L, Smola A, Gretton A, Bedo J, Borgwardt K. Feature Selection via Dependence Maximization. JMLR 13, "
    "2012.",
    "shape": "Williams A, Kunz E, Kornblith S, Linderman S. Generalized Shape Metrics on Neural Representations. NeurIPS "
    "2021.",
    "knn": "Huh M, Cheung B, Wang T, Isola P. The Platonic Representation Hypothesis. ICML 2024.",
    "clip_dissect": "Oikarinen T, Weng T-W. CLIP-Dissect: Automatic Description of Neuron Representations in Deep Vision "
    "Networks. ICLR 2023.",
    "clip": "Radford A, et al. Learning Transferable Visual Models From Natural Language Supervision. ICML 2021.",
    "semanticlens": "Dreyer M, Berend J, Labarta T, Vielhaben J, Wiegand T, Lapuschkin S, Samek W. Mechanistic understanding "
    "and validation of large AI models with SemanticLens. Nature Machine Intelligence 7, 2025.",
    "rosetta": "Dravid A, Gandelsman Y, Efros A, Shocher A. Rosetta Neurons: Mining the Common Units in a Model Zoo. ICCV "
    "2023.",
    "fdr": "Benjamini Y, Hochberg Y. Controlling the False Discovery Rate. Journal of the Royal Statistical Society B 57(1), "
    "1995.",
    "qscore": "Kalibhat N, Narang K, Firooz H, Sanjabi M, Feizi S. Measuring Self-Supervised Representation Quality for "
    "Downstream Classification Using Discriminative Features. AAAI 2024.",
    "lce": "Mustapha A, Khreich W, Masri W. Inter-model interpretability: Self-supervised models as a case study. Array "
    "22, 2024.",
    "simclr": "Chen T, Kornblith S, Norouzi M, Hinton G. A Simple Framework for Contrastive Learning of Visual "
    "Representations. ICML 2020.",
    "barlow_twins": "Zbontar J, Jing L, Misra I, LeCun Y, Deny S. Barlow Twins: Self-Supervised Learning via Redundancy "
    "Reduction. ICML 2021.",
    "byol": "Grill J-B, et al. Bootstrap Your Own Latent: A New Approach to Self-Supervised Learning. NeurIPS 2020.",
    "scikit-learn": "Pedregosa F, et al. Scikit-learn: Machine Learning in Python. JMLR 12, 2011.",
    "newcombe": "Newcombe R. Improved confidence intervals for the difference between binomial proportions based on paired "
    "data. Statistics in Medicine 17, 1998.",
    "timm": "Wightman R. PyTorch Image Models, github.com/huggingface/pytorch-image-models.",
    "snakemake": "Mölder F, et al. Sustainable data analysis with Snakemake. F1000Research 10:33, 2021.",
}
MEASURES = {
    "svcca": ("mean canonical correlation of SVCCA", "svcca"),
    "svcca_r2": ("mean squared canonical correlation of SVCCA", "svcca"),
    "pwcca": ("PWCCA", "pwcca"),
    "cka": ("linear CKA", "cka"),
    "cka_unbiased": ("linear CKA with the unbiased HSIC estimator", "unbiased"),
    "procrustes_angle": ("angular Procrustes distance", "shape"),
    "regression": ("R² of linear regression", "cka"),
    "mutual_knn": ("mutual k-nearest neighbours", "knn"),
    "cca": ("mean canonical correlation", "svcca"),
    "cca_r2": ("mean squared canonical correlation", "svcca"),
}


def methods_paragraphs(
    analyses: Mapping[str, Mapping[str, Any]],
    models: Sequence[Mapping[str, Any]],
    seed: int,
    versions: Mapping[str, str],
) -> tuple[list[str], list[str]]:
    """Describe a study in the words of a methods section.

    Parameters
    ----------
    analyses
        Settings of each analysis that the study runs, by name.
    models
        ``name``, ``architecture``, ``weights``, ``layers`` and optionally ``citation`` of every model.
    seed
        Seed of the study.
    versions
        Versions of the packages that computed the results.

    Returns
    -------
    tuple of lists
        Paragraphs with numbers in brackets, and the references that they stand for.
    """
    cited: list[str] = []

    def cite(*keys: str) -> str:
        for key in keys:
            if key not in cited:
                cited.append(key)
        return "[" + ", ".join(str(cited.index(key) + 1) for key in keys) + "]"

    paragraphs = [
        f"Features of {len(models)} models were computed with intermodel {versions.get('intermodel', '')} under "
        f"Snakemake {cite('snakemake')} in single precision; architectures are those of timm {cite('timm')} unless "
        "stated. Pooled features are means over the positions of a layer's maps. "
        + _trained(models, cite)
        + f"All random numbers derive from the seed {seed}."
    ]
    if "concepts" in analyses:
        chosen = analyses["concepts"]
        threshold = (
            f"Each unit's threshold leaves a share of {chosen['tail']:g} of its activations above it"
            if chosen["masks"] == "quantile"
            else "Each pixel belongs to the unit with the largest activation"
        )
        paragraphs.append(
            f"Concepts. Units were matched with labelled concepts by Network Dissection {cite('netdissect', 'dissect')}: "
            f"{threshold}, maps are enlarged bilinearly to the label maps, and a unit detects the concept with the largest "
            f"intersection over union when that exceeds {_detection(chosen)} (areas counted on "
            f"{'images that hold a label of the category' if chosen['denominator'] == 'category' else 'all images'}). "
            f"Intervals come from {chosen['folds']} folds of images. How well mean activations tell images with a concept "
            f"from those without is told by the area under the ROC curve {cite('invert')}, with p-values of Mann and "
            "Whitney's test corrected for ties and for all pairs of a layer (Benjamini and Hochberg)."
            + _formulas(chosen, cite)
        )
    if "similarity" in analyses:
        chosen = analyses["similarity"]
        names = [f"{MEASURES[measure][0]} {cite(MEASURES[measure][1])}" for measure in chosen["measures"]]
        details = [
            f"SVCCA keeps {100 * chosen['variance'][0]:g} % of the variance. " * ("svcca" in str(chosen["measures"])),
            f"Neighbours are the {chosen['neighbours']} nearest by cosine. " * ("mutual_knn" in chosen["measures"]),
        ]
        paragraphs.append(
            f"Similarity. Representations were compared by {'; '.join(names)}. {''.join(details)}"
            "Values are reported beside their mean under random pairing of images wherever a formula for it is known."
        )
    if "clip_dissect" in analyses:
        chosen = analyses["clip_dissect"]
        common = chosen["score"] in ("soft_wpmi", "wpmi")
        paragraphs.append(
            f"Names. Units were named by CLIP-Dissect {cite('clip_dissect')} with the CLIP model {chosen['model']} {cite('clip')} "
            f"and the score {chosen['score']}{', normalised over the units of all models together' * common}. A unit's meaning "
            f"is the mean embedding of its {chosen['exemplars']} strongest images {cite('semanticlens')}; models are compared "
            "by the mean best cosine of their units, beside that of units with random images. Names were held against those of "
            f"{chosen['permutations']} units per layer with shuffled images (false discovery rate), and looked at again in "
            f"{chosen['bootstrap']} draws of the images."
        )
    if "unit_matching" in analyses:
        chosen = analyses["unit_matching"]
        over = "images and positions" if chosen["over"] == "maps" else "images"
        used = "" if chosen["images"] is None else f" (at most {chosen['images']}, chosen by a hash of their ids)"
        paragraphs.append(
            f"Shared units. Units of two layers were matched as mutual nearest neighbours by the Pearson correlation of their "
            f"activations over {over}{used} {cite('rosetta')}; larger maps were averaged to the smaller ones. A match is "
            "called beyond chance when its excess over the correlation that position alone brings is significant against "
            f"{chosen['shuffles']} wrong pairing{'s' * (chosen['shuffles'] > 1)} of the images, with at most 5 % false "
            f"discoveries {cite('fdr')}. Intervals come from {chosen['folds']} folds of images."
        )
    if "probe" in analyses:
        paragraphs.append(
            f"Probes. Linear probes are multinomial logistic regressions {cite('scikit-learn')} on standardised features, "
            "fitted on training images "
            "with the penalty chosen on a stratified part of them and judged on test images; accuracies carry Wilson "
            f"intervals, differences between models Newcombe's interval for paired proportions {cite('newcombe')}."
        )
    if "quality" in analyses:
        chosen = analyses["quality"]
        eps = "the largest value that covers enough images" if chosen["eps"] == "auto" else f"{chosen['eps']:g}"
        low, high = chosen["percentiles"]
        paragraphs.append(
            f"Quality. The Q-Score {cite('qscore')} used eps = {eps} and as discriminative units those between the "
            f"{low:g}th and the {high:g}th percentile of the activation rate on training images. Every score was judged by "
            f"how well it tells right from wrong answers of the probe, with {chosen['bootstrap']} bootstrap draws, and beside "
            f"{chosen['random_masks']} random masks of equal size."
        )
    if "lce" in analyses:
        chosen = analyses["lce"]
        number = "as many groups as are stable" if chosen["clusters"] == "auto" else f"{chosen['clusters']} groups"
        paragraphs.append(
            f"Embedding. In the Learned Concepts Embedding {cite('lce')} a model is the vector of its detectors per concept "
            f"(variant {chosen['variant']}), projected by {chosen['projection'].upper()}. Ellipses come from "
            f"{chosen['bootstrap']} bootstrap draws over folds of images, the noise floor from {chosen['splits']} random "
            f"halvings of the images. Models were grouped by agglomerative clustering ({chosen['linkage']} linkage, {number}); "
            "what sets a group apart was tested over models against groups found without the concept in question, with the "
            "false discovery rate controlled. Correlations with results were tested by permuting models, through the largest "
            "|r|; ways of comparing models by Mantel's test with Holm's adjustment."
        )
    paragraphs.append("Versions: " + ", ".join(f"{name} {value}" for name, value in sorted(versions.items())) + ".")
    references = [f"{number}. {REFERENCES[key]}" for number, key in enumerate(cited, 1)]
    own = [model["citation"] for model in models if model.get("citation")]
    references += [f"{number}. {text}" for number, text in enumerate(dict.fromkeys(own), len(references) + 1)]
    return paragraphs, references


def _trained(models: Sequence[Mapping[str, Any]], cite: Any) -> str:
    """One sentence on the models that the study trained itself."""
    sentences = []
    for model in models:
        weights = model["weights"]
        if weights["source"] != "train":
            continue
        source = f" {cite(weights['objective'])}" if weights["objective"] in REFERENCES else ""
        sentences.append(
            f"{model['name']} was trained on {weights['dataset']} with the objective {weights['objective']}{source} for "
            f"{weights['steps']} steps of {weights['batch_size']} images. "
        )
    return "".join(sentences)


def _formulas(concepts: Mapping[str, Any], cite: Any) -> str:
    if concepts["composition_length"] == 1:
        return ""
    return (
        f" Units of the last layers are also explained by formulas of up to {concepts['composition_length']} concepts "
        f"{cite('formulas')}, judged on quarters of the images on which they were not found."
    )


def _detection(concepts: Mapping[str, Any]) -> str:
    if concepts["detection"] == "threshold":
        return f"{concepts['iou_threshold']:g}"
    return (
        "the value, chosen for each layer, above which wrong pairings of images and label maps promise at most "
        f"{concepts['fdr']:.0%} false discoveries"
    )
