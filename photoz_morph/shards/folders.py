"""Folders of shards that several processes fill and that can be extended later.

Shared by the writers of simulated stacks, scenes and mocks: a check that the existing shards belong to the same sample,
and the list of shards that remain to be made.
"""

from astropy.io import fits


def check_folder(there, wanted, paths, remedy):
    """Check that all shards of a folder belong to this sample.

    Parameters
    ----------
    there : iterable of Path
        Shards that the folder holds.
    wanted : dict
        Keyword -> value of the cards that their primary headers must have.
    paths : list of Path
        Shards of this sample.
    remedy : str
        End of the message about a shard that is not in `paths`.

    Raises
    ------
    ValueError
        If a shard is unreadable, has another value of a card, or is not in `paths`.
    """
    for path in sorted(there):
        try:
            header = fits.getheader(path)
        except (OSError, KeyError, ValueError, fits.VerifyError) as error:
            raise ValueError(f"{path}: cannot be read as FITS ({error}); remove it") from error
        for keyword, value in wanted.items():
            if header.get(keyword) != value:
                raise ValueError(
                    f"{path}: {keyword} is {header.get(keyword)}, this sample has {value}; "
                    f"remove the folder or write to another one"
                )
        if path not in paths:
            raise ValueError(f"{path}: lies beyond {remedy}")


def incomplete_shards(shards, read_catalog, noun):
    """Shards of a simulated sample that are missing, truncated or shorter than requested.

    Parameters
    ----------
    shards : list of (path, first, size)
    read_catalog : callable
        Returns the table of a shard first, and raises a ValueError for a damaged one.
    noun : str
        Noun for the rows of a shard, for the message.

    Raises
    ------
    ValueError
        If a shard holds more rows than requested.
    """
    incomplete = []
    for path, first, size in shards:
        n_there = _rows_in(path, read_catalog)
        if n_there > size:
            raise ValueError(
                f"{path}: has {n_there} {noun}, {size} are requested; request as many, or write to another folder"
            )
        if n_there < size:
            incomplete.append((path, first, size))
    return incomplete


def _rows_in(path, read_catalog):
    """Rows of a shard, 0 if it is missing or truncated (by a full disk or an interrupted copy)."""
    if not path.exists():
        return 0
    try:
        return len(read_catalog(path)[0])
    except ValueError:
        return 0
