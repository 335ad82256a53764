"""The slope of a long run."""

import gc
import os
import socket
import sys

import pytest

from pulse.testing.soak import Series, open_files


def test_the_slope_is_that_of_the_second_half() -> None:
    series = Series("worker, MB")
    for step in range(20):
        series.note(step * 60.0, 100.0 + 10 * min(step, 10))

    assert series.slope_an_hour == pytest.approx(0.0)
    assert series.row().startswith("| worker, MB | 100.0 | 195.0 | ")


def test_what_grows_is_seen() -> None:
    series = Series("worker, open files")
    for step in range(20):
        series.note(step * 60.0, 10.0 + step)

    assert series.slope_an_hour == pytest.approx(60.0)


def test_what_comes_and_goes_does_not_grow() -> None:
    series = Series("notifier, open files", lowest_of=4)
    for step in range(80):
        series.note(step * 60.0, 10.0 + step % 4 * step)

    assert series.slope_an_hour == pytest.approx(0.0)


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="reads /proc, as the soak does")
def test_connections_with_one_port_are_no_open_files() -> None:
    gc.collect()  # what other tests have left open is closed now, and not in between
    anywhere = ("127.0.0.1", 0)
    with socket.create_server(anywhere) as one, socket.create_server(anywhere) as two:
        apart, counted = one.getsockname()[1], two.getsockname()[1]
        before = open_files(os.getpid(), apart)
        with socket.create_connection(("127.0.0.1", apart)):
            assert open_files(os.getpid(), apart) == before
            with socket.create_connection(("127.0.0.1", counted)):
                assert open_files(os.getpid(), apart) == before + 1
