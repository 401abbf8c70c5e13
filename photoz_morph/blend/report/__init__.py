"""The report on sources found in images."""
