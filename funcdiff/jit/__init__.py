"""`jit`: programs recorded once, optimised, and replayed as generated source."""
