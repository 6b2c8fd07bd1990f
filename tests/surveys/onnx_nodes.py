"""The node tests of the onnx package through the compiler."""

from __future__ import annotations

import re
import tempfile
import warnings
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    import onnx
    from onnx.backend.test.case.test_case import TestCase

TITLE = "ONNX's node tests"
ABOUT = """
The tests of single operators that the onnx package generates, but for those of text, speech, training, and types that
are no tensors of numbers. An operator's definition by other ones is left out where the operator itself is tested.
Each one is compiled for this machine as it stands, and once more with all inputs but the first as constants of the
file, which is how networks hold weights, axes and sizes. "passed": what was compiled gives the values that the test
expects, to 1e-4, or 2e-3 for float16. "refused": neither form is compiled; the reason is that of the form with
constants.
"""
COLUMNS = ("test", "operators", "outcome", "reason", "as it is", "with constants")
PASSED, REFUSED, WRONG, CRASHED = OUTCOMES = ("passed", "refused", "wrong", "crashed")
PER_PROCESS = 300

_PLACE = re.compile(r"^\S*/node-\w+/\S+?: ")  # of the file, which is another one each time

_OTHER_DOMAINS = ("ai.onnx.ml", "ai.onnx.preview", "ai.onnx.preview.training")
_OTHER_OPERATORS = (  # of texts, speech and training
    *("Attention", "CausalConv", "CrossEntropy", "GRU", "ImageDecoder", "LSTM", "LogLikelihood", "Mel", "Optional"),
    *("RNN", "Regex", "Rotary", "STFT", "Scan", "Sequence", "String", "TensorScatter", "TfIdf", "Unique", "Window"),
)


@cache
def node_tests() -> dict[str, TestCase]:
    """The node tests that onnx generates, by name, in their order."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from onnx.backend.test.case.node import collect_testcases

        return {case.name: case for case in collect_testcases(None)}


def names() -> Sequence[str]:
    """The tests of tensors of numbers."""
    return [name for name, case in node_tests().items() if _is_asked(case)]


def _is_asked(case: TestCase) -> bool:
    graph = case.model.graph
    tensors = all(value.type.HasField("tensor_type") for value in (*graph.input, *graph.output))
    operators = {node.op_type for node in graph.node}
    return (
        tensors
        and not any(node.domain in _OTHER_DOMAINS for node in graph.node)
        and not case.name.endswith("_expanded")
        and "_expanded_ver" not in case.name
        and not any(word in operator for word in _OTHER_OPERATORS for operator in operators)
    )


def row(name: str) -> dict[str, object]:
    """What became of the test in both forms."""
    case = node_tests()[name]
    forms = {"as it is": _tried(case, case.model, case.data_sets)}
    if bound := with_constants(case):
        forms["with constants"] = _tried(case, *bound)
    words = {form: word for form, (word, _) in forms.items()}
    outcome = next(word for word in (WRONG, CRASHED, PASSED, REFUSED) if word in words.values())
    reasons = [reason for word, reason in forms.values() if word == outcome]
    operators = " ".join(sorted({node.op_type for node in case.model.graph.node}))
    return {"operators": operators, "outcome": outcome, "reason": reasons[-1], **words}


def with_constants(case: TestCase) -> tuple[onnx.ModelProto, list[Any]] | None:
    """The model with all inputs but the first as initializers, and its data; None where it has no other inputs."""
    import onnx

    inputs, outputs = case.data_sets[0]
    names_of_inputs = [value.name for value in case.model.graph.input]
    if len(names_of_inputs) < 2 or len(inputs) != len(names_of_inputs):
        return None
    model = onnx.ModelProto()
    model.CopyFrom(case.model)
    for name, value in zip(names_of_inputs[1:], inputs[1:], strict=True):
        tensor = value if isinstance(value, onnx.TensorProto) else onnx.numpy_helper.from_array(np.asarray(value))
        copied = model.graph.initializer.add()
        copied.CopyFrom(tensor)
        copied.name = name
    del model.graph.input[1:]
    return model, [(inputs[:1], outputs)]


def _tried(case: TestCase, model: onnx.ModelProto, sets: Sequence[Any]) -> tuple[str, str]:
    """The outcome of one form, and the reason."""
    from b2nn_tvm.errors import B2nnError, ProgramFault

    try:
        differences(case, model, sets)
    except ProgramFault as error:
        return CRASHED, str(error)
    except B2nnError as error:
        return REFUSED, _PLACE.sub("", str(error))
    except AssertionError as error:
        return WRONG, " ".join(str(error).split())[:200]
    except Exception as error:  # noqa: BLE001 - what the survey is there to find
        return CRASHED, f"{type(error).__name__}: {' '.join(str(error).split())[:200]}"
    return PASSED, ""


def differences(case: TestCase, model: onnx.ModelProto, sets: Sequence[Any]) -> None:
    """Compile one form of a test, and raise AssertionError where its outputs are not those that are expected."""
    import onnx

    from b2nn_tvm.compiler import compile_model

    with tempfile.TemporaryDirectory(prefix="node-") as folder:
        path = Path(folder) / f"{case.name}.onnx"
        onnx.save(model, path)
        with compile_model(path, output=Path(folder) / "library", verify=False) as artifact:
            for inputs, outputs in sets:
                arrays = [_array(value) for value in inputs]
                found = artifact.run(dict(zip([value.name for value in model.graph.input], arrays, strict=True)))
                for value, expected in zip(model.graph.output, map(_array, outputs), strict=True):
                    _compare(found[value.name], expected, case)


def _compare(found: np.ndarray, expected: np.ndarray, case: TestCase) -> None:
    assert found.dtype == expected.dtype, f"{found.dtype} came, not {expected.dtype}"
    half = expected.dtype == np.float16
    np.testing.assert_allclose(
        found.astype(np.float64),
        expected.astype(np.float64),
        rtol=max(case.rtol, 2e-3 if half else 1e-4),
        atol=max(case.atol, 2e-3 if half else 1e-6),
    )


def _array(value: Any) -> np.ndarray:
    import onnx

    return onnx.numpy_helper.to_array(value) if isinstance(value, onnx.TensorProto) else np.asarray(value)
