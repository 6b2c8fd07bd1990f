"""Single layers: our binary, 8-bit and float kernels beside the other engines', in one run.

    python benchmarks/conv.py [--target native] [--threads 1]
        [--cases stages 1x1 strided stem projections depthwise dense prime | all]
                              [--engines ...] [--json FILE] [--markdown FILE]

A binary convolution reads and writes floats: its time has the sign, the packing, the convolution and the scale. Our
kernels read and write channels-last, as they do inside a network, and so does Larq; the others read and write NCHW. All
get the same numbers, and an engine that computes something else gets no time. With a target by name, OpenVINO is held
to the instruction set of that target, too (to VNNI by x86-vpopcntdq, on a CPU with AMX); native holds nothing back.
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

from layer_engines import conv, time_layer
from options import options, parser
from report import Report
from rounds import Workers

from b2nn_tvm.targets import target as targets

# Group -> case -> workload.
CASES = {
    "stages": {f"{c}ch {s}x{s}": conv(s, c) for s, c in ((56, 64), (28, 128), (14, 256), (7, 512))},
    "1x1": {f"1x1 {c}ch {s}x{s}": conv(s, c, 1) for s, c in ((56, 64), (28, 128), (14, 256), (7, 512))},
    "strided": {
        f"3x3 s2 {c}-{2 * c} {s}x{s}": conv(s, c, out=2 * c, stride=2) for s, c in ((56, 64), (28, 128), (14, 256))
    },
    "projections": {
        f"1x1 s2 {c}-{2 * c} {s}x{s}": conv(s, c, 1, out=2 * c, stride=2) for s, c in ((56, 64), (28, 128), (14, 256))
    },
    "stem": {"7x7 s2 3-64 224x224": conv(224, 3, 7, out=64, stride=2)},
    "depthwise": {
        "dw 3x3 256ch 28x28": conv(28, 256, groups=256),
        "dw 3x3 s2 512ch 14x14": conv(14, 512, stride=2, groups=512),
    },
    "dense": {"dense 512-1000": conv(1, 512, 1, out=1000), "dense 2048-1000": conv(1, 2048, 1, out=1000)},
    "prime": {"5x5 64-128 31x31": conv(31, 64, 5, out=128), "1x1 384-256 13x13": conv(13, 384, 1, out=256)},
    "tiny": {"3x3 32ch 8x8": conv(8, 32)},
}
TITLES = {
    "stages": "3x3 convolutions, ResNet-18's four stages",
    "1x1": "1x1 convolutions",
    "strided": "3x3 convolutions of stride 2",
    "projections": "1x1 projections of stride 2",
    "stem": "Stem",
    "depthwise": "Depthwise 3x3 convolutions",
    "dense": "Dense layers",
    "prime": "Widths that nothing divides",
    "tiny": "To try the benchmark",
}
BENCH = tuple(group for group in CASES if group != "tiny")


def main() -> None:
    made = parser(__doc__.splitlines()[0], cases=tuple(CASES), default=("stages",), threads=1, rounds=13, seconds=0.04)
    chosen = options(made.parse_args(), BENCH)
    report = Report(f"Single layers, {chosen.threads} thread(s), b2nn compiled for {targets.get(chosen.target).vector}")
    with Workers() as workers:
        for group in chosen.cases:
            for case, workload in CASES[group].items():
                print(case, file=sys.stderr)
                with tempfile.TemporaryDirectory() as folder:
                    outcome = time_layer(
                        workload,
                        workers,
                        target=chosen.target,
                        our_threads=(chosen.threads,),
                        their_threads=(chosen.threads,),
                        wanted=chosen.engines,
                        rounds=chosen.rounds,
                        seconds=chosen.seconds,
                        folder=Path(folder),
                    )
                report.add(TITLES[group], case, workload.macs, outcome)
    report.finish(json_path=chosen.json, markdown_path=chosen.markdown)


if __name__ == "__main__":
    main()
