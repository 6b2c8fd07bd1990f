"""What is kept is found again by any process, as long as it is whole, wanted, and not too old for the space."""

from __future__ import annotations

import os
import pwd
import subprocess
import sys
from pathlib import Path

import pytest

from b2nn_tvm.errors import InputError
from b2nn_tvm.storage.content_cache import ContentCache, user_cache_folder, user_content_cache

ROOT = Path(__file__).parents[2]
SIZE = 1000
# Writes the same keys as its siblings, again and again, and reads each of them whole.
SIBLING = """
import sys
from pathlib import Path
from b2nn_tvm.storage.content_cache import ContentCache
cache = ContentCache(Path(sys.argv[1]), 40_000)
for turn in range(60):
    for name in "abc":
        cache.store(name, name.encode() * 9_000)
        found = cache.load(name)
        assert found is None or found == name.encode() * 9_000, len(found)
    cache.trim()
"""


@pytest.fixture
def cache(tmp_path) -> ContentCache:
    return ContentCache(tmp_path / "cache", 100 * SIZE)


def test_what_was_stored_is_found(cache):
    assert cache.load("key") is None
    cache.store("key", b"one\ntwo\n")
    assert cache.load("key") == b"one\ntwo\n"
    assert cache.load("other") is None
    cache.store("key", b"")
    assert cache.load("key") == b""


@pytest.mark.parametrize("damage", [lambda c: c[:-1], lambda c: c[:5], lambda c: b"", lambda c: c[:-1] + b"!"])
def test_a_damaged_entry_is_as_good_as_none_and_is_replaced(cache, damage):
    cache.store("key", b"content")
    path = cache.folder / "key"
    path.write_bytes(damage(path.read_bytes()))
    assert cache.load("key") is None
    cache.store("key", b"content")
    assert cache.load("key") == b"content"


def test_what_was_not_used_for_the_longest_time_goes_first(tmp_path):
    cache = ContentCache(tmp_path, 4 * SIZE)
    for age, name in enumerate("abcd"):
        cache.store(name, bytes(SIZE - 65))  # 65: the digest and the end of its line
        os.utime(tmp_path / name, (1000 + age, 1000 + age))
    cache.trim()
    assert {path.name for path in tmp_path.iterdir()} == set("abcd")
    assert cache.load("a") is not None  # which is a use of it
    cache.store("e", bytes(SIZE - 65))
    cache.trim()
    assert {path.name for path in tmp_path.iterdir()} == set("ade")


def test_without_a_limit_nothing_is_kept(tmp_path):
    ContentCache(tmp_path, 10 * SIZE).store("key", b"content")
    off = ContentCache(tmp_path, 0)
    assert off.load("key") is None
    off.store("other", b"content")
    assert [path.name for path in tmp_path.iterdir()] == ["key"]


def test_a_folder_that_cannot_be_is_like_an_empty_one(tmp_path):
    (tmp_path / "file").write_text("")
    cache = ContentCache(tmp_path / "file" / "folder", 10 * SIZE)
    cache.store("key", b"content")
    assert cache.load("key") is None
    cache.trim()


def test_processes_write_and_trim_side_by_side(tmp_path):
    command = [sys.executable, "-c", SIBLING, str(tmp_path)]
    siblings = [subprocess.Popen(command, cwd=ROOT, stderr=subprocess.PIPE, text=True) for _ in range(3)]
    assert [sibling.communicate()[1] for sibling in siblings] == [""] * 3
    assert {path.name for path in tmp_path.iterdir()} <= set("abc")


def test_the_users_cache_has_the_size_that_the_user_says(monkeypatch, tmp_path):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.delenv("B2NN_CACHE_MIB", raising=False)
    assert user_content_cache("kernels") == ContentCache(tmp_path / "b2nn-tvm" / "kernels", 512 << 20)
    monkeypatch.setenv("B2NN_CACHE_MIB", "0")
    assert user_content_cache("kernels").limit_bytes == 0
    monkeypatch.setenv("B2NN_CACHE_MIB", "-1")
    with pytest.raises(InputError, match="B2NN_CACHE_MIB is the size of the cache in MiB.*not '-1'"):
        user_content_cache("kernels")


def test_the_folder_of_a_user(monkeypatch, tmp_path):
    """An empty HOME would be the root of the file system; a user who is only a number has none."""
    monkeypatch.delenv("XDG_CACHE_HOME", raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    assert user_cache_folder() == tmp_path / ".cache" / "b2nn-tvm"
    own = Path(pwd.getpwuid(os.getuid()).pw_dir, ".cache", "b2nn-tvm")
    monkeypatch.setenv("HOME", "")
    assert user_cache_folder() == own
    monkeypatch.delenv("HOME")
    assert user_cache_folder() == own
    monkeypatch.setattr(os, "getuid", lambda: 4_000_000_000)
    with pytest.raises(InputError, match="the user 4000000000 has no home for the cache: let HOME or XDG_CACHE_HOME"):
        user_cache_folder()
    monkeypatch.setenv("XDG_CACHE_HOME", "/var/cache/me")
    assert user_cache_folder() == Path("/var/cache/me/b2nn-tvm")
