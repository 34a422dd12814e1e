"""`numpy.random` with derivatives of the draws with respect to the parameters of their distributions.

``rng = fd.numpy.random.default_rng(seed)`` draws what ``numpy.random.default_rng(seed)`` draws, number for number;
where a parameter is traced, the draw carries its pathwise derivative: what moves is the draw whose probability is
kept.  So the gradient of a mean over draws is an unbiased estimate of the gradient of the mean.

Draws are made where they stand in the program, as by NumPy.  Under `vmap` every example has its own draws, as in a
loop over the examples; those of a generator that is made from a seed inside the mapped function are the same for
all, as they would be there too.  A function that `jit` compiles runs once only, so that in it a generator from
outside raises; what it draws can be passed as an argument.
"""

from __future__ import annotations

from numpy.random import MT19937 as MT19937
from numpy.random import PCG64 as PCG64
from numpy.random import PCG64DXSM as PCG64DXSM
from numpy.random import SFC64 as SFC64
from numpy.random import BitGenerator as BitGenerator
from numpy.random import Philox as Philox
from numpy.random import SeedSequence as SeedSequence
from numpy.random.mtrand import get_bit_generator as get_bit_generator
from numpy.random.mtrand import set_bit_generator as set_bit_generator

from funcdiff.numpy.random.generators import Generator as Generator
from funcdiff.numpy.random.generators import RandomState as RandomState
from funcdiff.numpy.random.generators import default_rng as default_rng
from funcdiff.numpy.random.generators import global_state as _global_state

beta = _global_state.beta
binomial = _global_state.binomial
bytes = _global_state.bytes
chisquare = _global_state.chisquare
choice = _global_state.choice
dirichlet = _global_state.dirichlet
exponential = _global_state.exponential
f = _global_state.f
gamma = _global_state.gamma
geometric = _global_state.geometric
get_state = _global_state.get_state
gumbel = _global_state.gumbel
hypergeometric = _global_state.hypergeometric
laplace = _global_state.laplace
logistic = _global_state.logistic
lognormal = _global_state.lognormal
logseries = _global_state.logseries
multinomial = _global_state.multinomial
multivariate_normal = _global_state.multivariate_normal
negative_binomial = _global_state.negative_binomial
noncentral_chisquare = _global_state.noncentral_chisquare
noncentral_f = _global_state.noncentral_f
normal = _global_state.normal
pareto = _global_state.pareto
permutation = _global_state.permutation
poisson = _global_state.poisson
power = _global_state.power
rand = _global_state.rand
randint = _global_state.randint
randn = _global_state.randn
random = _global_state.random
random_sample = _global_state.random_sample
rayleigh = _global_state.rayleigh
seed = _global_state.seed
set_state = _global_state.set_state
shuffle = _global_state.shuffle
standard_cauchy = _global_state.standard_cauchy
standard_exponential = _global_state.standard_exponential
standard_gamma = _global_state.standard_gamma
standard_normal = _global_state.standard_normal
standard_t = _global_state.standard_t
triangular = _global_state.triangular
uniform = _global_state.uniform
vonmises = _global_state.vonmises
wald = _global_state.wald
weibull = _global_state.weibull
zipf = _global_state.zipf
ranf = sample = random_sample
