"""fd.numpy.random: NumPy's draws, number for number, and their pathwise derivatives."""

import copy
import inspect
import pickle

import numpy as np
import pytest
import scipy.stats
from numpy.testing import assert_allclose, assert_array_equal

import funcdiff as fd
from funcdiff.errors import ConversionError, UnsupportedError

LOCATED = {
    "normal": (0.3, 1.2),
    "uniform": (-1.0, 2.0),
    "exponential": (1.3,),
    "laplace": (0.2, 1.1),
    "logistic": (0.3, 2.0),
    "gumbel": (0.3, 0.7),
    "rayleigh": (1.4,),
    "triangular": (-1.0, 0.3, 2.0),
    "lognormal": (0.2, 0.6),
    "weibull": (1.7,),
    "pareto": (2.5,),
    "power": (1.3,),
}
IMPLICIT = {
    "gamma": (1.7, 2.1),
    "standard_gamma": (0.4,),
    "beta": (1.2, 2.3),
    "chisquare": (3.3,),
    "f": (4.0, 7.0),
    "standard_t": (4.2,),
    "vonmises": (0.4, 2.0),
    "wald": (1.2, 0.8),
}
PARAMETERS = LOCATED | IMPLICIT
MEANS = {  # by SciPy's quadrature
    "gamma": lambda a, s: scipy.stats.gamma(a, scale=s),
    "beta": scipy.stats.beta,
    "chisquare": scipy.stats.chi2,
    "f": scipy.stats.f,
    "standard_t": scipy.stats.t,
    "wald": lambda mu, lam: scipy.stats.invgauss(mu / lam, scale=lam),
    "normal": scipy.stats.norm,
    "lognormal": lambda m, s: scipy.stats.lognorm(s, scale=np.exp(m)),
    "weibull": scipy.stats.weibull_min,
    "pareto": scipy.stats.lomax,
    "power": scipy.stats.powerlaw,
    "triangular": lambda a, c, b: scipy.stats.triang((c - a) / (b - a), loc=a, scale=b - a),
}
MAKERS = {"Generator": "default_rng", "RandomState": "RandomState"}


def ours(maker, seed=3):
    return getattr(fd.numpy.random, maker)(seed)


def numpys(maker, seed=3):
    return getattr(np.random, maker)(seed)


@pytest.mark.parametrize("maker", MAKERS.values())
@pytest.mark.parametrize("name", PARAMETERS)
def test_values_are_numpys(name, maker):
    parameters = PARAMETERS[name]
    arrays = [p * np.linspace(1.0, 1.3, 4) for p in parameters]
    for given, size in [
        (parameters, None),
        (parameters, (3, 4)),
        (parameters, 5),
        (arrays, None),
        (arrays, (2, 4)),
    ]:
        expected = getattr(numpys(maker), name)(*given, size=size)
        assert_array_equal(getattr(ours(maker), name)(*given, size=size), expected)
        value, _ = fd.jvp(
            lambda *p, size=size: getattr(ours(maker), name)(*p, size=size), tuple(given), tuple(given)
        )
        assert_array_equal(value, expected)
        assert value.dtype == np.float64


def differences(f, args, h=1e-5):
    for n, a in enumerate(args):
        up, down = (f(*args[:n], a + s * h, *args[n + 1 :]) for s in (1, -1))
        yield (up - down) / (2 * h)


@pytest.mark.parametrize("maker", MAKERS.values())
@pytest.mark.parametrize("name", LOCATED)
def test_derivatives_of_draws_that_move_smoothly(name, maker):
    args = LOCATED[name]

    def draws(*p):
        return getattr(ours(maker), name)(*p, size=40)

    for found, expected in zip(fd.jacobian(draws, args), differences(draws, args), strict=True):
        assert_allclose(found, expected, rtol=1e-6, atol=1e-8)


