"""Linear algebra, Fourier transforms, complex-extended functions, strides and index objects."""

LINALG = {
    "cholesky": "np.linalg.cholesky(A @ A.T)",
    "cond": ["np.linalg.cond(A)", "np.linalg.cond(A, 'fro')"],
    "cross": "np.linalg.cross(A, A[::-1])",
    "det": "np.linalg.det(A)",
    "diagonal": "np.linalg.diagonal(A, offset=1)",
    "eig": "np.abs(np.linalg.eig(A)[0])",
    "eigh": "np.linalg.eigh(A + A.T)[0]",
    "eigvals": "np.abs(np.linalg.eigvals(A))",
    "eigvalsh": "np.linalg.eigvalsh(A + A.T)",
    "inv": "np.linalg.inv(A)",
    "lstsq": "np.linalg.lstsq(M.T, x)[0]",
    "matmul": "np.linalg.matmul(A, M)",
    "matrix_norm": ["np.linalg.matrix_norm(A)", "np.linalg.matrix_norm(A, ord='nuc')"],
    "matrix_power": ["np.linalg.matrix_power(A, 3)", "np.linalg.matrix_power(A, -2)"],
    "matrix_transpose": "np.linalg.matrix_transpose(M)",
    "multi_dot": "np.linalg.multi_dot([A, A, M, x])",
    "norm": [
        "np.linalg.norm(x)",
        "np.linalg.norm(A, 2)",
        "np.linalg.norm(M, axis=1, ord=3)",
        "np.linalg.norm(A, 1)",
    ],
    "outer": "np.linalg.outer(x, y)",
    "pinv": "np.linalg.pinv(M)",
    "qr": ["np.linalg.qr(M.T)", "np.linalg.qr(A, mode='r')"],
    "slogdet": "np.linalg.slogdet(A)",
    "solve": ["np.linalg.solve(A, x[:3])", "np.linalg.solve(A, M)"],
    "svd": [
        "np.linalg.svd(A, compute_uv=False)",
        "u, t, v = np.linalg.svd(M, full_matrices=False); (u * t**2) @ v",
    ],
    "svdvals": "np.linalg.svdvals(M)",
    "tensordot": "np.linalg.tensordot(A, M, axes=1)",
    "tensorinv": "np.linalg.tensorinv(A.reshape(3, 3, 1), ind=1)",
    "tensorsolve": "np.linalg.tensorsolve(A.reshape(3, 1, 3), x[:3].reshape(3, 1))",
    "trace": "np.linalg.trace(A, offset=-1)",
    "vecdot": "np.linalg.vecdot(T, x)",
    "vector_norm": "np.linalg.vector_norm(T, axis=(0, 2), ord=3)",
}

FFT = {
    "fft": [
        "np.fft.fft(x)",
        "np.fft.fft(z, 6)",
        "np.fft.fft(M, 3, axis=0, norm='ortho')",
        "np.fft.fft(z, 3)",
    ],
    "fft2": ["np.fft.fft2(M)", "np.fft.fft2(T, s=(2, 5), axes=(0, 2))"],
    "fftn": ["np.fft.fftn(T)", "np.fft.fftn(T, s=(4, 3), axes=(1, 2), norm='forward')"],
    "fftshift": ["np.fft.fftshift(x)", "np.fft.fftshift(M, axes=1)"],
    "hfft": ["np.fft.hfft(z)", "np.fft.hfft(z, 5)", "np.fft.hfft(x, 9, norm='ortho')"],
    "ifft": ["np.fft.ifft(z)", "np.fft.ifft(M, 6, norm='forward')"],
    "ifft2": "np.fft.ifft2(M)",
    "ifftn": "np.fft.ifftn(T, axes=(0, 2))",
    "ifftshift": "np.fft.ifftshift(M)",
    "ihfft": ["np.fft.ihfft(x)", "np.fft.ihfft(x, 5, norm='ortho')"],
    "irfft": [
        "np.fft.irfft(z)",
        "np.fft.irfft(z, 7)",
        "np.fft.irfft(z, 5, norm='ortho')",
        "np.fft.irfft(z, 12)",
    ],
    "irfft2": ["np.fft.irfft2(np.multiply.outer(z, x))", "np.fft.irfft2(np.multiply.outer(z, x), s=(3, 5))"],
    "irfftn": "np.fft.irfftn(np.multiply.outer(z, x), s=(4, 7), axes=(0, 1), norm='forward')",
    "rfft": ["np.fft.rfft(x)", "np.fft.rfft(M, 5, axis=1)", "np.fft.rfft(M, 3, axis=1, norm='ortho')"],
    "rfft2": "np.fft.rfft2(T)",
    "rfftn": "np.fft.rfftn(T, s=(2, 5), axes=(1, 2))",
}

EMATH = {
    "sqrt": ["np.emath.sqrt(x)", "np.emath.sqrt(x - 0.5)"],
    "log": ["np.emath.log(x)", "np.emath.log(-x)"],
    "log2": "np.emath.log2(x - 0.5)",
    "logn": ["np.emath.logn(3, x)", "np.emath.logn(2 + s, -x)"],
    "log10": "np.emath.log10(x - 0.5)",
    "power": ["np.emath.power(x, 2)", "np.emath.power(x - 0.5, y)", "np.emath.power(x, -1.5)"],
    "arccos": ["np.emath.arccos(x)", "np.emath.arccos(1 + x)"],
    "arcsin": ["np.emath.arcsin(x)", "np.emath.arcsin(1 + x)"],
    "arctanh": ["np.emath.arctanh(x)", "np.emath.arctanh(1 + x)"],
}

STRIDE_TRICKS = {
    "sliding_window_view": [
        "np.lib.stride_tricks.sliding_window_view(x, 2)",
        "np.lib.stride_tricks.sliding_window_view(M, (2, 3))",
        "np.lib.stride_tricks.sliding_window_view(M, 2, axis=1)",
    ],
    "as_strided": [
        "np.lib.stride_tricks.as_strided(x, (2, 3), (8, 8))",
        "np.lib.stride_tricks.as_strided(M, (2, 2), M.strides)",
        "np.lib.stride_tricks.as_strided(x, (3, 4), (0, 8)) * M",
    ],
    "as_strided, as a gather": "fd.numpy.lib.stride_tricks.as_strided(A * 2, (2, 3), (8, 16))",
}

INDEX_OBJECTS = {
    "r_": ["np.r_[x, 1.0, y]", "np.r_[s, x[0], 0:3]", "np.r_['0,2', x, y]", "np.r_[x[0], y[1], 2.0]"],
    "c_": ["np.c_[x, y]", "np.c_[M, M]"],
    "s_": "M[np.s_[1:, ::2]]",
    "ix_": "M[np.ix_([0, 2], [1, 3])]",
    "mgrid": "np.mgrid[0:3] * x[:3]",
    "ogrid": "np.ogrid[0:3][:, None] * M",
}
