import os
import sys

import pytest

from affectkeras.quiet import quiet_start


def fail():
    os.write(2, b"the cause\n")
    raise ImportError("no such library")


def test_what_is_written_to_standard_error_is_held_back(capfd):
    with quiet_start():
        os.write(2, b"a note\n")
        print("a result")
    print("afterwards", file=sys.stderr)
    out, err = capfd.readouterr()
    assert out == "a result\n"
    assert err == "afterwards\n"


def test_what_was_held_back_is_shown_when_an_exception_ends_it(capfd):
    with pytest.raises(ImportError, match="no such library"), quiet_start():
        fail()
    assert capfd.readouterr().err == "the cause\n"


def test_a_level_of_logging_that_the_user_set_stays(monkeypatch):
    monkeypatch.setenv("TF_CPP_MIN_LOG_LEVEL", "0")
    with quiet_start():
        pass
    assert os.environ["TF_CPP_MIN_LOG_LEVEL"] == "0"