@pytest.mark.parametrize("name", MEANS)
def test_the_mean_of_derivatives_is_the_derivative_of_the_mean(name):
    args = PARAMETERS[name]

    def g(x):
        return np.exp(-(x**2) / 2)

    count = 20_000

    def draws(*p):
        return g(getattr(ours("default_rng"), name)(*p, size=count))

    def mean(*p):
        return MEANS[name](*p).expect(g)

    for n, expected in enumerate(differences(mean, args, h=1e-3)):
        found = fd.jvp(lambda x, n=n: draws(*args[:n], x, *args[n + 1 :]), args[n], 1.0)[1]
        error = np.std(found) / np.sqrt(count)
        assert abs(np.mean(found) - expected) < 5 * error + 1e-5


@pytest.mark.parametrize("name", PARAMETERS)
def test_second_order_and_modes_agree(name):
    args = PARAMETERS[name]

    def f(*p):
        return np.sum(np.cos(getattr(ours("default_rng"), name)(*p, size=3)))

    every = tuple(range(len(args)))
    rows = fd.hessian(f, every, mode="forward-over-reverse")(*args)
    assert_allclose(rows, fd.hessian(f, every, mode="reverse-over-reverse")(*args), rtol=1e-9, atol=1e-10)
    assert_allclose(rows, fd.hessian(f, every, mode="reverse-over-forward")(*args), rtol=1e-9, atol=1e-10)
    if name in LOCATED:
        gradient = fd.grad(f, every)
        for row, expected in zip(rows, differences(lambda *p: np.array(gradient(*p)), args), strict=True):
            assert_allclose(row, expected, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("maker", MAKERS.values())
def test_dirichlet(maker):
    alpha = np.array([0.5, 2.0, 1.3])
    for a, size in [(alpha, None), (alpha, (4,)), (alpha / 30, (5,)), (np.full(12, 0.3), (2, 2))]:
        expected = numpys(maker).dirichlet(a, size)
        value, moved = fd.jvp(lambda a, size=size: ours(maker).dirichlet(a, size), a, np.ones_like(a))
        assert_array_equal(value, expected)
        assert_allclose(np.sum(moved, axis=-1), 0, atol=1e-12)

    def mean(a):
        return np.mean(ours(maker).dirichlet(a, 20_000)[:, 0])

    total = alpha.sum()  # the mean is a / sum(a)
    assert_allclose(fd.grad(mean)(alpha), (np.array([total, 0, 0]) - alpha[0]) / total**2, atol=4e-3)


@pytest.mark.parametrize("method", ["svd", "eigh", "cholesky"])
@pytest.mark.parametrize("cov", [np.eye(2), np.array([[1.0, 0.4], [0.4, 0.7]])], ids=["equal", "distinct"])
def test_multivariate_normal(method, cov):
    mean = np.array([0.3, -0.2])

    def draws(mean, cov, size):
        return ours("default_rng").multivariate_normal(mean, cov, size, method=method)

    for size in (None, (2, 3)):
        expected = np.random.default_rng(3).multivariate_normal(mean, cov, size, method=method)
        value, _ = fd.jvp(lambda m, c, size=size: draws(m, c, size), (mean, cov), (mean, cov))
        assert_array_equal(value, expected)

    def product(cov):  # its mean is an element of the covariance
        x = draws(mean, (cov + cov.T) / 2, 40_000) - mean
        return np.mean(x[:, 0] * x[:, 1])

    assert_allclose(fd.grad(product)(cov), [[0, 0.5], [0.5, 0]], atol=0.02)
    assert_allclose(fd.jacobian(lambda m: draws(m, cov, None), mean), np.eye(2))


def test_multivariate_normal_of_a_random_state():
    mean, cov = np.zeros(2), np.array([[1.0, 0.4], [0.4, 0.7]])
    value, _ = fd.jvp(lambda m: fd.numpy.random.RandomState(0).multivariate_normal(m, cov), mean, mean)
    assert_array_equal(value, np.random.RandomState(0).multivariate_normal(mean, cov))


def test_noncentral_chisquare():
    args = (3.0, 1.7)

    def draws(nonc):
        return ours("default_rng").noncentral_chisquare(3.0, nonc, size=20_000)

    value, moved = fd.jvp(draws, 1.7, 1.0)
    assert_array_equal(value, np.random.default_rng(3).noncentral_chisquare(*args, size=20_000))
    assert abs(np.mean(moved) - 1) < 0.02  # the mean is df + nonc
    with pytest.raises(UnsupportedError, match="df"):
        fd.grad(lambda df: ours("default_rng").noncentral_chisquare(df, 1.7))(3.0)
    with pytest.raises(UnsupportedError, match="noncentral_chisquare"):
        fd.grad(lambda df: ours("default_rng").noncentral_f(df, 3.0, 1.7))(3.0)


def test_small_shapes_and_draws_at_the_ends():
    def f(a):
        return np.sum(fd.numpy.random.default_rng(0).beta(a, a, size=200))

    assert np.isfinite(fd.grad(f)(0.002))
    assert np.isfinite(fd.grad(lambda a: np.sum(fd.numpy.random.default_rng(0).standard_gamma(a, 200)))(1e-3))


def test_parameters_are_checked_as_by_numpy():
    with pytest.raises(ValueError, match="scale < 0"):
        fd.grad(lambda s: ours("default_rng").normal(0.0, s))(-1.0)
    with pytest.raises(ValueError, match="a <= 0"):
        fd.grad(lambda a: ours("default_rng").beta(a, 1.0))(-1.0)
    with pytest.raises(ValueError, match="shape"):
        fd.grad(lambda s: np.sum(ours("default_rng").normal(np.zeros(3), s, size=4)))(1.0)


# --- discrete ones, and NumPy's own ---------------------------------------------------------------------

DISCRETE = {
    "binomial": lambda rng, p: rng.binomial(4, p),
    "geometric": lambda rng, p: rng.geometric(p),
    "logseries": lambda rng, p: rng.logseries(p),
    "negative_binomial": lambda rng, p: rng.negative_binomial(3, p),
    "poisson": lambda rng, p: rng.poisson(p),
    "zipf": lambda rng, p: rng.zipf(1 + p),
    "multinomial": lambda rng, p: rng.multinomial(3, fd.numpy.array([p, 1 - p])),
    "choice": lambda rng, p: rng.choice(2, p=fd.numpy.array([p, 1 - p])),
}


@pytest.mark.parametrize("maker", MAKERS.values())
@pytest.mark.parametrize("name", DISCRETE)
def test_discrete_draws_have_no_pathwise_derivative(name, maker):
    with pytest.raises(UnsupportedError, match="score function"):
        fd.grad(lambda p: DISCRETE[name](ours(maker), p) * p)(0.4)
    assert_array_equal(DISCRETE[name](ours(maker), 0.4), DISCRETE[name](numpys(maker), 0.4))


def test_the_score_function_estimator_of_the_message_is_right():
    def f(p):
        rng = fd.numpy.random.default_rng(0)
        k = rng.poisson(fd.stop_gradient(p), size=40_000)
        log_p = k * np.log(p) - p
        return np.mean(k**2 + k**2 * (log_p - fd.stop_gradient(log_p)))

    assert abs(fd.grad(f)(0.8) - (1 + 2 * 0.8)) < 0.1


@pytest.mark.parametrize("rng", [np.random, np.random.default_rng(0), np.random.RandomState(0)])
def test_numpys_own_draws_name_the_remedy(rng):
    with pytest.raises(ConversionError, match=r"fd\.numpy\.random\.default_rng\(rng\)\.normal"):
        fd.grad(lambda m: rng.normal(m))(1.0)
    with pytest.raises(ConversionError, match=r"fd\.numpy\.random\.default_rng\(rng\)\.gamma"):
        fd.grad(lambda m: np.sum(rng.gamma(m, size=3)))(np.ones(3))
    with pytest.raises(ConversionError, match="score-function"):
        fd.grad(lambda m: rng.poisson(m))(1.0)


# --- transforms -------------------------------------------------------------------------------------------

LOOPED = {name: LOCATED[name] for name in ("normal", "uniform", "weibull", "triangular")} | IMPLICIT


@pytest.mark.parametrize("name", LOOPED)
def test_vmap_draws_as_a_loop_does(name):
    args = [p * np.linspace(1.0, 1.3, 4) for p in LOOPED[name]]
    rng, other = ours("default_rng"), ours("default_rng")
    found = fd.vmap(lambda *p: getattr(rng, name)(*p, size=2))(*args)
    assert_array_equal(found, [getattr(other, name)(*p, size=2) for p in zip(*args, strict=True)])
    assert rng.random() == other.random()
    rng, other = ours("default_rng"), ours("default_rng")
    gradient = fd.vmap(fd.grad(lambda *p: np.sum(getattr(rng, name)(*p, size=2))))(*args)
    assert_allclose(
        gradient,
        [fd.grad(lambda *p: np.sum(getattr(other, name)(*p, size=2)))(*p) for p in zip(*args, strict=True)],
    )


def test_vmap_draws_for_each_example_where_nothing_is_mapped():
    x = np.arange(3.0)
    rng = ours("default_rng")
    found = fd.vmap(lambda x: x + rng.standard_normal(2))(x)
    assert_array_equal(found, x[:, None] + np.random.default_rng(3).standard_normal((3, 2)))
    rng, other = ours("default_rng"), ours("default_rng")
    found = fd.vmap(lambda x: x * rng.integers(0, 100), chunk_size=2)(x + 1)
    assert_array_equal(found, [v * other.integers(0, 100) for v in x + 1])
    nested = fd.vmap(fd.vmap(lambda x: x + rng.normal(0.0, 2.0)))(np.zeros((2, 3)))
    assert_array_equal(nested, other.normal(0.0, 2.0, (2, 3)))
    orders = fd.vmap(lambda x: rng.permutation(4) + x)(np.zeros(3))
    assert_array_equal(orders, [other.permutation(4) for _ in range(3)])


def test_vmap_of_vectors_draws_as_a_loop_does():
    alphas = np.array([[0.5, 2.0], [1.0, 1.0], [3.0, 0.2]])
    rng, other = ours("default_rng"), ours("default_rng")
    assert_array_equal(fd.vmap(rng.dirichlet)(alphas), [other.dirichlet(a) for a in alphas])
    rng, other = ours("default_rng"), ours("default_rng")
    found = fd.vmap(lambda m: rng.multivariate_normal(m, np.eye(2), 3))(alphas)
    assert_array_equal(found, [other.multivariate_normal(m, np.eye(2), 3) for m in alphas])
    with pytest.raises(UnsupportedError, match="Loop over"):
        fd.vmap(rng.dirichlet)(np.array([[0.01, 0.02], [1.0, 1.0]]))


def test_a_generator_made_in_the_mapped_function_is_the_same_for_every_example():
    def f(x, s):
        rng = fd.numpy.random.default_rng(7)
        return rng.normal(x, s, size=2) + rng.standard_normal()

    x, s = np.arange(3.0), np.array([1.0, 2.0, 0.5])
    assert_array_equal(fd.vmap(f)(x, s), [f(*p) for p in zip(x, s, strict=True)])
    with pytest.raises(UnsupportedError, match="Make it outside"):
        fd.vmap(lambda a: fd.numpy.random.default_rng(7).standard_gamma(a))(s)
    free = fd.vmap(lambda x: fd.numpy.random.default_rng().normal(x))(np.zeros(3))
    assert len(set(free)) == 3


def test_derivatives_of_all_kinds_see_one_draw():
    def f(mu):
        return ours("default_rng").normal(mu, mu**2) ** 2

    mu = np.array([0.5, 1.5])
    z = np.random.default_rng(3).standard_normal(2)
    expected = np.diag(2 * (mu + mu**2 * z) * (1 + 2 * mu * z))
    for jacobian in (fd.jacfwd(f), fd.jacrev(f), fd.jacrev(f, chunk_size=1)):
        assert_allclose(jacobian(mu), expected)
    rng = ours("default_rng")
    assert_allclose(fd.jacfwd(lambda mu: rng.normal(mu, mu**2) ** 2)(mu), expected)


@pytest.mark.parametrize("transform", [fd.jit, fd.trace])
def test_draws_in_recorded_programs_raise(transform):
    rng = ours("default_rng")
    for f in (
        lambda x: rng.normal(x),
        lambda x: x + rng.standard_normal(),
        lambda x: x * rng.poisson(3.0),
        lambda x: rng.gamma(x),
        lambda x: x * rng.permutation(3)[0],
        lambda x: x + fd.numpy.random.default_rng().random(),
        lambda x: x + fd.numpy.random.normal(),
        lambda x: ours("default_rng").standard_gamma(x),
    ):
        with pytest.raises(UnsupportedError, match="pass the numbers as an argument"):
            transform(f)(1.0)
    with pytest.raises(UnsupportedError, match="pass the numbers"):
        transform(fd.vmap(lambda x: rng.normal(x)))(np.ones(3))


def test_a_seeded_generator_in_a_compiled_function():
    def f(x):
        return fd.numpy.random.default_rng(0).normal(x, 2.0, size=3)

    compiled = fd.jit(f)
    for x in (1.0, -3.0):
        assert_array_equal(compiled(x), f(x))
    assert_allclose(
        fd.grad(lambda x: np.sum(compiled(x) ** 2))(1.0), fd.grad(lambda x: np.sum(f(x) ** 2))(1.0)
    )


def test_checkpointed_draws_are_noticed():
    rng = ours("default_rng")
    with pytest.raises(fd.errors.CustomRuleError, match="random numbers"):
        fd.grad(fd.checkpoint(lambda x: rng.normal(x, 1.0) ** 2))(1.0)


# --- the rest of NumPy's interface -------------------------------------------------------------------------


def test_shuffling_carries_derivatives():
    x = np.array([1.0, 4.0, 9.0, 16.0])
    m = np.arange(12.0).reshape(4, 3)
    for maker in MAKERS.values():
        for call in (
            lambda rng, v: rng.permutation(v),
            lambda rng, v: rng.choice(v, 6),
            lambda rng, v: rng.choice(v, 3, replace=False),
        ):
            for value in (x, m) if maker == "default_rng" else (x,):
                expected = call(numpys(maker), value)
                found, moved = fd.jvp(
                    lambda v, call=call, maker=maker: call(ours(maker), v), value, value * 2
                )
                assert_array_equal(found, expected)
                assert_array_equal(moved, expected * 2)
        for value in (x, m):

            def shuffled(v, maker=maker):
                v = v.copy()
                ours(maker).shuffle(v)
                return v

            expected = value.copy()
            numpys(maker).shuffle(expected)
            found, moved = fd.jvp(shuffled, value, value * 2)
            assert_array_equal(found, expected)
            assert_array_equal(moved, expected * 2)
    for axis in (None, 0, 1):
        found, moved = fd.jvp(lambda v, axis=axis: ours("default_rng").permuted(v, axis=axis), m, m * 2)
        assert_array_equal(found, np.random.default_rng(3).permuted(m, axis=axis))
        assert_array_equal(moved, found * 2)


def test_streams_are_shared_with_numpy():
    plain = np.random.default_rng(5)
    reference = np.random.default_rng(5)
    rng = fd.numpy.random.default_rng(plain)
    assert isinstance(rng, np.random.Generator)
    drawn = [rng.normal(), plain.normal(), rng.gamma(2.0), rng.integers(10), plain.random()]
    assert drawn == [
        reference.normal(), reference.normal(), reference.gamma(2.0), reference.integers(10), reference.random(),
    ]  # fmt: skip
    assert fd.numpy.random.default_rng(rng) is rng
    state = np.random.RandomState(5)
    state.normal()  # leaves another one for later
    expected = copy.deepcopy(state).normal()
    assert fd.numpy.random.default_rng(state).normal() == expected
    np.random.seed(4)
    first = np.random.normal(size=3)
    fd.numpy.random.seed(4)
    assert_array_equal(fd.numpy.random.normal(size=3), first)


def test_generators_are_copied_pickled_and_spawned_as_numpys():
    rng = ours("default_rng")
    for other in (pickle.loads(pickle.dumps(rng)), copy.deepcopy(rng)):
        assert type(other) is fd.numpy.random.Generator
        assert other.random() == np.random.default_rng(3).random()
    child = rng.spawn(1)[0]
    assert type(child) is fd.numpy.random.Generator
    assert child.normal() == np.random.default_rng(3).spawn(1)[0].normal()


PLAIN_CALLS = [
    "random((2, 3))", "standard_normal(3)", "standard_exponential(2)", "standard_cauchy(2)", "bytes(4)",
    "multinomial(4, [0.3, 0.7])", "permutation(5)", "choice(5, 2)", "dirichlet([1.0, 2.0], 2)",
    "multivariate_normal([0.0, 1.0], [[1.0, 0.0], [0.0, 2.0]])", "hypergeometric(3, 4, 2, 5)",
    "noncentral_f(2.0, 3.0, 1.0)", "noncentral_chisquare(2.0, 1.0, 3)",
]  # fmt: skip
OF_GENERATOR = [
    "random(3, np.float32)", "standard_normal(3, dtype=np.float32)", "standard_gamma(2.0, dtype=np.float32)",
    "standard_exponential(2, method='inv')", "integers(0, 9, 4, endpoint=True)", "permuted(np.arange(5))",
    "multivariate_hypergeometric([3, 4], 2)", "permutation(np.eye(3), axis=1)", "choice(np.eye(3), 2, axis=1)",
    "random(out=np.empty(2))", "standard_gamma(2.0, out=np.empty(2))",
]  # fmt: skip
OF_STATE = [
    "rand(2)",
    "randn(2, 3)",
    "rand()",
    "random_sample(2)",
    "randint(5, size=3)",
    "get_state()[0]",
    "tomaxint()",
]


@pytest.mark.parametrize("call", PLAIN_CALLS + OF_GENERATOR)
def test_plain_calls_of_a_generator(call):
    scope = {"np": np}
    found, expected = (
        eval(f"rng.{call}", {**scope, "rng": r}) for r in (ours("default_rng"), np.random.default_rng(3))
    )
    assert type(found) is type(expected)
    assert_array_equal(found, expected)


@pytest.mark.parametrize("call", PLAIN_CALLS + OF_STATE)
def test_plain_calls_of_a_random_state(call):
    found, expected = (
        eval(f"rng.{call}", {"rng": r}) for r in (ours("RandomState"), np.random.RandomState(3))
    )
    assert type(found) is type(expected)
    assert_array_equal(found, expected)


def test_names_and_signatures_are_numpys():
    for numpys_class, our_class in (
        (np.random.Generator, fd.numpy.random.Generator),
        (np.random.RandomState, fd.numpy.random.RandomState),
    ):
        rng = our_class(np.random.PCG64(0))
        for name in dir(numpys_class):
            if name.startswith("_") or not callable(getattr(numpys_class, name)):
                continue
            assert callable(getattr(rng, name))
            if name in PARAMETERS:
                theirs = [p for p in inspect.signature(getattr(numpys_class, name)).parameters if p != "self"]
                own = [p for p in inspect.signature(getattr(our_class, name)).parameters if p != "self"]
                assert own[: len(theirs)] == theirs or own[-1] == "keywords", name
    missing = set(np.random.__all__) - set(dir(fd.numpy.random)) - {"random_integers"}
    assert not missing


def test_a_chunked_jacobian_of_draws_is_refused():
    rng = ours("default_rng")
    mu = np.array([0.5, 1.5])
    with pytest.raises(fd.errors.OutputError, match="other values when it was run again"):
        fd.jacfwd(lambda mu: rng.normal(mu, 1.0) ** 2, chunk_size=1)(mu)


def test_draws_in_the_bodies_of_loops():
    def walk(x):
        rng = fd.numpy.random.default_rng(0)
        return fd.fori_loop(0, 4, lambda i, c: c * rng.uniform(1, 2), x)

    factor = np.prod(np.random.default_rng(0).uniform(1, 2, 4))
    assert_allclose(fd.value_and_grad(walk)(1.0), [factor, factor])
    with pytest.raises(UnsupportedError, match="pass the numbers"):  # the body is recorded once for all steps
        fd.jit(walk)(1.0)
