"""MNIST and Fashion-MNIST, four gzipped idx files each; and the digits of scikit-learn.

Of those there is nothing to download: 8 x 8 pixels, for tests and first tries.
"""

import gzip
import hashlib
import zlib
from pathlib import Path

import numpy as np

from repro.data.dataset import Dataset, Parts
from repro.errors import ReproError

FILES = (
    "train-images-idx3-ubyte.gz",
    "train-labels-idx1-ubyte.gz",
    "t10k-images-idx3-ubyte.gz",
    "t10k-labels-idx1-ubyte.gz",
)
# SHA-256 of the four, decompressed and one after another, however they are packed; of the digits,
# of pixels and labels, all images in scikit-learn's order.
CONTENT = {
    "mnist": "b2d8f5bf39174ee5ffeefa97e42d673c35432b411bb5d1f74fbbeddae7f1690a",
    "fashion-mnist": "14410854cf7a289477dcfc7df3f8ec24741e281cdcc425ede0d9a748ca630214",
    "digits": "ed5d0ee6d5a61b611d6cad96c6bd69386d32550c51b259a59996b65ad132fa6c",
}


def _read(dataset: Dataset, split: None, seed: int, progress: bool) -> Parts:
    paths = [dataset.locate(file, progress) for file in FILES]
    contents = [_decompressed(path) for path in paths]
    if hashlib.sha256(b"".join(contents)).hexdigest() != CONTENT[dataset.name]:
        raise ReproError(
            f"The files in {paths[0].parent} are not those of {dataset.name}: remove them and "
            "fetch them again."
        )
    x_train, x_test = (
        np.frombuffer(content, np.uint8, offset=16).reshape(-1, 28 * 28)
        for content in contents[::2]
    )
    y_train, y_test = (
        np.frombuffer(content, np.uint8, offset=8).astype(np.int32) for content in contents[1::2]
    )
    return x_train, y_train, x_test, y_test


def _decompressed(path: Path) -> bytes:
    try:
        return gzip.decompress(path.read_bytes())
    except (OSError, EOFError, zlib.error) as error:
        raise ReproError(
            f"{path} is damaged, reading it failed with '{error}': remove it and fetch it again."
        ) from error


def _read_digits(dataset: Dataset, split: None, seed: int, progress: bool) -> Parts:
    """Every fifth image, from the first, is for testing; pixels are round(value * 255 / 16)."""
    from sklearn.datasets import load_digits  # slow, and no other dataset needs it

    values, labels = load_digits(return_X_y=True)
    pixels, labels = np.rint(values * (255 / 16)).astype(np.uint8), labels.astype(np.int32)
    if hashlib.sha256(pixels.tobytes() + labels.tobytes()).hexdigest() != CONTENT["digits"]:
        raise ReproError("scikit-learn's digits are not the published ones: install it again.")
    test = np.arange(len(labels)) % 5 == 0
    return pixels[~test], labels[~test], pixels[test], labels[test]


def _dataset(name: str, mirrors: tuple[str, ...], *sha256: str) -> Dataset:
    files = dict(zip(FILES, sha256, strict=True))
    return Dataset(name, 60_000, 28 * 28, 10, _read, files=files, mirrors=mirrors)


DATASETS = (
    _dataset(
        "mnist",
        (
            "https://storage.googleapis.com/cvdf-datasets/mnist/",
            "https://ossci-datasets.s3.amazonaws.com/mnist/",
        ),
        "440fcabf73cc546fa21475e81ea370265605f56be210a4024d2ca8f203523609",
        "3552534a0a558bbed6aed32b30c495cca23d567ec52cac8be1a0730e8010255c",
        "8d422c7b0a1c1c79245a5bcf07fe86e33eeafee792b84584aec276f5a2dbc4e6",
        "f7ae60f92e00ec6debd23a6088c31dbd2371eca3ffa0defaefb259924204aec6",
    ),
    _dataset(
        "fashion-mnist",
        (
            "https://raw.githubusercontent.com/zalandoresearch/fashion-mnist/master/data/fashion/",
            "http://fashion-mnist.s3-website.eu-central-1.amazonaws.com/",
        ),
        "3aede38d61863908ad78613f6a32ed271626dd12800ba2636569512369268a84",
        "a04f17134ac03560a47e3764e11b92fc97de4d1bfaf8ba1a3aa29af54cc90845",
        "346e55b948d973a97e58d2351dde16a484bd415d4595297633bb08f03db6a073",
        "67da17c76eaffca5446c3361aaab5c3cd6d1c2608764d35dfb1850b086bf8dd5",
    ),
    Dataset("digits", 1_437, 8 * 8, 10, _read_digits),
)
