"""`python -m photoz_morph STAGE --input=...`: how ceci runs our RAIL stages in a pipeline; it looks for this file."""

from ceci.stage import PipelineStage

import photoz_morph.rail  # noqa: F401  makes the stages known

if __name__ == "__main__":
    PipelineStage.main()
