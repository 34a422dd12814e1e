"""The native backend: tapes compiled to machine code by LLVM, which `llvmlite` brings."""
