"""What the tests share: the real data where there is any, and folders of their own for all else."""

import os
import shutil
from pathlib import Path

import pytest

from repro.data import datasets

REPOSITORY = Path(__file__).resolve().parents[1]
# Read before any test changes the environment.
DATA_FOLDER = Path(
    os.environ.get("REPRO_DATA_DIR") or REPOSITORY.parent / "shared" / "data"
).absolute()
# A PYTHONPATH on which no machine-learning library can be imported.
LIGHT = os.pathsep.join(
    [str(REPOSITORY / "tests" / "light"), *filter(None, [os.environ.get("PYTHONPATH")])]
)

# Most of the time goes into compiling, and programs of seconds are not worth optimizing (JAX's own
# tests do so, too). `faults` and `test_cores` train as users do, and all do with XLA_FLAGS= .
os.environ.setdefault("XLA_FLAGS", "--xla_backend_optimization_level=0")

EXECUTED = "figure-1"
"""The page that `built_book` executes: nbval executes them all."""

# Files that share what is expensive to make: of several processes one runs them all.
TOGETHER = {
    "built_book": ("test_book", "test_browser", "test_no_tensorflow"),
    "prepared_cache": ("test_dataset_facts", "test_datasets"),
}


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: object) -> object:
    """Give each process whole files. (Of `xdist_group`, pytest 9.2 takes no notice: xdist 1386.)"""
    from xdist.scheduler import LoadFileScheduling

    class WholeFiles(LoadFileScheduling):
        def _split_scope(self, nodeid: str) -> str:
            file = nodeid.split("::")[0]
            stem = Path(file).stem
            return next((name for name, files in TOGETHER.items() if stem in files), file)

    return WholeFiles(config, log)


def pytest_configure(config: pytest.Config) -> None:
    """The kernels in which nbval executes the committed notebooks load nothing to train with."""
    os.environ["REPRO_TESTS_LIGHT"] = LIGHT
    os.environ["JUPYTER_PATH"] = str(REPOSITORY / "tests" / "light")


@pytest.fixture(scope="session")
def session_cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A cache folder for the whole session, so that HASYv2 is decoded at most once."""
    return tmp_path_factory.mktemp("cache")


@pytest.fixture(autouse=True)
def own_folders(session_cache: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No test touches the user's caches, store or data folder."""
    monkeypatch.setenv("REPRO_CACHE_DIR", str(session_cache))
    monkeypatch.setenv("REPRO_STORE", str(tmp_path / "store"))
    monkeypatch.delenv("REPRO_DATA_DIR", raising=False)


def _data_folder() -> Path:
    if not DATA_FOLDER.is_dir():
        missing = f"There is no data in {DATA_FOLDER}: REPRO_DATA_DIR may name another folder."
        if os.environ.get("CI"):
            pytest.fail(missing)
        pytest.skip(missing)
    return DATA_FOLDER


@pytest.fixture
def real_data_dir(own_folders: None, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder with the real data, named by REPRO_DATA_DIR during the test.

    Where there is none the test is skipped, and in continuous integration (CI is set) it fails.
    """
    folder = _data_folder()
    monkeypatch.setenv("REPRO_DATA_DIR", str(folder))
    return folder


@pytest.fixture(params=datasets.NAMES)
def dataset(request: pytest.FixtureRequest) -> str:
    """Each dataset in turn, its real data at hand."""
    if request.param != "digits":
        request.getfixturevalue("real_data_dir")
    if request.param == "hasyv2":
        request.getfixturevalue("prepared_cache")
    return request.param


@pytest.fixture(scope="session")
def built_book(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The book as HTML, built from a copy of the checkout: EXECUTED now, the rest as committed."""
    from repro.book import build

    copy, execute_all = tmp_path_factory.mktemp("book"), build.execute_all
    for name in ("_config.yml", "_toc.yml", "CITATION.cff"):
        shutil.copy(build.ROOT / name, copy)
    shutil.copytree(build.ROOT / build.BOOK, copy / build.BOOK)

    def one_executed(names: list[str], parameters: dict, folder: Path) -> None:
        for name in names:
            shutil.copy(copy / build.BOOK / f"{name}.ipynb", folder)
        execute_all([EXECUTED], parameters, folder)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(build, "ROOT", copy)
        patch.setattr(build, "execute_all", one_executed)
        patch.setenv("REPRO_STORE", str(copy / "store"))
        assert build.build({}) == 0, "the book is built without warnings"
    return copy / "_build" / "html"


@pytest.fixture(scope="session")
def prepared_cache(session_cache: Path) -> Path:
    """The session's cache folder, with the real HASYv2 prepared in it."""
    folder = _data_folder()
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("REPRO_DATA_DIR", str(folder))
        patch.setenv("REPRO_CACHE_DIR", str(session_cache))
        datasets.load("hasyv2", progress=False)
    return session_cache
