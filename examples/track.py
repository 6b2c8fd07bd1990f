"""A tracker from videos on disk to compiled libraries: python examples/track.py [FOLDER]

FOLDER is a data set in GOT-10k's layout. Without it, small videos of moving patches are written and used, which takes
about 60 seconds on two cores. For a real data set, use siamfc() as it is, crops of 127 and 255 pixels, and far more
pairs and epochs.
"""

import b2nn_tvm  # before torch, whose idle threads then sleep

# isort: split
import sys
from pathlib import Path

import numpy as np
import torch

from b2nn_tvm import models
from b2nn_tvm.cli.draw_progress import progress
from b2nn_tvm.costs.budget import parse_budget
from b2nn_tvm.costs.counted import flops_cost
from b2nn_tvm.export.export_onnx import export_onnx
from b2nn_tvm.mixbin.network.flops import flops
from b2nn_tvm.mixbin.network.layers import trace
from b2nn_tvm.mixbin.selection.select import select
from b2nn_tvm.tracking.embedding import library_embedding, torch_embedding
from b2nn_tvm.tracking.got10k import got10k
from b2nn_tvm.tracking.metrics import tracking_score
from b2nn_tvm.tracking.moving_patches import write_moving_patches
from b2nn_tvm.tracking.pairs import pair_data
from b2nn_tvm.tracking.scoring import score
from b2nn_tvm.tracking.siamese import SiameseNet
from b2nn_tvm.tracking.sizes import Sizes
from b2nn_tvm.tracking.tracker import Tracker, track
from b2nn_tvm.tracking.train import finetune, train

OUTPUT = Path("build/track")


def main() -> None:
    folder = Path(sys.argv[1]) if len(sys.argv) > 1 else OUTPUT / "moving_patches"
    if len(sys.argv) == 1 and not folder.exists():
        write_moving_patches(folder, train=40, val=8, frames=16, size=(128, 96))
    torch.manual_seed(0)
    trunk = models.siamfc(width=8, stem_stride=1)
    net = SiameseNet(trunk, Sizes.of(trunk, exemplar=32, search=64))
    data = pair_data(folder, net.sizes, pairs=320, held_out_pairs=64, workers=0)
    held_out = got10k(folder, "val")

    def report(what: str, tracks) -> None:
        found = tracking_score(tracks)
        print(f"{what:34} AO {found.ao:.3f}  SR0.5 {found.sr50:.3f}  ({found.frames} frames)")

    def follow(what: str, embed) -> None:
        tracker = Tracker(embed, net.sizes)
        report(what, [(video, track(tracker, video)) for video in held_out])

    report("the first box, unmoved", [(video, np.repeat(video.boxes[:1], len(video), axis=0)) for video in held_out])
    follow("float, untrained", torch_embedding(net.trunk))
    with progress() as bars:
        train(net, data, epochs=6, lr=1e-2, batch=8, progress=bars)
    follow("float, trained", torch_embedding(net.trunk))

    # The trunk computes the search crop for each frame, so the budget counts the operations of this crop.
    shape = (3, net.sizes.search, net.sizes.search)
    cost = flops_cost(tuple(trace(net.trunk, shape)), total=flops(net.trunk, shape))
    scores = score("mixbin-loss", net, data.calibration(64, batch=32)).scores
    chosen = select(scores, cost, parse_budget("60%flops"))
    mixed = net.convert(chosen.binary)
    with progress() as bars:
        finetune(mixed, net, data, epochs=4, lr=5e-3, batch=8, progress=bars)
    layers = f"{len(chosen.binary)} of {len(scores)} layers binary"
    follow(f"{layers}, {100 * chosen.share:.0f} % FLOPs", torch_embedding(mixed.trunk))

    libraries = []
    for pixels in (net.sizes.exemplar, net.sizes.search):
        model = export_onnx(mixed.trunk, OUTPUT / f"{pixels}.onnx", input_shape=(3, pixels, pixels))
        libraries.append(b2nn_tvm.compile_model(model, output=OUTPUT / f"library-{pixels}"))
    follow("the same, compiled", library_embedding(*libraries))
    for library in libraries:
        library.close()


if __name__ == "__main__":
    main()
