"""MNIST and Fashion-MNIST: four gzipped idx files each, with a fixed test set."""

import gzip
import hashlib
import zlib

import numpy as np

from repro.data.dataset import Dataset, Parts
from repro.errors import ReproError

FILES = (
    "train-images-idx3-ubyte.gz",
    "train-labels-idx1-ubyte.gz",
    "t10k-images-idx3-ubyte.gz",
    "t10k-labels-idx1-ubyte.gz",
)
# SHA-256 of the decompressed files, in that order, however they are packed.
CONTENT = {
    "mnist": (
        "ba891046e6505d7aadcbbe25680a0738ad16aec93bde7f9b65e87a2fc25776db",
        "65a50cbbf4e906d70832878ad85ccda5333a97f0f4c3dd2ef09a8a9eef7101c5",
        "0fa7898d509279e482958e8ce81c8e77db3f2f8254e26661ceb7762c4d494ce7",
        "ff7bcfd416de33731a308c3f266cc351222c34898ecbeaf847f06e48f7ec33f2",
    ),
    "fashion-mnist": (
        "c59f468a2f672dc815687fe0f83887768d799fd8a3f3276145d20f83aa44d888",
        "bad3541b69d912435c50bb6ba87bec294ff4f6a2e1246121d8633921760443d9",
        "5b4141f0afbad91edebe8549f8fcffe087ea10ca49f1dbef5c9a5cd8815ce37b",
        "0402a96d92fd2663957122ceb108a494c5af83dab82d92729df917d7dec38c34",
    ),
}
DIGITS = tuple("0123456789")
CLOTHES = (
    "T-shirt/top", "Trouser", "Pullover", "Dress", "Coat", "Sandal", "Shirt", "Sneaker", "Bag",
    "Ankle boot",
)  # fmt: skip


def read(dataset: Dataset, split: None, seed: int, progress: bool) -> Parts:
    """All four files, verified."""
    x_train, y_train, x_test, y_test = (
        _array(dataset, file, sha256, progress)
        for file, sha256 in zip(FILES, CONTENT[dataset.name], strict=True)
    )
    return x_train, y_train.astype(np.int32), x_test, y_test.astype(np.int32)


def _array(dataset: Dataset, file: str, sha256: str, progress: bool) -> np.ndarray:
    """Pixels, uint8 (images, pixels), or labels, uint8 (images,), of a gzipped idx file."""
    path = dataset.locate(file, progress)
    try:
        content = gzip.decompress(path.read_bytes())
    except (OSError, EOFError, zlib.error) as error:
        raise ReproError(
            f"{path} is damaged, reading it failed with '{error}': remove it and fetch it again."
        ) from error
    if hashlib.sha256(content).hexdigest() != sha256:
        raise ReproError(
            f"{path} does not hold {dataset.name}'s {file}: remove it and fetch it again."
        )
    if "labels" in file:
        return np.frombuffer(content, np.uint8, offset=8)
    return np.frombuffer(content, np.uint8, offset=16).reshape(-1, 28 * 28)


DATASETS = (
    Dataset(
        name="mnist",
        label="MNIST",
        samples=60_000,
        image_shape=(28, 28),
        classes=10,
        class_names=lambda: DIGITS,
        read=read,
        files=dict(
            zip(
                FILES,
                (
                    "440fcabf73cc546fa21475e81ea370265605f56be210a4024d2ca8f203523609",
                    "3552534a0a558bbed6aed32b30c495cca23d567ec52cac8be1a0730e8010255c",
                    "8d422c7b0a1c1c79245a5bcf07fe86e33eeafee792b84584aec276f5a2dbc4e6",
                    "f7ae60f92e00ec6debd23a6088c31dbd2371eca3ffa0defaefb259924204aec6",
                ),
                strict=True,
            )
        ),
        mirrors=(
            "https://storage.googleapis.com/cvdf-datasets/mnist/",
            "https://ossci-datasets.s3.amazonaws.com/mnist/",
        ),
    ),
    Dataset(
        name="fashion-mnist",
        label="Fashion-MNIST",
        samples=60_000,
        image_shape=(28, 28),
        classes=10,
        class_names=lambda: CLOTHES,
        read=read,
        files=dict(
            zip(
                FILES,
                (
                    "3aede38d61863908ad78613f6a32ed271626dd12800ba2636569512369268a84",
                    "a04f17134ac03560a47e3764e11b92fc97de4d1bfaf8ba1a3aa29af54cc90845",
                    "346e55b948d973a97e58d2351dde16a484bd415d4595297633bb08f03db6a073",
                    "67da17c76eaffca5446c3361aaab5c3cd6d1c2608764d35dfb1850b086bf8dd5",
                ),
                strict=True,
            )
        ),
        mirrors=(
            "https://raw.githubusercontent.com/zalandoresearch/fashion-mnist/master/data/fashion/",
            "http://fashion-mnist.s3-website.eu-central-1.amazonaws.com/",
        ),
    ),
)
