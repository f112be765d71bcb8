"""The differences between TensorFlow and JAX: how to compile, how to differentiate, the device.

Importing this module imports Keras and its backend (environment variable KERAS_BACKEND: tensorflow,
the default, or jax). Only the training imports it, and takes `ops` from here, so that Keras is
never imported before the backend is checked. REPRO_TF32=1 lets a GPU multiply with the 11 bits of
TF32; by default all arithmetic is float32.
"""

import contextlib
import os
import platform
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

from repro import provenance
from repro.errors import ReproError
from repro.training.schedule import cores

NAMES = ("tensorflow", "jax")

os.environ.setdefault("KERAS_BACKEND", "tensorflow")
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")  # TensorFlow greets at length otherwise
NAME = os.environ["KERAS_BACKEND"]

if NAME not in NAMES:
    raise ReproError(f"KERAS_BACKEND must be one of {', '.join(NAMES)}, not {NAME!r}.")

if (_asked := os.environ.get("REPRO_TF32", "0")) not in ("0", "1"):
    raise ReproError(f"REPRO_TF32 must be 0 or 1, not {_asked!r}.")
_TF32 = _asked == "1"


@contextlib.contextmanager
def _unwelcomed() -> Iterator[None]:
    """Keep back what TensorFlow's libraries say as they are loaded, unless that fails."""
    kept = os.dup(2)
    with tempfile.TemporaryFile() as said:
        os.dup2(said.fileno(), 2)
        try:
            yield
        except BaseException:
            said.seek(0)
            sys.stderr.write(said.read().decode(errors="replace"))
            raise
        finally:
            os.dup2(kept, 2)
            os.close(kept)


try:
    with _unwelcomed():
        import keras
        from keras import ops as ops
except ImportError as error:
    raise ReproError(
        f"Training needs Keras with {NAME}, which cannot be imported here ({error}): install this "
        "package with the extra 'train', or 'jax' with KERAS_BACKEND=jax."
    ) from error

# For each backend:
# compiled(program): it, compiled by XLA for the device.
# gradient(loss, parameters): of a scalar; ``loss(parameters)`` returns (scalar, other), and the
#   result is the gradient and ``other``.
# hessian_product(loss, parameters, direction): the Hessian of the scalar ``loss(parameters)`` times
#   a direction shaped like the parameters, without the Hessian.
# peak_memory(): the most bytes of an accelerator's memory that were in use; None on a CPU.
if NAME == "tensorflow":
    import tensorflow

    tensorflow.config.experimental.enable_tensor_float_32_execution(_TF32)
    # It warns of every new program, and each width is one.
    tensorflow.get_logger().setLevel("ERROR")

    def compiled(program: Callable) -> Callable:
        return tensorflow.function(program, jit_compile=True, autograph=False)

    def gradient(loss: Callable, parameters: tuple) -> tuple[tuple, Any]:
        with tensorflow.GradientTape() as tape:
            tape.watch(parameters)
            value, other = loss(parameters)
        return tuple(tape.gradient(value, parameters)), other

    def hessian_product(loss: Callable, parameters: tuple, direction: tuple) -> tuple:
        with tensorflow.GradientTape() as tape:
            tape.watch(parameters)
            slopes, _ = gradient(lambda each: (loss(each), None), parameters)
            pairs = zip(slopes, direction, strict=True)
            along = sum(tensorflow.reduce_sum(slope * part) for slope, part in pairs)
        return tuple(tape.gradient(along, parameters, unconnected_gradients="zero"))

    def _accelerators() -> list[str]:
        devices = tensorflow.config.list_physical_devices("GPU")
        details = tensorflow.config.experimental.get_device_details
        return [details(device).get("device_name", device.name) for device in devices]

    def peak_memory() -> int | None:
        if not _accelerators():
            return None
        return tensorflow.config.experimental.get_memory_info("GPU:0")["peak"]

else:
    import jax

    jax.config.update("jax_default_matmul_precision", "tensorfloat32" if _TF32 else "highest")

    def compiled(program: Callable) -> Callable:
        return jax.jit(program)

    def gradient(loss: Callable, parameters: tuple) -> tuple[tuple, Any]:
        return jax.grad(loss, has_aux=True)(parameters)

    def hessian_product(loss: Callable, parameters: tuple, direction: tuple) -> tuple:
        return jax.jvp(jax.grad(loss), (parameters,), (direction,))[1]

    def _accelerators() -> list[str]:
        return [device.device_kind for device in jax.devices() if device.platform != "cpu"]

    def peak_memory() -> int | None:
        return (jax.devices()[0].memory_stats() or {}).get("peak_bytes_in_use")


def device() -> str:
    """What the programs run on, in words: the accelerator, or the processor and its cores."""
    return (*_accelerators(), f"CPU {_processor()}, {cores()} cores")[0]


def precision() -> str:
    """Of the matrix products: float32, or tf32 where an accelerator was asked for that."""
    return "tf32" if _TF32 and _accelerators() else "float32"


def made(before: Mapping[str, Any], epoch: int) -> dict[str, str]:
    """What computes here and now, from an epoch on, after what did ``before`` (empty: nothing)."""
    now = {"code_version": provenance.code_version(), "backend": NAME}
    now |= {"device": device(), "precision": precision()}
    told = {name: provenance.continued(before.get(name), now[name], epoch) for name in now}
    libraries = provenance.library_versions(versions(), before.get("library_versions"))
    return told | {"library_versions": libraries, "finished": provenance.now()}


def lanes() -> int:
    """How many programs to run at once; two on two cores do more than one on both."""
    return 1 if _accelerators() else cores()


def replicas_together() -> int:
    """How many replicas one program should train: one on a CPU, or what fills an accelerator."""
    return 16 if _accelerators() else 1


def versions() -> dict[str, str]:
    """Version of Keras and of the backend."""
    library = tensorflow if NAME == "tensorflow" else jax
    return {"keras": keras.__version__, NAME: library.__version__}


def _processor() -> str:
    information = Path("/proc/cpuinfo")
    lines = information.read_text().splitlines() if information.exists() else []
    models = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return models[0] if models else platform.processor() or platform.machine()
