"""A folder of shards that is filled by several processes and can be filled further later.

What the writers of simulated stacks, scenes and mocks share: which shards are still to be made, whether those that are
there belong to the same sample, and the processes that make them.
"""


from astropy.io import fits


def check_folder(there, wanted, paths, remedy):
    """Raise a ValueError if a folder holds shards that are not part of this sample.

    Parameters
    ----------
    there : iterable of Path
        Shards that the folder holds.
    wanted : dict
        Cards of the primary header that they must have.
    paths : list of Path
        Shards of this sample.
    remedy : str
        What to do about a shard that is none of these.
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
    """Those of the shards of a simulated sample that are missing, truncated or shorter than asked for.

    Parameters
    ----------
    shards : list of (path, first, size)
    read_catalog : callable
        Gives the table of a shard first, and raises a ValueError for a broken one.
    noun : str
        What a shard holds, for the message.

    Raises
    ------
    ValueError
        If a shard holds more than is asked for.
    """
    incomplete = []
    for path, first, size in shards:
        n_there = _rows_in(path, read_catalog)
        if n_there > size:
            raise ValueError(
                f"{path}: has {n_there} {noun}, {size} are asked for; ask for as many, or write to another folder"
            )
        if n_there < size:
            incomplete.append((path, first, size))
    return incomplete


def _rows_in(path, read_catalog):
    """Rows of a shard, 0 if it is missing or truncated (by a full disk or a copy that was stopped)."""
    if not path.exists():
        return 0
    try:
        return len(read_catalog(path)[0])
    except ValueError:
        return 0
