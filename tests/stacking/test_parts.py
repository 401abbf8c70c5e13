"""Parts of a catalogue: every shard in one of them, and never two owners of a shard."""

import pytest

from photoz_morph.stacking.parts import Part, missing_remark, owned_part
from photoz_morph.system.locks import locked


@pytest.mark.parametrize(("n_parts", "n_shards"), [(1, 5), (2, 5), (3, 10), (7, 7), (9, 4)])
def test_every_shard_is_in_exactly_one_part(n_parts, n_shards):
    parts = [Part(number + 1, n_parts) for number in range(n_parts)]
    for shard in range(n_shards):
        assert sum(part.takes(shard, n_shards) for part in parts) == 1


@pytest.mark.parametrize("one, other", [((1, 2), (1, 3)), ((1, 2), (2, 3)), ((1, 2), (2, 2)), ((1, 3), (4, 4))])
def test_parts_of_different_divisions_meet_if_they_have_a_shard_in_common(one, other):
    one, other = Part(*one), Part(*other)
    has_common = any(one.takes(i, 600) and other.takes(i, 600) for i in range(600))
    assert one.meets(other) == other.meets(one) == has_common


@pytest.mark.parametrize("numbers", [(0, 2), (3, 2), (1, 0)])
def test_a_part_that_is_none_is_refused(numbers):
    with pytest.raises(ValueError, match=r"part \d/\d is none; give \(I, N\) with I from 1 to N"):
        Part(*numbers)


def test_two_different_parts_share_a_folder_and_a_third_of_the_same_is_refused(tmp_path):
    with owned_part(tmp_path, Part(1, 2)), owned_part(tmp_path, Part(2, 2)):
        with pytest.raises(ValueError, match="is writing there; .* or give another --part"):
            with owned_part(tmp_path, Part(2, 2)):
                pass
        with pytest.raises(ValueError, match="part 1/2 is being stacked there, which has shards of part 1/3; divide"):
            with owned_part(tmp_path, Part(1, 3)):
                pass
        with pytest.raises(ValueError, match="part 1/2 is being stacked there; wait until it has finished"):
            with owned_part(tmp_path, None):
                pass
    assert not list(tmp_path.iterdir())


def test_a_part_is_refused_while_the_whole_is_stacked(tmp_path):
    with locked(tmp_path), pytest.raises(ValueError, match="all of it is being stacked by another process"):
        with owned_part(tmp_path, Part(1, 2)):
            pass


def test_missing_shards_are_counted_and_the_first_is_named(tmp_path):
    (tmp_path / "stacks-00000.fits").touch()
    assert "2 of 3 shards are still missing, the first is stacks-00001.fits" in missing_remark(tmp_path, 3)
    assert missing_remark(tmp_path, 1) is None
