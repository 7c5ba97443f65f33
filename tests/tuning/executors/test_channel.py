"""The payload: what of a program is found where it arrives."""

import pickle
import sys
import tempfile
import types

from tuning.executors.channel import read_payload, write_payload

PROGRAM = """
class Transformer:
    def __init__(self, function):
        self.function = function

def square(value):
    return value**2

def unused():
    return Transformer

def build():
    return Transformer(square)
"""


def test_a_trial_may_pickle_what_the_program_itself_defines(monkeypatch):
    program = types.ModuleType("__main__")
    monkeypatch.setitem(sys.modules, "__main__", program)
    exec(PROGRAM, vars(program))
    with tempfile.TemporaryFile() as file:
        write_payload(file, {"build": program.build})
        monkeypatch.setitem(sys.modules, "__main__", types.ModuleType("__main__"))
        record = read_payload(file.fileno())
    made = record["build"]()
    assert pickle.loads(pickle.dumps(made)).function is made.function is sys.modules["__main__"].square
    assert not hasattr(sys.modules["__main__"], "unused")  # what is not needed may not be possible to send
