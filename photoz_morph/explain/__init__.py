"""What a network looks at: functions of callables and arrays, for any Keras model, SavedModel or other callable."""
