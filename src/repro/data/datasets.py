"""The datasets: images as rows of pixels, labels, and their division into train and test.

Four have a name; any other is one's own, in an .npz file (`own_dataset`).
"""

import gzip
import hashlib
import numbers
import os
import re
import zlib
from dataclasses import dataclass

import numpy as np

from repro.data import downloads, hasyv2, own_dataset
from repro.errors import ReproError, shown

NAMES = ("hasyv2", "mnist", "fashion-mnist", "digits")
FIXED_TEST_SET = frozenset({"mnist", "fashion-mnist", "digits"})
IMAGE_SHAPES = {"hasyv2": (32, 32), "mnist": (28, 28), "fashion-mnist": (28, 28), "digits": (8, 8)}
# (pixels, classes), known without loading anything; of any dataset: `shape`
SHAPES = {"hasyv2": (1024, 369), "mnist": (784, 10), "fashion-mnist": (784, 10), "digits": (64, 10)}

DIGIT_CLASSES = tuple("0123456789")
FASHION_CLASSES = (
    "T-shirt/top",
    "Trouser",
    "Pullover",
    "Dress",
    "Coat",
    "Sandal",
    "Shirt",
    "Sneaker",
    "Bag",
    "Ankle boot",
)

# Numbers of images and SHA-256 of the decompressed files, whatever their compression.
IDX_FILES = {
    "mnist": {
        "train-images-idx3-ubyte.gz": (
            60_000,
            "ba891046e6505d7aadcbbe25680a0738ad16aec93bde7f9b65e87a2fc25776db",
        ),
        "train-labels-idx1-ubyte.gz": (
            60_000,
            "65a50cbbf4e906d70832878ad85ccda5333a97f0f4c3dd2ef09a8a9eef7101c5",
        ),
        "t10k-images-idx3-ubyte.gz": (
            10_000,
            "0fa7898d509279e482958e8ce81c8e77db3f2f8254e26661ceb7762c4d494ce7",
        ),
        "t10k-labels-idx1-ubyte.gz": (
            10_000,
            "ff7bcfd416de33731a308c3f266cc351222c34898ecbeaf847f06e48f7ec33f2",
        ),
    },
    "fashion-mnist": {
        "train-images-idx3-ubyte.gz": (
            60_000,
            "c59f468a2f672dc815687fe0f83887768d799fd8a3f3276145d20f83aa44d888",
        ),
        "train-labels-idx1-ubyte.gz": (
            60_000,
            "bad3541b69d912435c50bb6ba87bec294ff4f6a2e1246121d8633921760443d9",
        ),
        "t10k-images-idx3-ubyte.gz": (
            10_000,
            "5b4141f0afbad91edebe8549f8fcffe087ea10ca49f1dbef5c9a5cd8815ce37b",
        ),
        "t10k-labels-idx1-ubyte.gz": (
            10_000,
            "0402a96d92fd2663957122ceb108a494c5af83dab82d92729df917d7dec38c34",
        ),
    },
}

# Of the pixels and labels of digits, all images in scikit-learn's order.
DIGITS_SHA256 = "ed5d0ee6d5a61b611d6cad96c6bd69386d32550c51b259a59996b65ad132fa6c"

# x_train, y_train, x_test, y_test, class_names
_Parts = tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray, list[str]]

# Keeps the draw of a share apart from any other draw from the same seed.
SHARE_STREAM = 0x5EED5417


@dataclass(frozen=True)
class DataSplit:
    """A dataset, divided into train and test images; its arrays are read-only.

    x_train, x_test
        uint8 (images, pixels), rows of the picture one after the other, values as archived. One's
        own may be float32: numbers that are trained on as they are.
    y_train, y_test
        int32 (images,), classes from 0.
    split
        What divides them: "fold-1" to "fold-10", a share for training, or None (a fixed test set).
    """

    name: str
    split: str | float | None
    x_train: np.ndarray
    y_train: np.ndarray
    x_test: np.ndarray
    y_test: np.ndarray
    classes: int
    image_shape: tuple[int, int]
    class_names: list[str]


def identified(dataset: object) -> str:
    """The name by which a dataset is known: its own, or what `own_dataset.register` gives a file.

    Raises
    ------
    ReproError
        For what is no dataset, and for a file that cannot be used.
    """
    if own_dataset.is_file(dataset):
        return own_dataset.register(dataset)
    if isinstance(dataset, str) and (dataset in NAMES or own_dataset.is_name(dataset)):
        return dataset
    raise ReproError(
        f"dataset must be one of {', '.join(NAMES)}, or the path of an .npz file, not "
        f"{shown(dataset)}."
    )


def shape(name: str) -> tuple[int, int]:
    """(pixels, classes) of a dataset by name. Raises ReproError where one's own is not kept."""
    return own_dataset.shape(name) if own_dataset.is_name(name) else SHAPES[name]


def has_fixed_test_set(name: str) -> bool:
    """Whether train and test images are divided once and for all."""
    return name in FIXED_TEST_SET or own_dataset.is_name(name)


