"""The machine without any I/O: inputs in, events and effects out."""
