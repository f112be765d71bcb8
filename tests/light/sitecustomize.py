"""With this folder on PYTHONPATH no Python imports a machine-learning library, not even guarded."""

import sys

HEAVY = ("tensorflow", "keras", "jax", "jaxlib", "torch")


class Forbidden:
    """Refuses HEAVY in a way that no ``except ImportError`` catches."""

    @staticmethod
    def find_spec(name, path=None, target=None):
        if name.partition(".")[0] in HEAVY:
            raise AssertionError(f"{name} was imported")


sys.meta_path.insert(0, Forbidden)
