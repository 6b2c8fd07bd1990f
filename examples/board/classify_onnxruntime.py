"""The best classes of photos by onnxruntime, for a machine that no library is compiled for: the same network, the same
labels and preprocessing.

    pip install 'b2nn-runtime[images]' onnxruntime
    python3 classify_onnxruntime.py model.onnx photo.jpg

The file model.onnx is that of b2nn-search: it consists of standard operators, and its metadata say how a photo becomes
the input.
"""

import json
import sys

import numpy as np
import onnxruntime
from b2nn_runtime.errors import RuntimeFault
from b2nn_runtime.preprocess import Preprocess
from b2nn_runtime.read_image import pixels_of


def main():
    if len(sys.argv) < 3:
        sys.exit("usage: classify_onnxruntime.py MODEL.onnx PHOTO ...")
    session = onnxruntime.InferenceSession(sys.argv[1], providers=["CPUExecutionProvider"])
    known = session.get_modelmeta().custom_metadata_map
    if "b2nn.preprocess" not in known:
        sys.exit(f"error: {sys.argv[1]}: its metadata do not say how a photo becomes the input (b2nn.preprocess)")
    prepare, labels = Preprocess.of(json.loads(known["b2nn.preprocess"])), json.loads(known.get("b2nn.labels", "null"))
    name = session.get_inputs()[0].name
    for path in sys.argv[2:]:
        scores = session.run(None, {name: prepare(pixels_of(path))})[0].ravel()
        best = np.argsort(-scores, kind="stable")[:3]
        words = [f"{labels[index] if labels else f'class {index}'} {scores[index]:.3f}" for index in best]
        print(f"{path}: {', '.join(words)}")


if __name__ == "__main__":
    try:
        main()
    except RuntimeFault as error:
        sys.exit(f"error: {error}")
