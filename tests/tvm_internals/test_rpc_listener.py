"""TVM's RPC server, started by its parts, answers clients; its thread and its socket are where we look for them."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from tests.support.boards.board_process import free_port

ROOT = Path(__file__).parents[2]
# In a process of its own, for the server's thread never ends.
SERVE_AND_ASK = """
import os, sys
import psutil
from b2nn_tvm.tvm_internals.import_alone import import_tvm_alone
import_tvm_alone()  # torch would take longest
from tvm import rpc
from tvm_ffi import register_global_func
from b2nn_tvm.tvm_internals.rpc_listener import RpcListener
register_global_func("ours", lambda: "answer of this process")
port = int(sys.argv[1])
listener = RpcListener("127.0.0.1", port, tracker=None, key="")
assert listener.is_listening()
try:
    RpcListener("127.0.0.1", port, tracker=None, key="")
except ValueError:
    print("taken")
session = rpc.connect("127.0.0.1", port)
print(session.get_function("ours")(), flush=True)
del session
child = os.fork()  # as for each client
if child == 0:
    listener.close_socket()
    listener.close_socket()
    print(sum(each.status == "LISTEN" for each in psutil.Process().net_connections()), "ports kept", flush=True)
    os._exit(0)
os.waitpid(child, 0)
os._exit(0)
"""


def test_it_serves_from_this_process_and_a_forked_one_gives_its_port_up():
    command = [sys.executable, "-c", SERVE_AND_ASK, str(free_port())]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=300, check=False)
    assert done.stdout.splitlines() == ["taken", "answer of this process", "0 ports kept"], (
        "tvm.rpc.server.PopenRPCServerState works otherwise: b2nn-device cannot serve; see"
        f" b2nn_tvm/tvm_internals/rpc_listener.py. {done.stderr}"
    )
