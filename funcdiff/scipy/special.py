"""`scipy.special`, differentiable: its ufuncs, logsumexp, softmax and their kin."""

from __future__ import annotations

from typing import Any as _Any

import numpy as _np
import scipy.special as _sp

from funcdiff import errors as _errors
from funcdiff.numpy import _protocol
from funcdiff.numpy.ufuncs import Ufunc
from funcdiff.primitives import special as _special
from funcdiff.scipy._protocol import without_rule as _without_rule
from funcdiff.scipy._special_functions import assoc_laguerre as assoc_laguerre
from funcdiff.scipy._special_functions import assoc_legendre_p as assoc_legendre_p
from funcdiff.scipy._special_functions import comb as comb
from funcdiff.scipy._special_functions import diric as diric
from funcdiff.scipy._special_functions import factorial as factorial
from funcdiff.scipy._special_functions import h1vp as h1vp
from funcdiff.scipy._special_functions import h2vp as h2vp
from funcdiff.scipy._special_functions import ivp as ivp
from funcdiff.scipy._special_functions import jvp as jvp
from funcdiff.scipy._special_functions import kvp as kvp
from funcdiff.scipy._special_functions import lambertw as lambertw
from funcdiff.scipy._special_functions import legendre_p as legendre_p
from funcdiff.scipy._special_functions import log_softmax as log_softmax
from funcdiff.scipy._special_functions import logsumexp as logsumexp
from funcdiff.scipy._special_functions import multigammaln as multigammaln
from funcdiff.scipy._special_functions import perm as perm
from funcdiff.scipy._special_functions import polygamma as polygamma
from funcdiff.scipy._special_functions import sinc as sinc
from funcdiff.scipy._special_functions import softmax as softmax
from funcdiff.scipy._special_functions import softplus as softplus
from funcdiff.scipy._special_functions import sph_harm_y as sph_harm_y
from funcdiff.scipy._special_functions import sph_legendre_p as sph_legendre_p
from funcdiff.scipy._special_functions import spherical_in as spherical_in
from funcdiff.scipy._special_functions import spherical_jn as spherical_jn
from funcdiff.scipy._special_functions import spherical_kn as spherical_kn
from funcdiff.scipy._special_functions import spherical_yn as spherical_yn
from funcdiff.scipy._special_functions import yvp as yvp
from funcdiff.scipy._special_functions import zeta as zeta

_protocol.collect_ufuncs()
_protocol.UFUNCS.update(_special.UFUNCS)


def _of(ufunc: _np.ufunc) -> Ufunc:
    """Return a ufunc of SciPy's that takes traced arrays without a detour."""
    return Ufunc(ufunc, _protocol.UFUNCS[ufunc])


_REFUSED: dict[str, str] = {}


def _refused(ufunc: _np.ufunc, why: str) -> Ufunc:
    """Return a ufunc of SciPy's that takes plain arrays only, in plain spelling too."""

    def refuse(*args: _Any) -> _Any:
        if not any(_protocol.has_traced(a) for a in args):
            return ufunc(*args)
        raise _errors.UnsupportedError(
            _errors.at_user_line(
                f"scipy.special.{ufunc.__name__} of a traced array has no derivative here: {why}"
            )
        )

    _REFUSED[ufunc.__name__] = why
    return Ufunc(ufunc, refuse)


