"""`python -m programs.trainer.build`: writes the images that the program holds, then builds it.

The 500 images that `programs.digits.dataset` holds out are in neither half: they tell what a network is worth that was
chosen by its validation. Of the rest, in the order of their SHA-256, 300 validate and 997 are trained on.
"""

from programs.catalogue import CATALOGUE
from programs.compile import compile_guest
from programs.digits import dataset
from programs.trainer.reference import IMAGES_PATH, VALIDATION


def image_records() -> bytes:
    """Label and pixels of each image, those to train on first."""
    kept = dataset.ranking()[dataset.HELD_OUT :]
    chosen = kept[VALIDATION:] + kept[:VALIDATION]
    return b"".join(bytes([dataset.labels()[index]]) + dataset.images()[index] for index in chosen)


def main() -> None:
    """Writes images.bin and the module."""
    IMAGES_PATH.write_bytes(image_records())
    entry = CATALOGUE["trainer"]
    compile_guest(entry.source, entry.module, entry.limits.memory_pages)


if __name__ == "__main__":
    main()
