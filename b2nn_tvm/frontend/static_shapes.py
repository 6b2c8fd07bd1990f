"""The static shape of every input of a network: what the file says, and what the user gives for what it leaves open."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import onnx
from onnx import TensorProto

from b2nn_tvm.errors import InputError, UnsupportedError
from b2nn_tvm.frontend.checks.check_sizes import check_shapes
from b2nn_tvm.frontend.checks.check_types import COMPILED_TYPES

Shape = tuple[int, ...]


def input_shapes(model: onnx.ModelProto, given: Mapping[str, Shape] | None) -> dict[str, Shape]:
    """The static shape of every input: the ``given`` one, else the one in the file, with 1 for a batch that the file
    leaves open. A ``given`` shape under the name "" is that of the only input. Dimensions of one name have one size:
    what is given for one input holds for the others, too.

    Raises InputError where another dimension is open, where ``given`` contradicts the file or itself, or where an input
    would have more than 2^28 elements.
    """
    constants = {tensor.name for tensor in model.graph.initializer}
    declared = {value.name: value for value in model.graph.input if value.name not in constants}
    given = _named(given or {}, list(declared))
    for name, value in declared.items():
        _check_input(name, value, given.get(name))
    sizes = _named_sizes(declared, given)
    for value in declared.values():
        for dim in value.type.tensor_type.shape.dim[:1]:  # the batch
            if dim.dim_param:
                sizes.setdefault(dim.dim_param, 1)
    shapes = {name: given.get(name) or _static_shape(name, value, sizes) for name, value in declared.items()}
    check_shapes(shapes)
    return shapes


def _named(given: Mapping[str, Shape], inputs: list[str]) -> dict[str, Shape]:
    """The ``given`` shapes by the names of ``inputs``; raises InputError where they do not fit these."""
    named = dict(given)
    if "" in named:  # no input of ONNX has this name
        shape = named.pop("")
        sizes = "x".join(map(str, shape))
        if len(inputs) != 1:
            raise InputError(
                f"the shape {sizes} was given without a name, but the network has {len(inputs)} inputs: "
                f"{', '.join(inputs)}; name the one that is meant, such as --input-shape {inputs[0]}={sizes}"
            )
        if named.setdefault(inputs[0], shape) != shape:
            raise InputError(f"input {inputs[0]!r} was given two shapes, {_text(named[inputs[0]])} and {_text(shape)}")
    for name in named:
        if name not in inputs:
            raise InputError(f"the model has no input {name!r}; its inputs are {', '.join(inputs)}")
    return named


def _text(shape: Sequence[object]) -> str:
    return ",".join(map(str, shape))


def _dims(value: onnx.ValueInfoProto) -> list[int | None]:
    """The sizes in the file, None for those that it leaves open; some exporters write -1 or 0 for open."""
    return [
        dim.dim_value if dim.HasField("dim_value") and dim.dim_value > 0 else None
        for dim in value.type.tensor_type.shape.dim
    ]


def _words(value: onnx.ValueInfoProto) -> str:
    dims = value.type.tensor_type.shape.dim
    return f"[{', '.join(str(size) if size else dim.dim_param or '?' for size, dim in zip(_dims(value), dims))}]"


def _check_input(name: str, value: onnx.ValueInfoProto, given: Shape | None) -> None:
    """Raise an error where the input cannot be compiled, or where the ``given`` shape contradicts the file."""
    tensor = value.type.tensor_type
    if not value.type.HasField("tensor_type"):
        raise UnsupportedError(f"input {name!r} is no tensor; only tensors can be compiled")
    if tensor.elem_type not in COMPILED_TYPES:
        names = {number: word for word, number in TensorProto.DataType.items()}
        raise UnsupportedError(
            f"input {name!r} has the type {names.get(tensor.elem_type, tensor.elem_type)}; expected float, bool or "
            "integers of at least 8 bits: export the network with one of these"
        )
    if not tensor.HasField("shape"):
        if given is None:
            raise InputError(f"the shape of input {name!r} is not in the file; pass --input-shape {name}=1x3x224x224")
        return
    negative = [dim.dim_value for dim in tensor.shape.dim if dim.dim_value < -1]
    if negative:
        raise InputError(f"input {name!r} has a dimension of {negative[0]} in the file; export it again")
    dims = _dims(value)
    if given is not None and (
        len(given) != len(dims) or any(d not in (None, g) for d, g in zip(dims, given)) or min(given, default=1) < 1
    ):
        raise InputError(f"input {name!r} has the shape {_words(value)} in the file, but {_text(given)} was given")


def _named_sizes(declared: Mapping[str, onnx.ValueInfoProto], given: Mapping[str, Shape]) -> dict[str, int]:
    """The sizes of the dimensions that have names, as far as shapes are given; raises InputError where one name would
    have two sizes.
    """
    found: dict[str, tuple[int, str]] = {}
    for name, shape in given.items():
        for dim, size in zip(declared[name].type.tensor_type.shape.dim, shape):
            if dim.dim_param:
                known, first = found.setdefault(dim.dim_param, (size, name))
                if known != size:
                    where = f"{known} in input {first!r}" if first != name else f"{known}"
                    raise InputError(
                        f"the dimension {dim.dim_param!r} is one size in the file, but the shapes given make it "
                        f"{where} and {size} in input {name!r}; give it the same size everywhere"
                    )
    return {word: size for word, (size, _) in found.items()}


def _static_shape(name: str, value: onnx.ValueInfoProto, sizes: Mapping[str, int]) -> Shape:
    dims = [size or sizes.get(dim.dim_param) for size, dim in zip(_dims(value), value.type.tensor_type.shape.dim)]
    if dims and dims[0] is None:
        dims[0] = 1
    static = tuple(size for size in dims if size is not None)
    if len(static) < len(dims):
        example = "x".join(str(size or 224) for size in dims)
        raise InputError(
            f"input {name!r} has the shape {_words(value)}, and only the batch may be left open; "
            f"pass --input-shape {name}={example}"
        )
    return static
