"""The folders that TVM makes are known until they are removed."""

from __future__ import annotations

from pathlib import Path

from tvm.rpc import server
from tvm.support.utils import TempDirectory

from b2nn_tvm.tvm_internals.temp_folders import temp_folders

BREAKS = (
    "TVM's RPC server does not keep its folders in TempDirectory.TEMPDIRS any more: b2nn-device leaves files of clients"
    " behind when it ends; see b2nn_tvm/tvm_internals/temp_folders.py"
)


def test_a_folder_is_listed_while_it_is_there():
    folder = TempDirectory()
    path = str(folder.path)
    assert path in temp_folders() and Path(path).is_dir(), BREAKS
    folder.remove()
    assert path not in temp_folders() and not Path(path).exists(), BREAKS


def test_so_is_the_folder_of_a_client_of_the_rpc_server():
    folder = server._server_env(None)
    try:
        assert str(folder.path) in temp_folders(), BREAKS
    finally:
        folder.remove()
