"""Gate 8, second half: the examples in docstrings (`>>>`) run and print what they say, each in less than some seconds."""

import time

import pytest
from book import ROOT
from check_docs import EXAMPLES, examples, run_examples
from export import FRONT_DOOR

FOUND = examples(ROOT)
LIMIT_S = 20  # of processor time for the examples of one module, its import not counted


def test_there_are_enough_examples():
    assert sum(map(len, FOUND.values())) >= EXAMPLES


@pytest.mark.parametrize("module", sorted(FOUND))
def test_examples_run(module, tmp_path, monkeypatch):
    pytest.importorskip(f"mr2ct.{module}")
    monkeypatch.chdir(tmp_path)  # an example may write a file
    start = time.process_time()
    count, said = run_examples(module)
    assert not said, said
    assert count > 0 and time.process_time() - start < LIMIT_S


def test_the_front_door_has_examples():
    """What `import mr2ct` offers shows how it is called; training a whole ladder is no example."""
    shown = {name for names in FOUND.values() for name in names}
    assert set(FRONT_DOOR) - shown <= {"PROFILES", "bench", "load_run"}
