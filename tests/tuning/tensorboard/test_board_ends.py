"""However `tune board` ends, its TensorBoard ends with it."""

import re
import signal

import psutil
import pytest

from tests.processes import are_gone, tune
from tests.tuning.tensorboard.test_board import make_study

pytestmark = pytest.mark.slow


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP, signal.SIGKILL, signal.SIGINT])
def test_tensorboard_ends_with_the_command(number, tmp_path):
    make_study(tmp_path / "logs", "a", 1)
    (tmp_path / "logs" / "a" / "trials.db").touch()
    process = tune("board", "a", cwd=tmp_path)
    line = process.stdout.readline()
    assert re.match(r"TensorBoard  http://127.0.0.1:\d+/#hparams", line), process.stderr.read()
    served = psutil.Process(process.pid).children(recursive=True)
    process.send_signal(number)
    process.communicate(timeout=20)
    assert served and are_gone(served, 5)