agm = _of(_sp.agm)
airy = _of(_sp.airy)
airye = _of(_sp.airye)
bdtr = _of(_sp.bdtr)
bdtrc = _of(_sp.bdtrc)
bdtri = _of(_sp.bdtri)
bdtrik = _of(_sp.bdtrik)
bdtrin = _of(_sp.bdtrin)
bei = _of(_sp.bei)
beip = _of(_sp.beip)
ber = _of(_sp.ber)
berp = _of(_sp.berp)
besselpoly = _of(_sp.besselpoly)
beta = _of(_sp.beta)
betainc = _of(_sp.betainc)
betaincc = _of(_sp.betaincc)
betainccinv = _of(_sp.betainccinv)
betaincinv = _of(_sp.betaincinv)
betaln = _of(_sp.betaln)
binom = _of(_sp.binom)
boxcox = _of(_sp.boxcox)
boxcox1p = _of(_sp.boxcox1p)
btdtria = _of(_sp.btdtria)
btdtrib = _of(_sp.btdtrib)
cbrt = _of(_sp.cbrt)
chdtr = _of(_sp.chdtr)
chdtrc = _of(_sp.chdtrc)
chdtri = _of(_sp.chdtri)
chdtriv = _of(_sp.chdtriv)
chndtr = _of(_sp.chndtr)
chndtridf = _of(_sp.chndtridf)
chndtrinc = _of(_sp.chndtrinc)
chndtrix = _of(_sp.chndtrix)
cosdg = _of(_sp.cosdg)
cosm1 = _of(_sp.cosm1)
cotdg = _of(_sp.cotdg)
dawsn = _of(_sp.dawsn)
ellipe = _of(_sp.ellipe)
ellipeinc = _of(_sp.ellipeinc)
ellipj = _of(_sp.ellipj)
ellipk = _of(_sp.ellipk)
ellipkinc = _of(_sp.ellipkinc)
ellipkm1 = _of(_sp.ellipkm1)
elliprc = _of(_sp.elliprc)
elliprd = _of(_sp.elliprd)
elliprf = _of(_sp.elliprf)
elliprg = _of(_sp.elliprg)
elliprj = _of(_sp.elliprj)
entr = _of(_sp.entr)
erf = _of(_sp.erf)
erfc = _of(_sp.erfc)
erfcinv = _of(_sp.erfcinv)
erfcx = _of(_sp.erfcx)
erfi = _of(_sp.erfi)
erfinv = _of(_sp.erfinv)
eval_chebyc = _of(_sp.eval_chebyc)
eval_chebys = _of(_sp.eval_chebys)
eval_chebyt = _of(_sp.eval_chebyt)
eval_chebyu = _of(_sp.eval_chebyu)
eval_gegenbauer = _of(_sp.eval_gegenbauer)
eval_genlaguerre = _of(_sp.eval_genlaguerre)
eval_hermite = _of(_sp.eval_hermite)
eval_hermitenorm = _of(_sp.eval_hermitenorm)
eval_jacobi = _of(_sp.eval_jacobi)
eval_laguerre = _of(_sp.eval_laguerre)
eval_legendre = _of(_sp.eval_legendre)
eval_sh_chebyt = _of(_sp.eval_sh_chebyt)
eval_sh_chebyu = _of(_sp.eval_sh_chebyu)
eval_sh_jacobi = _of(_sp.eval_sh_jacobi)
eval_sh_legendre = _of(_sp.eval_sh_legendre)
exp1 = _of(_sp.exp1)
exp10 = _of(_sp.exp10)
exp2 = _of(_sp.exp2)
expi = _of(_sp.expi)
expit = _of(_sp.expit)
expm1 = _of(_sp.expm1)
expn = _of(_sp.expn)
exprel = _of(_sp.exprel)
fdtr = _of(_sp.fdtr)
fdtrc = _of(_sp.fdtrc)
fdtri = _of(_sp.fdtri)
fdtridfd = _of(_sp.fdtridfd)
fresnel = _of(_sp.fresnel)
gamma = _of(_sp.gamma)
gammainc = _of(_sp.gammainc)
gammaincc = _of(_sp.gammaincc)
gammainccinv = _of(_sp.gammainccinv)
gammaincinv = _of(_sp.gammaincinv)
gammaln = _of(_sp.gammaln)
gammasgn = _of(_sp.gammasgn)
gdtr = _of(_sp.gdtr)
gdtrc = _of(_sp.gdtrc)
gdtria = _of(_sp.gdtria)
gdtrib = _of(_sp.gdtrib)
gdtrix = _of(_sp.gdtrix)
hankel1 = _of(_sp.hankel1)
hankel1e = _of(_sp.hankel1e)
hankel2 = _of(_sp.hankel2)
hankel2e = _of(_sp.hankel2e)
huber = _of(_sp.huber)
hyp0f1 = _of(_sp.hyp0f1)
hyp1f1 = _of(_sp.hyp1f1)
hyp2f1 = _of(_sp.hyp2f1)
hyperu = _of(_sp.hyperu)
i0 = _of(_sp.i0)
i0e = _of(_sp.i0e)
i1 = _of(_sp.i1)
i1e = _of(_sp.i1e)
inv_boxcox = _of(_sp.inv_boxcox)
inv_boxcox1p = _of(_sp.inv_boxcox1p)
it2i0k0 = _of(_sp.it2i0k0)
it2j0y0 = _of(_sp.it2j0y0)
it2struve0 = _of(_sp.it2struve0)
itairy = _of(_sp.itairy)
iti0k0 = _of(_sp.iti0k0)
itj0y0 = _of(_sp.itj0y0)
itmodstruve0 = _of(_sp.itmodstruve0)
itstruve0 = _of(_sp.itstruve0)
iv = _of(_sp.iv)
ive = _of(_sp.ive)
j0 = _of(_sp.j0)
j1 = _of(_sp.j1)
jv = _of(_sp.jv)
jve = _of(_sp.jve)
k0 = _of(_sp.k0)
k0e = _of(_sp.k0e)
k1 = _of(_sp.k1)
k1e = _of(_sp.k1e)
kei = _of(_sp.kei)
keip = _of(_sp.keip)
kelvin = _of(_sp.kelvin)
ker = _of(_sp.ker)
kerp = _of(_sp.kerp)
kl_div = _of(_sp.kl_div)
kn = _of(_sp.kn)
kolmogi = _of(_sp.kolmogi)
kolmogorov = _of(_sp.kolmogorov)
kv = _of(_sp.kv)
kve = _of(_sp.kve)
log1p = _of(_sp.log1p)
log_expit = _of(_sp.log_expit)
log_ndtr = _of(_sp.log_ndtr)
log_wright_bessel = _of(_sp.log_wright_bessel)
loggamma = _of(_sp.loggamma)
logit = _of(_sp.logit)
lpmv = _of(_sp.lpmv)
mathieu_a = _of(_sp.mathieu_a)
mathieu_b = _of(_sp.mathieu_b)
mathieu_cem = _of(_sp.mathieu_cem)
mathieu_modcem1 = _of(_sp.mathieu_modcem1)
mathieu_modcem2 = _of(_sp.mathieu_modcem2)
mathieu_modsem1 = _of(_sp.mathieu_modsem1)
mathieu_modsem2 = _of(_sp.mathieu_modsem2)
mathieu_sem = _of(_sp.mathieu_sem)
modfresnelm = _of(_sp.modfresnelm)
modfresnelp = _of(_sp.modfresnelp)
modstruve = _of(_sp.modstruve)
nbdtr = _of(_sp.nbdtr)
nbdtrc = _of(_sp.nbdtrc)
nbdtri = _of(_sp.nbdtri)
nbdtrik = _of(_sp.nbdtrik)
nbdtrin = _of(_sp.nbdtrin)
ncfdtr = _of(_sp.ncfdtr)
ncfdtri = _of(_sp.ncfdtri)
nctdtr = _of(_sp.nctdtr)
nctdtridf = _of(_sp.nctdtridf)
nctdtrinc = _of(_sp.nctdtrinc)
nctdtrit = _of(_sp.nctdtrit)
ndtr = _of(_sp.ndtr)
ndtri = _of(_sp.ndtri)
ndtri_exp = _of(_sp.ndtri_exp)
nrdtrimn = _of(_sp.nrdtrimn)
nrdtrisd = _of(_sp.nrdtrisd)
obl_ang1 = _of(_sp.obl_ang1)
obl_ang1_cv = _of(_sp.obl_ang1_cv)
obl_cv = _of(_sp.obl_cv)
obl_rad1 = _of(_sp.obl_rad1)
obl_rad1_cv = _of(_sp.obl_rad1_cv)
obl_rad2 = _of(_sp.obl_rad2)
obl_rad2_cv = _of(_sp.obl_rad2_cv)
owens_t = _of(_sp.owens_t)
pbdv = _of(_sp.pbdv)
pbvv = _of(_sp.pbvv)
pbwa = _of(_sp.pbwa)
pdtr = _of(_sp.pdtr)
pdtrc = _of(_sp.pdtrc)
pdtri = _of(_sp.pdtri)
pdtrik = _of(_sp.pdtrik)
poch = _of(_sp.poch)
powm1 = _of(_sp.powm1)
pro_ang1 = _of(_sp.pro_ang1)
pro_ang1_cv = _of(_sp.pro_ang1_cv)
pro_cv = _of(_sp.pro_cv)
pro_rad1 = _of(_sp.pro_rad1)
pro_rad1_cv = _of(_sp.pro_rad1_cv)
pro_rad2 = _of(_sp.pro_rad2)
pro_rad2_cv = _of(_sp.pro_rad2_cv)
pseudo_huber = _of(_sp.pseudo_huber)
psi = _of(_sp.psi)
radian = _of(_sp.radian)
rel_entr = _of(_sp.rel_entr)
rgamma = _of(_sp.rgamma)
round = _of(_sp.round)
shichi = _of(_sp.shichi)
sici = _of(_sp.sici)
sindg = _of(_sp.sindg)
smirnov = _of(_sp.smirnov)
smirnovi = _of(_sp.smirnovi)
spence = _of(_sp.spence)
stdtr = _of(_sp.stdtr)
stdtridf = _of(_sp.stdtridf)
stdtrit = _of(_sp.stdtrit)
struve = _of(_sp.struve)
tandg = _of(_sp.tandg)
tklmbda = _of(_sp.tklmbda)
voigt_profile = _of(_sp.voigt_profile)
wofz = _of(_sp.wofz)
wright_bessel = _of(_sp.wright_bessel)
wrightomega = _of(_sp.wrightomega)
xlog1py = _of(_sp.xlog1py)
xlogy = _of(_sp.xlogy)
y0 = _of(_sp.y0)
y1 = _of(_sp.y1)
yn = _of(_sp.yn)
yv = _of(_sp.yv)
yve = _of(_sp.yve)
zetac = _of(_sp.zetac)
digamma = psi
jn = jv

