"""The six polynomial modules, written alike: `{p}` is the module's prefix, `{m}` its name."""

MODULES = {
    "polynomial": "poly",
    "chebyshev": "cheb",
    "legendre": "leg",
    "hermite": "herm",
    "hermite_e": "herme",
    "laguerre": "lag",
}

TEMPLATE = {
    "add": "np.polynomial.{m}.{p}add(x, y[:2])",
    "sub": "np.polynomial.{m}.{p}sub(x[:3], y)",
    "mulx": "np.polynomial.{m}.{p}mulx(x)",
    "mul": "np.polynomial.{m}.{p}mul(x, y[:3])",
    "div": "np.polynomial.{m}.{p}div(x, y[:2])",
    "pow": "np.polynomial.{m}.{p}pow(x[:3], 3)",
    "val": [
        "np.polynomial.{m}.{p}val(s, x)",
        "np.polynomial.{m}.{p}val(x, y)",
        "np.polynomial.{m}.{p}val(M, [1.0, 2.0, 0.5, 0.3])",
        "np.polynomial.{m}.{p}val(y, A)",
        "np.polynomial.{m}.{p}val(x[:3], np.ones((2, 3)))",
        "np.polynomial.{m}.{p}val([0.2, 0.4], x)",
        "np.polynomial.{m}.{p}val(x[:3], A, tensor=False)",
    ],
    "der": ["np.polynomial.{m}.{p}der(x)", "np.polynomial.{m}.{p}der(M, m=2, scl=3.0, axis=1)"],
    "int": ["np.polynomial.{m}.{p}int(x)", "np.polynomial.{m}.{p}int(x, 2, k=[1.0, 2.0], lbnd=0.5)"],
    "fromroots": "np.polynomial.{m}.{p}fromroots(x)",
    "vander": "np.polynomial.{m}.{p}vander(x, 3)",
    "fit": [
        "np.polynomial.{m}.{p}fit([0.0, 0.3, 0.6, 1.0], x, 2)",
        "np.polynomial.{m}.{p}fit(x, y, 1)",
        "np.polynomial.{m}.{p}fit(x, M.T, [0, 2], w=y)",
    ],
    "roots": ["np.abs(np.polynomial.{m}.{p}roots(x))", "np.abs(np.polynomial.{m}.{p}roots(x[:2]))"],
    "val2d": "np.polynomial.{m}.{p}val2d(x[:3], y[:3], A)",
    "val3d": "np.polynomial.{m}.{p}val3d(x[:2], y[:2], x[1:3], T)",
    "grid2d": "np.polynomial.{m}.{p}grid2d(x, y[:2], A)",
    "grid3d": "np.polynomial.{m}.{p}grid3d(x[:2], y[:2], s, T)",
    "vander2d": "np.polynomial.{m}.{p}vander2d(x, y, [1, 2])",
    "vander3d": "np.polynomial.{m}.{p}vander3d(x[:2], y[:2], x[2:], [1, 1, 1])",
    "companion": "np.polynomial.{m}.{p}companion(x)",
}

CLASSES = {
    "polynomial": "Polynomial",
    "chebyshev": "Chebyshev",
    "legendre": "Legendre",
    "hermite": "Hermite",
    "hermite_e": "HermiteE",
    "laguerre": "Laguerre",
}

CLASS_LINES = [
    "np.polynomial.{c}(x)(s)",
    "np.polynomial.{c}([1.0, 2.0, 3.0])(M)",
    "(np.polynomial.{c}(x) * np.polynomial.{c}(y) - np.polynomial.{c}(y)).deriv().coef",
    "np.polynomial.{c}(x, domain=[0, 2]).integ()(y)",
    "np.polynomial.{c}.fit([0.0, 0.3, 0.6, 1.0], x, 2)(0.4)",
    "np.abs(np.polynomial.{c}(x).roots())",
]

SPECIAL = {
    "polynomial": {
        "polyvalfromroots": [
            "np.polynomial.polynomial.polyvalfromroots(s, x)",
            "np.polynomial.polynomial.polyvalfromroots(M, x)",
        ],
    },
    "chebyshev": {
        "chebweight": "np.polynomial.chebyshev.chebweight(x)",
        "chebinterpolate": "np.polynomial.chebyshev.chebinterpolate(lambda t: np.exp(s * t), 4)",
        "cheb2poly": "np.polynomial.chebyshev.cheb2poly(x)",
        "poly2cheb": "np.polynomial.chebyshev.poly2cheb(x)",
    },
    "legendre": {
        "legweight": "np.polynomial.legendre.legweight(x) * x",
        "leg2poly": "np.polynomial.legendre.leg2poly(x)",
        "poly2leg": "np.polynomial.legendre.poly2leg(x)",
    },
    "hermite": {
        "hermweight": "np.polynomial.hermite.hermweight(x)",
        "herm2poly": "np.polynomial.hermite.herm2poly(x)",
        "poly2herm": "np.polynomial.hermite.poly2herm(x)",
    },
    "hermite_e": {
        "hermeweight": "np.polynomial.hermite_e.hermeweight(x)",
        "herme2poly": "np.polynomial.hermite_e.herme2poly(x)",
        "poly2herme": "np.polynomial.hermite_e.poly2herme(x)",
    },
    "laguerre": {
        "lagweight": "np.polynomial.laguerre.lagweight(x)",
        "lag2poly": "np.polynomial.laguerre.lag2poly(x)",
        "poly2lag": "np.polynomial.laguerre.poly2lag(x)",
    },
}


def table(module):
    """The programs of one module."""
    prefix = MODULES[module]

    def filled(entry):
        if isinstance(entry, str):
            return entry.format(m=module, p=prefix)
        return [line.format(m=module, p=prefix) for line in entry]

    lines = {prefix + name: filled(entry) for name, entry in TEMPLATE.items()}
    lines[CLASSES[module]] = [line.format(c=CLASSES[module]) for line in CLASS_LINES]
    return lines | SPECIAL[module]


FAMILIES = {f"polynomial.{module}": table(module) for module in MODULES}
