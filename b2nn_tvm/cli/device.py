"""b2nn-device runs on the board and lets other machines run and measure compiled networks there."""

from __future__ import annotations

import os

import click

from b2nn_tvm.cli.command import Command
from b2nn_tvm.cli.options.numbers import WholeNumber
from b2nn_tvm.version import __version__

KIND, VERSION = "b2nn-device", 1
LOOPBACK = ("127.0.0.1", "::1", "localhost")


@click.command(cls=Command)
@click.option("--host", default="127.0.0.1", show_default=True, metavar="ADDRESS", help="Address to serve on.")
@click.option(
    "--port", default=9090, show_default=True, metavar="N", type=WholeNumber(1, 65535), help="Port to serve on."
)
@click.option(
    "--trust-network",
    is_flag=True,
    help="Allow an address that other machines reach: each of them may run any code here.",
)
@click.option("--tracker", metavar="HOST:PORT", help="Offer this board to TVM's tracker at this address; needs --key.")
@click.option(
    "--key", default="", metavar="KEY", help="The kind of board, such as rpi4, by which the tracker hands it out."
)
@click.option("--json", "as_json", is_flag=True, help="Print where it serves as JSON, on one line, as soon as it does.")
@click.version_option(__version__)
def main(host: str, port: int, trust_network: bool, tracker: str | None, key: str, as_json: bool) -> None:
    """Serve this board over TVM's RPC, until interrupted.

    TVM's RPC executes any code that it is sent, so by default only this board itself can connect: other machines come
    through an ssh tunnel.
    """
    if host not in LOOPBACK and not trust_network:
        raise click.UsageError(
            f"--host {host} lets other machines run any code on this board; add --trust-network if you trust all that"
            " reach it, or keep "
            f'to 127.0.0.1 and connect through "ssh -N -L {port}:127.0.0.1:{port} user@board"'
        )
    if bool(tracker) != bool(key):
        raise click.UsageError("--tracker and --key go together")
    from b2nn_tvm.cli.output import print_document
    from b2nn_tvm.deploy.server.rpc_server import Serving

    if host not in LOOPBACK:
        click.echo(f"warning: every machine that reaches {host}:{port} can run any code on this board", err=True)
    with Serving(host, port, tracker=_address(tracker) if tracker else None, key=key) as serving:
        if as_json:
            told = {"host": host, "port": port, "tracker": tracker, "key": key or None, "process_id": os.getpid()}
            print_document(KIND, VERSION, told, on_one_line=True)
        else:
            offered = f", as {key} of the tracker {tracker}" if tracker else ""
            click.echo(f"serving on {host}:{port}{offered}; Ctrl-C ends it")
        serving.wait()


def _address(text: str) -> tuple[str, int]:
    host, _, port = text.rpartition(":")
    if not host or not port.isdigit():
        raise click.BadParameter(f"{text!r} is not HOST:PORT", param_hint="--tracker")
    return host, int(port)


if __name__ == "__main__":
    main()
