"""The page of a run or a dataset: predictions, scores and images read for `report`."""
