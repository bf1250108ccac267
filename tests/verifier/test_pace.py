"""What strangers cause is paced: a verifier's own draws go on beside thousands of programs without a module."""

from verifier.pace import Pace, window


def test_one_piece_a_look_however_many_are_due():
    pace = Pace()
    keys = [bytes([number]) for number in range(100)]
    pace.begin_look()
    assert [pace.take(key) for key in keys].count(True) == 1
    pace.begin_look()
    assert [pace.take(key) for key in keys].count(True) == 1


def test_same_piece_comes_again_after_ever_more_looks():
    pace, taken = Pace(), []
    for look in range(1, 40):
        pace.begin_look()
        if pace.take(b"k"):
            taken.append(look)
    assert taken == [1, 2, 4, 8, 16, 32]


def test_window_gives_every_item_its_turn_and_never_more_than_its_size():
    items = [bytes([number]) for number in range(10)]
    windows = [window(items, look, 4) for look in range(10)]
    assert all(len(chosen) == 4 for chosen in windows)
    assert {item for chosen in windows for item in chosen} == set(items)
    assert window(items[:3], 7, 4) == items[:3]
