"""An ensemble by `jax.vmap`, as one would write it by hand, as `repro bench` measures it."""

import time
from collections.abc import Callable

import jax
import jax.numpy as jnp
import numpy as np

from repro.bench.worker import Workload

jax.config.update("jax_default_matmul_precision", "highest")  # float32, as the others


class Engine:
    """`vmap` of one network's SGD step, inside one compiled loop over the batches."""

    def __init__(self, work: Workload) -> None:
        self._parameters = tuple(jnp.asarray(part) for part in work.initial_parameters())
        self._data = jnp.asarray(work.data.x_train), jnp.asarray(work.data.y_train)
        rate, classes = work.experiment.learning_rate, work.data.classes
        batch_size, steps = work.batch_size, work.steps

        def loss(parameters, inputs, labels):
            first, second, third, first_bias, second_bias, third_bias = parameters
            hidden = jax.nn.relu(inputs @ first + first_bias)
            hidden = jax.nn.relu(hidden @ second + second_bias)
            logarithms = jax.nn.log_softmax(hidden @ third + third_bias)
            return -jnp.mean(jnp.sum(jax.nn.one_hot(labels, classes) * logarithms, axis=1))

        def step(parameters, chosen, pixels, labels):
            inputs = pixels[chosen].astype(jnp.float32) / 255
            value, slopes = jax.value_and_grad(loss)(parameters, inputs, labels[chosen])
            descended = (part - rate * slope for part, slope in zip(parameters, slopes))  # noqa: B905
            return tuple(descended), value

        ensemble = jax.vmap(step, in_axes=(0, 0, None, None))

        def train(parameters, order, pixels, labels):
            def body(index, carry):
                parameters, total = carry
                chosen = jax.lax.dynamic_slice_in_dim(order, index * batch_size, batch_size, axis=1)
                parameters, value = ensemble(parameters, chosen, pixels, labels)
                return parameters, total + value

            return jax.lax.fori_loop(0, steps, body, (parameters, jnp.zeros(order.shape[0])))

        self._train = jax.jit(train, donate_argnums=0)

    def run(self, order: np.ndarray) -> float:
        """Train in this order; returns the seconds."""
        start = time.perf_counter()
        self._parameters, total = self._train(self._parameters, jnp.asarray(order), *self._data)
        jax.block_until_ready((self._parameters, total))
        return time.perf_counter() - start

    def parameters(self) -> tuple[np.ndarray, ...]:
        """Weights, then biases, with the replica in front."""
        return tuple(np.asarray(part) for part in self._parameters)


def products(pairs: list[tuple[np.ndarray, np.ndarray]]) -> Callable[[], None]:
    """What multiplies the pairs of matrices once, and waits for it."""
    on_device = [tuple(map(jnp.asarray, pair)) for pair in pairs]
    multiply = jax.jit(lambda pairs: [jnp.matmul(*pair) for pair in pairs])
    return lambda: jax.block_until_ready(multiply(on_device))


def device() -> str:
    """What it runs on."""
    return jax.devices()[0].device_kind


def peak_memory() -> int | None:
    """The most bytes of an accelerator's memory that were in use; None on a CPU."""
    return (jax.devices()[0].memory_stats() or {}).get("peak_bytes_in_use")


def versions() -> dict[str, str]:
    """Of the libraries used."""
    return {"jax": jax.__version__}
