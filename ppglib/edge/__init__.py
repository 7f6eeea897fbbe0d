"""Networks on a microcontroller: files for its tools, C code, and what all of it costs."""
