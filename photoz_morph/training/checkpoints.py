"""Training checkpoints: weights, optimizer and iteration count in one file."""

import sys
import zipfile
import zlib

import keras
import numpy as np
from tqdm import tqdm

from photoz_morph.system.files import write_whole


def iterations_done(model):
    """Number of iterations of the optimizer so far; int() does not accept a mirrored variable."""
    return int(np.asarray(keras.ops.convert_to_numpy(model.optimizer.iterations)))


def checkpoint_paths(member_dir):
    """Paths of the last checkpoint and the one before it."""
    return member_dir / "checkpoint.keras", member_dir / "checkpoint_previous.keras"


def save_checkpoint(model, member_dir):
    """Write weights, optimizer and iteration count to one file, and keep the checkpoint before it."""
    last, previous = checkpoint_paths(member_dir)
    with write_whole(last, keep_suffix=True) as part:  # Keras looks at the suffix
        model.save(part)
        if last.exists():
            last.replace(previous)


def load_checkpoint(member_dir, fold):
    """Load the last readable checkpoint; None if there is none."""
    for path in checkpoint_paths(member_dir):
        if path.exists():
            try:
                return fold.load_checkpoint(path)
            except (OSError, ValueError, KeyError, TypeError, zipfile.BadZipFile, zlib.error) as error:
                reason = " ".join(str(error).split())[:200]
                tqdm.write(f"{path}: cannot be read ({reason}); using the one before it", file=sys.stderr)
    return None
