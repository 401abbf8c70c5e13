"""SavedModels and ONNX files of all chains."""
