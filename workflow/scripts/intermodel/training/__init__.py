"""Training of backbones on a study's own images: objectives, batched augmentations, the loop, the weights file."""
