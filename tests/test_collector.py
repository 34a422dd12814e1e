"""The garbage collector looks rarely while a program is written, and as before afterwards."""

import gc

import numpy as np
import pytest

import funcdiff as fd
from funcdiff.core.collector import RARELY, looking_rarely


@pytest.fixture
def threshold():
    before = gc.get_threshold()
    gc.set_threshold(700, 10, 10)
    yield
    gc.set_threshold(*before)


def collections_during(f):
    seen = []

    def note(phase, _info):
        seen.append(phase)

    gc.collect()
    gc.callbacks.append(note)
    try:
        f()
    finally:
        gc.callbacks.remove(note)
    return seen.count("start")


def test_a_long_program_is_recorded_with_few_collections(threshold):
    def steps(x):
        for _ in range(2000):
            x = np.sin(x) + x
        return x

    # there are some 50 of them with CPython's threshold
    assert collections_during(lambda: fd.trace(steps)(1.0)) <= 5


def test_the_threshold_is_as_before_afterwards(threshold):
    with looking_rarely(), looking_rarely():
        assert gc.get_threshold()[0] == RARELY
    assert gc.get_threshold() == (700, 10, 10)


def test_the_threshold_is_as_before_after_an_error(threshold):
    with pytest.raises(ZeroDivisionError):
        fd.trace(lambda x: x + 1 // 0)(1.0)
    assert gc.get_threshold() == (700, 10, 10)


def test_a_threshold_that_the_user_sets_meanwhile_stays(threshold):
    with looking_rarely():
        gc.set_threshold(5, 6, 7)
    assert gc.get_threshold() == (5, 6, 7)


@pytest.mark.parametrize("own", [0, 2 * RARELY])
def test_a_collector_that_is_off_or_looks_less_often_is_left_alone(threshold, own):
    gc.set_threshold(own)
    with looking_rarely():
        assert gc.get_threshold()[0] == own


def test_the_users_lines_are_quoted():
    def twice(x):
        for _ in range(2):
            x = np.sin(x)
            x = np.exp(x)
        return x

    lines = [r.line.rpartition(": ")[2] for r in fd.trace(twice)(1.0).records]
    assert lines == ["x = np.sin(x)", "x = np.exp(x)"] * 2
