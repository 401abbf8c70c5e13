"""`python -m photoz_morph STAGE --input=...`: the entry point with which ceci runs the RAIL stages of a pipeline."""

from ceci.stage import PipelineStage

import photoz_morph.rail  # noqa: F401  registers the stages

if __name__ == "__main__":
    PipelineStage.main()