def load(
    name: str | os.PathLike, split: str | float | None = None, seed: int = 0, progress: bool = True
) -> DataSplit:
    """Load a dataset, downloading and preparing it where that has not been done yet.

    name
        One of `NAMES`, or one's own: the path of its .npz file, or what `identified` made of that.
    split
        For hasyv2 one of the archive's folds, "fold-1" (the default) to "fold-10", or a share
        between 0 and 1: that share of all images, rounded to a whole number of them, is drawn for
        training from `seed` without replacement, and the others are for testing; both stay in the
        archive's order. All others have a fixed test set and take None; that of digits is every
        fifth image, starting with the first.
    seed
        Only used where `split` is a share.
    progress
        Whether to show progress bars while downloading and decoding.

    Pixels are as archived, 0 to 255, for digits round(value * 255 / 16). Raises ReproError for an
    unknown name or split, and for files that are missing, damaged, or out of reach.
    """
    name = identified(name)
    split = _checked_split(name, split)
    pixels, classes = shape(name)
    if own_dataset.is_name(name):
        *arrays, class_names = _own(name)
    elif name == "digits":
        *arrays, class_names = _digits()
    elif name == "hasyv2":
        *arrays, class_names = _hasyv2(split, seed, progress)
    else:
        *arrays, class_names = _idx(name, progress)
    for array in arrays:
        array.flags.writeable = False
    x_train, y_train, x_test, y_test = arrays
    return DataSplit(
        name=name,
        split=split,
        x_train=x_train,
        y_train=y_train,
        x_test=x_test,
        y_test=y_test,
        classes=classes,
        image_shape=IMAGE_SHAPES.get(name, (1, pixels)),
        class_names=class_names,
    )


def prepare(name: str | os.PathLike, progress: bool = True) -> str:
    """Download, decode and verify a dataset: loading it later is quick and needs no network.

    Returns the name by which it is known (`identified`).

    Raises ReproError as `load` does, and where HASYv2's prepared copy cannot be written.
    """
    name = identified(name)
    load(name, progress=progress)
    if name == "hasyv2" and not (path := hasyv2.prepared_path()).is_file():
        raise ReproError(
            f"{path} cannot be written: set REPRO_CACHE_DIR to a folder that can be written."
        )
    return name


def _checked_split(name: str, split: str | float | None) -> str | float | None:
    if has_fixed_test_set(name):
        if split is not None:
            raise ReproError(f"{name} has a fixed test set: leave split out instead of {split!r}.")
        return None
    if split is None:
        return "fold-1"
    if isinstance(split, str):
        if re.fullmatch("fold-([1-9]|10)", split):
            return split
    elif isinstance(split, numbers.Real) and not isinstance(split, bool) and 0 < split < 1:
        return float(split)
    raise ReproError(
        f"Unknown split {split!r} of {name}: use 'fold-1' to 'fold-10', or the share to train on, "
        "a number between 0 and 1."
    )


def _hasyv2(split: str | float, seed: int, progress: bool) -> _Parts:
    content = hasyv2.load_content(progress)
    if isinstance(split, str):
        test = content.folds == int(split.removeprefix("fold-"))
    else:
        test = _drawn_for_test(len(content.folds), split, seed)
    return (
        hasyv2.unpack(content.packed[~test]),
        content.labels[~test].astype(np.int32),
        hasyv2.unpack(content.packed[test]),
        content.labels[test].astype(np.int32),
        list(content.class_names),
    )


def _drawn_for_test(images: int, share: float, seed: int) -> np.ndarray:
    """Whether an image is for testing, bool (images,), where the share for training is drawn."""
    for_training = round(share * images)
    if not 0 < for_training < images:
        raise ReproError(
            f"The split {share} leaves no image on one side: use a share nearer to 0.5."
        )
    if isinstance(seed, bool) or not isinstance(seed, numbers.Integral) or seed < 0:
        raise ReproError(f"The seed {seed!r} cannot be used: give an integer from 0.")
    generator = np.random.Generator(np.random.PCG64(np.random.SeedSequence((seed, SHARE_STREAM))))
    test = np.ones(images, bool)
    test[generator.permutation(images)[:for_training]] = False
    return test


def _idx(name: str, progress: bool) -> _Parts:
    arrays = [_idx_array(name, file, progress) for file in IDX_FILES[name]]
    x_train, y_train, x_test, y_test = arrays
    class_names = list(FASHION_CLASSES if name == "fashion-mnist" else DIGIT_CLASSES)
    return x_train, y_train.astype(np.int32), x_test, y_test.astype(np.int32), class_names


def _idx_array(name: str, file: str, progress: bool) -> np.ndarray:
    """Pixels, uint8 (images, pixels), or labels, uint8 (images,), of a gzipped idx file."""
    images, sha256 = IDX_FILES[name][file]
    header, shape = (16, (images, -1)) if "images" in file else (8, (images,))
    size = header + images * (SHAPES[name][0] if "images" in file else 1)
    path = downloads.locate(name, file, progress)
    try:
        with gzip.open(path) as stream:
            # One byte more than there should be: enough to see that there is more.
            content = stream.read(size + 1)
    except (OSError, EOFError, zlib.error) as error:
        raise ReproError(
            f"{path} is damaged, reading it failed with '{error}': remove it and fetch it again."
        ) from error
    if hashlib.sha256(content).hexdigest() != sha256:
        raise ReproError(f"{path} does not hold {name}'s {file}: remove it and fetch it again.")
    return np.frombuffer(content, np.uint8, offset=header).reshape(shape)


def _own(name: str) -> _Parts:
    arrays = own_dataset.load(name)
    class_names = [str(label) for label in range(arrays.classes)]
    return arrays.x_train, arrays.y_train, arrays.x_test, arrays.y_test, class_names


def _digits() -> _Parts:
    # Imported here because scikit-learn is slow to import and the other datasets do without it.
    from sklearn.datasets import load_digits

    values, labels = load_digits(return_X_y=True)
    pixels = np.rint(values * (255 / 16)).astype(np.uint8)
    labels = labels.astype(np.int32)
    if hashlib.sha256(pixels.tobytes() + labels.tobytes()).hexdigest() != DIGITS_SHA256:
        raise ReproError("scikit-learn's digits are not the published ones: install it again.")
    test = np.arange(len(labels)) % 5 == 0
    return pixels[~test], labels[~test], pixels[test], labels[test], list(DIGIT_CLASSES)
