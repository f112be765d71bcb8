"""An ensemble by `torch.func.vmap`, as PyTorch's own guide writes it, as `repro bench` measures it.

Parameters of all replicas are stacked, `vmap` runs one network's gradient over them.
"""

import time
from collections.abc import Callable

import numpy as np
import torch
from torch.func import grad_and_value, vmap

from repro.bench.worker import Workload

torch.backends.cuda.matmul.allow_tf32 = False  # float32, as the others
_DEVICE = "cuda" if torch.cuda.is_available() else "cpu"


class Engine:
    """`vmap` of one network's gradient, steps one after another in Python."""

    def __init__(self, work: Workload) -> None:
        self._parameters = tuple(
            torch.from_numpy(part).to(_DEVICE) for part in work.initial_parameters()
        )
        self._pixels = torch.from_numpy(work.data.x_train.copy()).to(_DEVICE)
        self._labels = torch.from_numpy(work.data.y_train.copy()).to(_DEVICE).long()
        self._rate, self._batch_size = work.experiment.learning_rate, work.batch_size

        def loss(parameters, inputs, labels):
            first, second, third, first_bias, second_bias, third_bias = parameters
            hidden = torch.relu(inputs @ first + first_bias)
            hidden = torch.relu(hidden @ second + second_bias)
            return torch.nn.functional.cross_entropy(hidden @ third + third_bias, labels)

        self._gradient = vmap(grad_and_value(loss))

    def run(self, order: np.ndarray) -> float:
        """Train in this order; returns the seconds."""
        start = time.perf_counter()
        chosen = torch.from_numpy(order).to(_DEVICE).long()
        total = torch.zeros(len(order), device=_DEVICE)
        with torch.no_grad():
            for batch in chosen.split(self._batch_size, dim=1):
                inputs = self._pixels[batch].float().div_(255)
                slopes, value = self._gradient(self._parameters, inputs, self._labels[batch])
                torch._foreach_add_(self._parameters, slopes, alpha=-self._rate)
                total += value
        total.cpu()  # waits for the device
        return time.perf_counter() - start

    def parameters(self) -> tuple[np.ndarray, ...]:
        """Weights, then biases, with the replica in front."""
        return tuple(part.cpu().numpy() for part in self._parameters)


def products(pairs: list[tuple[np.ndarray, np.ndarray]]) -> Callable[[], None]:
    """What multiplies the pairs of matrices once, and waits for it."""
    on_device = [tuple(torch.from_numpy(part).to(_DEVICE) for part in pair) for pair in pairs]

    def once() -> None:
        results = [torch.matmul(*pair) for pair in on_device]
        results[-1][..., 0, 0].cpu()

    return once


def device() -> str:
    """What it runs on."""
    return torch.cuda.get_device_name() if _DEVICE == "cuda" else "cpu"


def peak_memory() -> int | None:
    """The most bytes of an accelerator's memory that were in use; None on a CPU."""
    return torch.cuda.max_memory_allocated() if _DEVICE == "cuda" else None


def versions() -> dict[str, str]:
    """Of the libraries used."""
    return {"torch": torch.__version__}
