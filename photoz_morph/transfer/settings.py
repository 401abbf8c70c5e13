"""The choices of a transfer, the same for both chains."""

from dataclasses import dataclass
from typing import ClassVar

MODES = ("all", "blocks", "frozen", "lora")
STARTS = ("source", "new")


@dataclass(frozen=True)
class TransferConfig:
    """Networks that start from those of another run, of `photoz transfer` and `morph transfer`.

    Attributes
    ----------
    source : str, optional
        Run folder whose networks are the start, each the one of the same fold and, from `first` on, number; null for
        random weights.
    mode : str
        What learns: all layers, the last blocks, the head alone on frozen features, or adapters of low rank (LoRA) in
        all dense and convolution layers, with the head.
    blocks : int
        Blocks before the head that learn with it in the mode blocks [blocks].
    decay : float
        Factor of the learning rate from each block to the one before it, towards the input, in the modes all and
        blocks; 1 for one rate [dimensionless].
    rank : int
        Largest rank of the change of a kernel in the mode lora [dimensionless].
    head : str
        Whether the last layer starts from that of the source or from random weights.
    first : int
        Number, from 0, of the network of the source that the first network of a fold starts from. The next one starts
        from the next, and after its last network the source begins anew with its first [dimensionless].
    """

    source: str | None = None
    mode: str = "all"
    blocks: int = 1
    decay: float = 0.7
    rank: int = 8
    head: str = "source"
    first: int = 0

    RANGES: ClassVar = {
        "transfer.blocks": (1, 1000), "transfer.decay": (0, 1), "transfer.rank": (1, 4096), "transfer.first": (0, 1000),
    }  # fmt: skip


def no_outputs_yet(transfer):
    """Why networks say nothing before their first step although they start from others; "" if they do.

    Parameters
    ----------
    transfer : TransferConfig

    Returns
    -------
    str
        The end of a sentence.
    """
    return "transfer.head=new starts the last layer from random weights" if transfer.head == "new" else ""


def check_transfer(transfer, adaptation):
    """Raise a ValueError where choices of a transfer contradict each other or an adaptation.

    Parameters
    ----------
    transfer : TransferConfig
    adaptation : str
        Name of the loss between domains.
    """
    if transfer.source is None:
        return
    if not transfer.source.strip():
        raise ValueError("'transfer.source' is empty; name the run folder to start from, or give null")
    if transfer.decay == 0 and transfer.mode in ("all", "blocks"):
        raise ValueError("'transfer.decay' is 0, so that only the head would learn; set transfer.mode=frozen")
    if transfer.mode == "frozen" and adaptation != "none":
        raise ValueError(
            f"'transfer.mode' is frozen, so the latents that 'adaptation.name' {adaptation} compares do not move; give "
            "another mode, or adaptation.name=none"
        )
