"""Random seeds of simulated samples: how many objects a seed has, and which seeds are valid."""

INDICES_PER_SEED = 10**10  # obj_id = seed * 10^10 + index, readable and within 64 bits
MAX_SEED = 900_000_000
BEYOND = "the n_galaxies asked for; remove it or ask for more"


def check_seed(seed):
    """Raise a ValueError if obj_id would not fit."""
    if not 0 <= seed <= MAX_SEED:
        raise ValueError(f"seed is {seed}; choose one from 0 to {MAX_SEED}")