# --- without derivatives: plain arrays only, which pass to SciPy -------------------------------------------------

_SEARCH = "SciPy searches for it to about five digits: solve ncfdtr with a root finder of your own."
_COUNTS = "its arguments are whole numbers."
_ROOTS = "nodes and weights with respect to parameters are not covered; evaluate the polynomial with eval_…"
_POLYNOMIALS = "it makes a polynomial object; evaluate it with eval_…"
_SEQUENCES = "it lists several orders at once: call the function of one order."
_UNKNOWN = "no accurate method is known here."

ncfdtridfd = _refused(_sp.ncfdtridfd, _SEARCH)
ncfdtridfn = _refused(_sp.ncfdtridfn, _SEARCH)
ncfdtrinc = _refused(_sp.ncfdtrinc, _SEARCH)
ai_zeros = _without_rule(_sp.ai_zeros, _COUNTS)
assoc_legendre_p_all = _without_rule(_sp.assoc_legendre_p_all, _SEQUENCES)
bei_zeros = _without_rule(_sp.bei_zeros, _COUNTS)
beip_zeros = _without_rule(_sp.beip_zeros, _COUNTS)
ber_zeros = _without_rule(_sp.ber_zeros, _COUNTS)
bernoulli = _without_rule(_sp.bernoulli, _COUNTS)
berp_zeros = _without_rule(_sp.berp_zeros, _COUNTS)
bi_zeros = _without_rule(_sp.bi_zeros, _COUNTS)
c_roots = _without_rule(_sp.c_roots, _ROOTS)
cg_roots = _without_rule(_sp.cg_roots, _ROOTS)
chebyc = _without_rule(_sp.chebyc, _POLYNOMIALS)
chebys = _without_rule(_sp.chebys, _POLYNOMIALS)
chebyt = _without_rule(_sp.chebyt, _POLYNOMIALS)
chebyu = _without_rule(_sp.chebyu, _POLYNOMIALS)
ellip_harm = _without_rule(_sp.ellip_harm, _UNKNOWN)
ellip_harm_2 = _without_rule(_sp.ellip_harm_2, _UNKNOWN)
ellip_normal = _without_rule(_sp.ellip_normal, _UNKNOWN)
erf_zeros = _without_rule(_sp.erf_zeros, _COUNTS)
euler = _without_rule(_sp.euler, _COUNTS)
factorial2 = _without_rule(_sp.factorial2, _COUNTS)
factorialk = _without_rule(_sp.factorialk, _COUNTS)
fresnel_zeros = _without_rule(_sp.fresnel_zeros, _COUNTS)
fresnelc_zeros = _without_rule(_sp.fresnelc_zeros, _COUNTS)
fresnels_zeros = _without_rule(_sp.fresnels_zeros, _COUNTS)
gegenbauer = _without_rule(_sp.gegenbauer, _POLYNOMIALS)
genlaguerre = _without_rule(_sp.genlaguerre, _POLYNOMIALS)
h_roots = _without_rule(_sp.h_roots, _ROOTS)
he_roots = _without_rule(_sp.he_roots, _ROOTS)
hermite = _without_rule(_sp.hermite, _POLYNOMIALS)
hermitenorm = _without_rule(_sp.hermitenorm, _POLYNOMIALS)
j_roots = _without_rule(_sp.j_roots, _ROOTS)
jacobi = _without_rule(_sp.jacobi, _POLYNOMIALS)
jn_zeros = _without_rule(_sp.jn_zeros, _COUNTS)
jnjnp_zeros = _without_rule(_sp.jnjnp_zeros, _COUNTS)
jnp_zeros = _without_rule(_sp.jnp_zeros, _COUNTS)
jnyn_zeros = _without_rule(_sp.jnyn_zeros, _COUNTS)
js_roots = _without_rule(_sp.js_roots, _ROOTS)
kei_zeros = _without_rule(_sp.kei_zeros, _COUNTS)
keip_zeros = _without_rule(_sp.keip_zeros, _COUNTS)
kelvin_zeros = _without_rule(_sp.kelvin_zeros, _COUNTS)
ker_zeros = _without_rule(_sp.ker_zeros, _COUNTS)
kerp_zeros = _without_rule(_sp.kerp_zeros, _COUNTS)
l_roots = _without_rule(_sp.l_roots, _ROOTS)
la_roots = _without_rule(_sp.la_roots, _ROOTS)
laguerre = _without_rule(_sp.laguerre, _POLYNOMIALS)
legendre = _without_rule(_sp.legendre, _POLYNOMIALS)
legendre_p_all = _without_rule(_sp.legendre_p_all, _SEQUENCES)
lmbda = _without_rule(_sp.lmbda, _SEQUENCES)
lqmn = _without_rule(_sp.lqmn, _UNKNOWN)
lqn = _without_rule(_sp.lqn, _UNKNOWN)
mathieu_even_coef = _without_rule(_sp.mathieu_even_coef, _UNKNOWN)
mathieu_odd_coef = _without_rule(_sp.mathieu_odd_coef, _UNKNOWN)
obl_cv_seq = _without_rule(_sp.obl_cv_seq, _SEQUENCES)
p_roots = _without_rule(_sp.p_roots, _ROOTS)
pbdn_seq = _without_rule(_sp.pbdn_seq, _SEQUENCES)
pbdv_seq = _without_rule(_sp.pbdv_seq, _SEQUENCES)
pbvv_seq = _without_rule(_sp.pbvv_seq, _SEQUENCES)
pro_cv_seq = _without_rule(_sp.pro_cv_seq, _SEQUENCES)
ps_roots = _without_rule(_sp.ps_roots, _ROOTS)
riccati_jn = _without_rule(_sp.riccati_jn, _SEQUENCES)
riccati_yn = _without_rule(_sp.riccati_yn, _SEQUENCES)
roots_chebyc = _without_rule(_sp.roots_chebyc, _ROOTS)
roots_chebys = _without_rule(_sp.roots_chebys, _ROOTS)
roots_chebyt = _without_rule(_sp.roots_chebyt, _ROOTS)
roots_chebyu = _without_rule(_sp.roots_chebyu, _ROOTS)
roots_gegenbauer = _without_rule(_sp.roots_gegenbauer, _ROOTS)
roots_genlaguerre = _without_rule(_sp.roots_genlaguerre, _ROOTS)
roots_hermite = _without_rule(_sp.roots_hermite, _ROOTS)
roots_hermitenorm = _without_rule(_sp.roots_hermitenorm, _ROOTS)
roots_jacobi = _without_rule(_sp.roots_jacobi, _ROOTS)
roots_laguerre = _without_rule(_sp.roots_laguerre, _ROOTS)
roots_legendre = _without_rule(_sp.roots_legendre, _ROOTS)
roots_sh_chebyt = _without_rule(_sp.roots_sh_chebyt, _ROOTS)
roots_sh_chebyu = _without_rule(_sp.roots_sh_chebyu, _ROOTS)
roots_sh_jacobi = _without_rule(_sp.roots_sh_jacobi, _ROOTS)
roots_sh_legendre = _without_rule(_sp.roots_sh_legendre, _ROOTS)
s_roots = _without_rule(_sp.s_roots, _ROOTS)
sh_chebyt = _without_rule(_sp.sh_chebyt, _POLYNOMIALS)
sh_chebyu = _without_rule(_sp.sh_chebyu, _POLYNOMIALS)
sh_jacobi = _without_rule(_sp.sh_jacobi, _POLYNOMIALS)
sh_legendre = _without_rule(_sp.sh_legendre, _POLYNOMIALS)
sph_harm_y_all = _without_rule(_sp.sph_harm_y_all, _SEQUENCES)
sph_legendre_p_all = _without_rule(_sp.sph_legendre_p_all, _SEQUENCES)
stirling2 = _without_rule(_sp.stirling2, _COUNTS)
t_roots = _without_rule(_sp.t_roots, _ROOTS)
ts_roots = _without_rule(_sp.ts_roots, _ROOTS)
u_roots = _without_rule(_sp.u_roots, _ROOTS)
us_roots = _without_rule(_sp.us_roots, _ROOTS)
y0_zeros = _without_rule(_sp.y0_zeros, _COUNTS)
y1_zeros = _without_rule(_sp.y1_zeros, _COUNTS)
y1p_zeros = _without_rule(_sp.y1p_zeros, _COUNTS)
yn_zeros = _without_rule(_sp.yn_zeros, _COUNTS)
ynp_zeros = _without_rule(_sp.ynp_zeros, _COUNTS)

# --- how SciPy warns ---------------------------------------------------------------------------------------------

SpecialFunctionError = _sp.SpecialFunctionError
SpecialFunctionWarning = _sp.SpecialFunctionWarning
errstate = _sp.errstate
geterr = _sp.geterr
seterr = _sp.seterr
