"""Milliseconds that hand-written C++ takes, measured with GradBench's own drivers; for particle and saddle, nested dual numbers."""

MEASURED = {
    ("gmm", "2_5"): {"objective": 0.0686, "jacobian": 0.144},
    ("gmm", "10_25"): {"objective": 1.81, "jacobian": 5.33},
    ("gmm", "32_50"): {"objective": 26.1, "jacobian": 111},
    ("ba", "49_7776_31843"): {"objective": 0.792, "jacobian": 6.78},
    ("ba", "257_65132_225911"): {"objective": 10.2, "jacobian": 172},
    ("ba", "1197_126327_563734"): {"objective": 33.3, "jacobian": 433},
    ("lstm", "2_1024"): {"objective": 1.36, "jacobian": 22.4},
    ("lstm", "2_4096"): {"objective": 11.1, "jacobian": 97.1},
    ("lstm", "6_4096"): {"objective": 49.4, "jacobian": 787},
    ("ht", "800"): {"objective": 2.19, "jacobian": 19.5},
    ("ht", "6400"): {"objective": 2.31, "jacobian": 28.1},
    ("kmeans", "10_1000_8"): {"cost": 0.0228, "dir": 0.0256},
    ("kmeans", "100_10000_8"): {"cost": 2.36, "dir": 2.66},
    ("kmeans", "1000_10000_16"): {"cost": 101, "dir": 92},
    ("lse", "2500"): {"primal": 0.0132, "gradient": 0.012},
    ("lse", "80000"): {"primal": 0.418, "gradient": 0.372},
    ("lse", "1280000"): {"primal": 17, "gradient": 11.5},
    ("llsq", "16"): {"primal": 0.00165, "gradient": 0.00354},
    ("llsq", "1024"): {"primal": 0.106, "gradient": 0.21},
    ("llsq", "16392"): {"primal": 1.84, "gradient": 4.58},
    ("ode", "1000_1"): {"primal": 0.00189, "gradient": 0.00185},
    ("ode", "1000_100"): {"primal": 0.228, "gradient": 0.00181},
    ("ode", "100000_10"): {"primal": 7.62, "gradient": 0.161},
    ("det", "5"): {"primal": 0.000801, "gradient": 0.00508},
    ("det", "8"): {"primal": 0.272, "gradient": 2.74},
    ("det", "10"): {"primal": 34.7, "gradient": 430},
    ("particle", "0"): {"rr": 1.69, "ff": 1.64, "fr": 1.7, "rf": 1.82},
    ("saddle", "1_1"): {"rr": 2.94, "ff": 3.13, "fr": 2.9, "rf": 2.98},
}
PRIMALS = ("objective", "cost", "primal")


def bar(module, description, function):
    """Return what a function is measured against, in milliseconds; None for sizes that were not measured.

    For a derivative the less of what the derivative and four times the function take in C++. Its derivative of ode is
    a closed form, so there it is four times the function.
    """
    times = MEASURED.get((module, description))
    if times is None:
        return None
    primal = next((times[name] for name in PRIMALS if name in times), None)
    if primal is None or function in PRIMALS:
        return times[function]
    return 4 * primal if module == "ode" else min(times[function], 4 * primal)
