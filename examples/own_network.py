"""A network of your own, from float to a library that keeps a budget: python examples/own_network.py

The example takes about 30 seconds on two cores, on the built-in digits. A real network trains longer, or is trained
already: then leave out float_epochs.
"""

import b2nn_tvm  # before torch, whose idle threads then sleep

# isort: split
import torch
from torch import nn

from b2nn_tvm.data import digits


def block(channels: int) -> nn.Sequential:
    return nn.Sequential(nn.Conv2d(channels, channels, 3, padding=1, bias=False), nn.BatchNorm2d(channels), nn.ReLU())


class Net(nn.Module):
    """Plain `conv -> batch norm -> ReLU`: where a convolution becomes binary, an activation that keeps the sign takes
    the place of the ReLU in front of it.
    """

    def __init__(self, classes: int, width: int = 64) -> None:
        super().__init__()
        self.stem = nn.Sequential(
            nn.Conv2d(3, width, 3, stride=4, padding=1, bias=False), nn.BatchNorm2d(width), nn.ReLU()
        )
        self.blocks = nn.Sequential(*(block(width) for _ in range(3)))
        self.classifier = nn.Linear(width, classes)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.classifier(self.blocks(self.stem(x)).mean((2, 3)))


def main() -> None:
    data = digits()
    torch.manual_seed(0)
    result = b2nn_tvm.search(
        Net(data.classes), data=data, budget="60%ms", output="build/own_network", float_epochs=2, epochs=2
    )
    print(f"binary: {', '.join(result.plan.binary)}")
    print(
        f"{result.measured_ms:.4f} ms of {result.limit:.4f} ms; {100 * result.accuracy:.1f} % of the test images right"
    )

    with result.load() as library:
        image = data.test.images[:1].numpy()
        print(
            f"the library says {library.run({'input': image})['output'].argmax()}, the label is"
            f" {int(data.test.labels[0])}"
        )


if __name__ == "__main__":
    main()
