"""The model files of old opsets that the onnx package holds for tests of backends."""

from __future__ import annotations

import tempfile
from pathlib import Path

TITLE = "Old model files of the onnx package"
ABOUT = """
All model files in `onnx/backend/test/data`: the light zoo (AlexNet to VGG-19 with computed weights), files that
PyTorch's first exporter wrote, and others, of opsets 3 to 14. Each is compiled for this machine and run on its own
inputs; the results are compared with those that stand beside the file, to 1e-3.
"""
COLUMNS = ("file", "opset", "outcome", "difference", "reason")
OUTCOMES = ("passed", "refused", "wrong")
LIMIT_S = 900
PER_PROCESS = 40
TOLERANCE = 1e-3

FOLDERS = ("light", "pytorch-converted", "pytorch-operator", "simple")


def names() -> list[str]:
    """The places of the files, below the folder of the data."""
    files = (path for folder in FOLDERS for path in sorted((_data() / folder).rglob("*.onnx")))
    return [str(path.relative_to(_data())) for path in files]


def row(name: str) -> dict[str, object]:
    """What became of the file ``name``."""
    import onnx

    from b2nn_tvm import compile_model
    from b2nn_tvm.errors import B2nnError, ProgramFault

    path = _data() / name
    model = onnx.load(path)
    found: dict[str, object] = {"opset": max((o.version for o in model.opset_import if not o.domain), default=0)}
    with tempfile.TemporaryDirectory() as folder:
        try:
            artifact = compile_model(path, output=folder, verify=False)
        except ProgramFault:
            raise
        except B2nnError as error:
            return found | {"outcome": "refused", "reason": str(error).removeprefix(f"{path}: ")}
        with artifact:
            difference = max(_difference(artifact, inputs, wanted) for inputs, wanted in _examples(path, model))
    return found | {"outcome": "passed" if difference <= TOLERANCE else "wrong", "difference": difference}


def _data() -> Path:
    import onnx.backend.test

    return Path(onnx.backend.test.__file__).parent / "data"


def _examples(path, model):
    """The inputs and outputs by name: those beside the file, or the runner's own inputs and the output beside it."""
    import onnx
    from onnx import numpy_helper
    from onnx.backend.test.runner import Runner

    def read(file: Path):
        return numpy_helper.to_array(onnx.TensorProto.FromString(file.read_bytes()))

    constants = {tensor.name for tensor in model.graph.initializer}
    inputs = [value for value in model.graph.input if value.name not in constants]
    outputs = [value.name for value in model.graph.output]
    if path.parent.name == "light":
        (value,) = inputs
        made = Runner.generate_dummy_data(value, seed=0, name=path.stem, random=False)
        yield {value.name: made}, {outputs[0]: read(path.with_name(f"{path.stem}_output_0.pb"))}
        return
    for folder in sorted(path.parent.glob("test_data_set_*")):
        values = [read(folder / f"input_{index}.pb") for index in range(len(inputs))]
        wanted = [read(folder / f"output_{index}.pb") for index in range(len(outputs))]
        yield {value.name: x for value, x in zip(inputs, values)}, dict(zip(outputs, wanted))


def _difference(artifact, inputs, wanted) -> float:
    from b2nn_tvm.verification.verify_artifact import relative_difference

    return relative_difference(artifact.run(inputs), wanted)
