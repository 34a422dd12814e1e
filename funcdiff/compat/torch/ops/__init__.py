"""The operations on tensors, by kind; importing a module attaches its methods to `Tensor`."""
