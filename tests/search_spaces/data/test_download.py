"""No data and no network: errors in bounded time that say what to do."""

import io
import os
import socket
import subprocess
import sys
import threading
import time
import urllib.error

import pytest

from search_spaces.data import datasets
from search_spaces.data.download import download
from tuning.errors import DataError


@pytest.mark.slow
def test_without_data_and_network_the_errors_say_what_to_do(tmp_path):
    """Both libraries' genuine downloads, with a proxy that refuses."""
    code = (
        "import sys, pathlib, search_spaces.data as d\n"
        "d.datasets.DEBIAN_FOLDER = pathlib.Path(sys.argv[1])\n"
        "for name in ('fashion_mnist', 'california_housing'):\n"
        "    try: d.load(name)\n"
        "    except Exception as error: print(type(error).__name__, error)\n"
    )
    (tmp_path / "keras").mkdir()
    proxy = dict.fromkeys(("http_proxy", "https_proxy", "HTTP_PROXY", "HTTPS_PROXY"), "http://127.0.0.1:9")
    homes = {"KERAS_HOME": str(tmp_path / "keras"), "SCIKIT_LEARN_DATA": str(tmp_path / "sklearn")}
    environment = {k: v for k, v in os.environ.items() if k.lower() != "no_proxy"} | proxy | homes
    out = subprocess.run(
        [sys.executable, "-c", code, str(tmp_path / "debian")],
        capture_output=True,
        text=True,
        env=environment,
        timeout=120,
    )
    fashion, california = out.stdout.splitlines()  # one line each, and nothing of the libraries' own
    assert fashion.startswith("DataError `fashion_mnist` must be on this machine or reachable, but got nothing in ")
    for part in (str(tmp_path / "keras"), str(tmp_path / "debian"), "dataset-fashion-mnist", "KERAS_HOME", "refused"):
        assert part in fashion
    assert california.startswith("DataError `california_housing` must be on this machine or reachable")
    for part in (str(tmp_path / "sklearn"), "SCIKIT_LEARN_DATA", "refused"):
        assert part in california


def test_a_damaged_california_file_is_named(tmp_path):
    (tmp_path / "cal_housing_py3.pkz").write_bytes(b"damaged")
    with pytest.raises(DataError, match="cal_housing_py3.pkz` must be .*Delete the file"):
        datasets._read_california(tmp_path)


@pytest.mark.medium
def test_a_download_that_stands_still_ends(tmp_path):
    release, before = threading.Event(), time.monotonic()
    try:
        with pytest.raises(DataError, match=r"no data arrived for 0.3 seconds"):
            download(release.wait, [tmp_path, tmp_path / "absent"], stall_seconds=0.3)
    finally:
        release.set()
    assert time.monotonic() - before < 5
    assert socket.getdefaulttimeout() is None


@pytest.mark.medium
def test_a_slow_download_may_take_longer_than_the_limit(tmp_path):
    def load():
        for i in range(6):
            (tmp_path / f"part{i}").write_text("data")
            time.sleep(0.2)
        return socket.getdefaulttimeout()

    assert download(load, [tmp_path], stall_seconds=0.9) > 0


def test_a_failed_download_gives_its_reason_in_one_line(tmp_path):
    def load():
        raise urllib.error.URLError("no\nroute")

    with pytest.raises(DataError, match=r"^URLError: <urlopen error no route>$"):
        download(load, [tmp_path])


def test_a_download_keeps_standard_output_clean(tmp_path, monkeypatch):
    out = io.StringIO()
    monkeypatch.setattr(sys, "stdout", out)
    assert download(lambda: print("Downloading ...") or 3, [tmp_path]) == 3
    assert out.getvalue() == ""
