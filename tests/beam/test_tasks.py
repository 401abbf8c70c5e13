import pytest

from photoz_morph.beam import tasks


def test_a_task_is_read_once_and_forgotten_when_it_is_removed(tmp_path):
    tasks.write_task(tmp_path, {"a": 1})
    first = tasks.read_task(str(tmp_path))
    assert first == {"a": 1} and tasks.read_task(str(tmp_path)) is first
    tasks.remove_task(tmp_path)
    assert not list(tmp_path.iterdir())
    with pytest.raises(FileNotFoundError):
        tasks.read_task(str(tmp_path))


@pytest.mark.parametrize("n", [1, 999, 1000, 1001, 2500])
def test_every_number_is_handed_out_once(n):
    starts = range(0, n, tasks.NUMBERS_AT_ONCE)
    assert [number for start in starts for number in tasks._numbers(start, n)] == list(range(n))
