"""A script that trains, in processes of its own: to be interrupted, or to be started by torchrun."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import textwrap

from tests.support.paths import ROOT

TORCHRUN = ("-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2")
SCRIPT = """
import sys, torch
from dataclasses import replace
from torch import nn
from torch.nn import functional as F
from b2nn_tvm import data
from b2nn_tvm.data import TensorImages
from b2nn_tvm.mixbin.training.hardware import Hardware
from b2nn_tvm.mixbin.training.train import train

def main():
    torch.set_num_threads(1)
    whole = data.digits()
    small = lambda split: TensorImages(F.avg_pool2d(split.images, 4)[:160], split.labels[:160])
    parts = dict(train=small(whole.train), val=small(whole.val), test=small(whole.test))
    bundle = replace(whole, **parts, input_shape=(3, 8, 8), preprocess=None)
    torch.manual_seed(0)
    model = nn.Sequential(nn.Conv2d(3, 8, 3), nn.BatchNorm2d(8), nn.ReLU(), nn.Flatten(), nn.Linear(288, 10))
    {body}

if __name__ == "__main__":
    main()
"""


def run_script(body, tmp_path, *launcher):
    script = tmp_path / "script.py"
    script.write_text(SCRIPT.replace("{body}", textwrap.indent(textwrap.dedent(body), "    ").strip()))
    paths = os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")])
    environment = {**os.environ, "PYTHONPATH": paths, "OMP_NUM_THREADS": "1"}
    return subprocess.Popen(
        [sys.executable, *launcher, str(script)],
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def interrupt(process):
    """Press Ctrl-C until it is heard: the interpreter drops an interrupt that it raises inside a finalizer."""
    for _ in range(4):
        process.send_signal(signal.SIGINT)
        try:
            return process.communicate(timeout=60)
        except subprocess.TimeoutExpired:
            continue
    raise AssertionError("four interrupts in four minutes did not stop the training")
