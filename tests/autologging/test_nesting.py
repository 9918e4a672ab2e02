from __future__ import annotations

import threading
from multiprocessing.pool import ThreadPool

from gitml.autologging.nesting import inside_fit, outermost_fit


def test_inside_means_within_the_block_of_this_thread() -> None:
    assert not inside_fit()
    with outermost_fit():
        assert inside_fit()
    assert not inside_fit()


def test_workers_of_a_thread_pool_are_inside_and_the_users_threads_are_not() -> None:
    seen: list[bool] = []
    thread = threading.Thread(target=lambda: seen.append(inside_fit()))
    with ThreadPool(1) as pool:
        assert pool.apply(inside_fit) is False
        with outermost_fit():
            assert pool.apply(inside_fit) is True
            thread.start()
            thread.join(120)
    assert seen == [False]
