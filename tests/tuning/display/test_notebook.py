"""A real notebook, run by a kernel: one piece of output, changed in place, that ends with the best."""

import re

import pytest

from tests.conftest import ROOT

CELL = """
import sys; sys.path.insert(0, {root!r})
import tuning
from tests.spaces.curve import Curve
study = tuning.search(Curve("<b>"), engine="random", trials=3, epochs=2, seed=0, logs={logs!r}, study="s")
"""


@pytest.mark.slow
def test_a_cell_has_one_output_that_ends_with_the_best(tmp_path):
    nbformat, nbclient = pytest.importorskip("nbformat"), pytest.importorskip("nbclient")
    cells = [CELL.format(root=str(ROOT), logs=str(tmp_path)), "study"]
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(text) for text in cells])
    updates = []

    class Client(nbclient.NotebookClient):
        def process_message(self, message, cell, index):
            if message["msg_type"] == "update_display_data":
                updates.append(message["content"]["data"]["text/html"])
            return super().process_message(message, cell, index)

    Client(notebook, timeout=300, kernel_name="python3").execute()
    (output,) = [o for o in notebook.cells[0].outputs if "text/html" in o.get("data", {})]
    html = output["data"]["text/html"]
    assert re.search(r"best: trial \d, val_loss \d\.\d+, a=0\.\d+, b=\d, k=[xyz], c=", html), html
    assert "random on &lt;b&gt;" in html and "<progress" not in html
    assert any("<progress" in update for update in updates), "it was drawn while it ran"
