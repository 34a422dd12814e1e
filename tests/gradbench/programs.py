"""The twelve programs of GradBench, as plain functions of arrays, and their derivatives by funcdiff's transforms.

The functions are written as GradBench states them; what is static (a number of steps, a hand's bones) is closed
over when a program is compiled.
"""

import itertools
import math

import numpy as np
from scipy.special import gammaln

import funcdiff as fd

# --- hello ---------------------------------------------------------------------------------------------


def square(x):
    return x * x


# --- gmm: a Gaussian mixture with a Wishart prior ----------------------------------------------------------


def logsumexp(v, axis):
    top = np.max(v, axis=axis, keepdims=True)
    return np.squeeze(top, axis) + np.log(np.sum(np.exp(v - top), axis=axis))


def gmm(alpha, mu, q, below, x, m, gamma):
    n, d = x.shape
    k = len(alpha)
    column, row = np.triu_indices(d, 1)  # the strict lower triangle, column by column
    lower = fd.numpy.zeros((k, d, d))
    lower[:, row, column] = below
    centred = x.T - mu[:, :, None]
    scaled = np.exp(q)[:, :, None] * centred + lower @ centred
    beta = alpha + np.sum(q, 1) - 0.5 * np.sum(scaled**2, axis=1).T
    nw = d + m + 1
    log_gamma = d * (d - 1) / 4 * math.log(math.pi) + np.sum(gammaln(nw / 2 + (1 - np.arange(1, d + 1)) / 2))
    prior = k * (nw * d * math.log(gamma / math.sqrt(2)) - log_gamma)
    prior = prior - gamma**2 / 2 * (np.sum(np.exp(q) ** 2) + np.sum(below**2)) + m * np.sum(q)
    return -n * (d / 2 * math.log(2 * math.pi) + logsumexp(alpha, 0)) + np.sum(logsumexp(beta, 1)) + prior


def gmm_arguments(given):
    d, k = given["d"], given["k"]
    arrays = [np.array(given[name], float) for name in ("alpha", "mu", "q", "l", "x")]
    arrays[3] = arrays[3].reshape(k, d * (d - 1) // 2)
    return (*arrays, given["m"], given["gamma"])


# --- ba: bundle adjustment ---------------------------------------------------------------------------------


def project(camera, point):
    """Project points, one per column, by cameras, one per column."""
    rotation, centre, focal, principal, kappa = camera[:3], camera[3:6], camera[6], camera[7:9], camera[9:]
    y = point - centre
    square_angle = np.sum(rotation**2, 0)
    turned = square_angle != 0
    angle = np.sqrt(np.where(turned, square_angle, 1.0))
    axis = rotation / angle
    cosine, sine = np.cos(angle), np.sin(angle)
    rotated = y * cosine + cross(axis, y) * sine + axis * np.sum(axis * y, 0) * (1 - cosine)
    z = np.where(turned, rotated, y + cross(rotation, y))
    p = z[:2] / z[2]
    rho = np.sum(p**2, 0)
    return focal * (p * (1 + kappa[0] * rho + kappa[1] * rho**2)) + principal


def cross(a, b):
    return np.stack([a[1] * b[2] - a[2] * b[1], a[2] * b[0] - a[0] * b[2], a[0] * b[1] - a[1] * b[0]])


def reprojection_error(camera, point, w, feature):
    return w * (project(camera, point) - feature)


def weight_error(w):
    return 1 - w**2


def ba(cameras, points, w, features, of_camera, of_point):
    return reprojection_error(cameras[:, of_camera], points[:, of_point], w, features), weight_error(w)


def ba_blocks(camera, point, w, feature):
    """Return the rows of the Jacobian's blocks: one pullback per row of an observation."""
    error, pull = fd.pullback(lambda c, x, w: reprojection_error(c, x, w, feature), camera, point, w)
    of_weight = fd.grad(lambda w: np.sum(weight_error(w)))(w)
    rows = []
    for n in range(2):
        seed = np.zeros(error.shape)
        seed[n] = 1.0
        of_camera, of_point, of_w = pull(seed)
        rows.append(np.concatenate([of_camera, of_point, of_w[None]]))
    return np.stack(rows), of_weight


def ba_jacobian(cameras, points, w, features, of_camera, of_point):
    """Return the Jacobian in compressed rows: where each row begins, the columns of its entries, and the entries."""
    n, m, p = cameras.shape[1], points.shape[1], len(w)
    entries, of_weight = ba_blocks(cameras[:, of_camera], points[:, of_point], w, features)
    camera = 11 * of_camera + np.arange(11)[:, None]
    point = 11 * n + 3 * of_point + np.arange(3)[:, None]
    weight = 11 * n + 3 * m + np.arange(p)
    row = np.concatenate([camera, point, weight[None]])
    columns = np.concatenate([np.stack([row, row]).transpose(2, 0, 1).ravel(), weight])
    values = np.concatenate([entries.transpose(2, 0, 1).ravel(), of_weight])
    pointers = np.concatenate([np.arange(0, 30 * p + 1, 15), np.arange(30 * p + 1, 31 * p + 1)])
    return pointers, columns, values


def ba_arguments(given):
    n, m, p = given["n"], given["m"], given["p"]
    cameras = np.repeat(np.array(given["cam"], float)[:, None], n, 1)
    points = np.repeat(np.array(given["x"], float)[:, None], m, 1)
    features = np.repeat(np.array(given["feat"], float)[:, None], p, 1)
    numbers = np.arange(p)
    return cameras, points, np.full(p, float(given["w"])), features, numbers % n, numbers % m


def ba_encode(out):
    error, of_weight = out
    return {
        "reproj_error": {"elements": error[:, 0].tolist(), "repeated": error.shape[1]},
        "w_err": {"element": float(of_weight[0]), "repeated": len(of_weight)},
    }


def ba_encode_jacobian(out):
    return dict(zip(("rows", "cols", "vals"), ([*x[:30].tolist(), x[-1].item()] for x in out), strict=True))


# --- lstm --------------------------------------------------------------------------------------------------


def sigmoid(z):
    return 1 / (1 + np.exp(-z))


def lstm(main, extra, state, sequence):
    layers, b = len(main) // 2, len(extra[0])

    def step(carry, inputs):
        hidden, cell = carry
        now, following = inputs
        x = now * extra[0]
        new_hidden, new_cell = [], []
        for n in range(layers):
            weight, bias = main[2 * n].reshape(4, b), main[2 * n + 1].reshape(4, b)
            h, c = hidden[n], cell[n]
            forget, out = sigmoid(x * weight[0] + bias[0]), sigmoid(x * weight[2] + bias[2])
            into, change = sigmoid(h * weight[1] + bias[1]), np.tanh(h * weight[3] + bias[3])
            c = c * forget + into * change
            x = out * np.tanh(c)
            new_hidden.append(x)
            new_cell.append(c)
        y = x * extra[1] + extra[2]
        y = y - np.log(2 + np.sum(np.exp(y)))
        return (tuple(new_hidden), tuple(new_cell)), np.sum(following * y)

    start = tuple(state[0::2]), tuple(state[1::2])
    _, terms = fd.scan(step, start, (sequence[:-1], sequence[1:]))
    return -np.sum(terms) / (b * (len(sequence) - 1))


def lstm_arguments(given):
    names = ("main_params", "extra_params", "state", "sequence")
    return tuple(np.array(given[name], float) for name in names)


# --- ht: hand tracking ---------------------------------------------------------------------------------------


def turn(angles):
    """Return the matrices of rotations about x, then y, then z."""
    s, c = np.sin(angles), np.cos(angles)
    one, zero = np.ones_like(s[0]), np.zeros_like(s[0])

    def matrices(*entries):
        return np.stack(entries, -1).reshape(*s.shape[1:], 3, 3)

    x = matrices(one, zero, zero, zero, c[0], -s[0], zero, s[0], c[0])
    y = matrices(c[1], zero, s[1], zero, one, zero, -s[1], zero, c[1])
    z = matrices(c[2], -s[2], zero, s[2], c[2], zero, zero, zero, one)
    return z @ y @ x


def pose_angles(theta, bones):
    """Return the rotations of the bones about x, y and z."""
    pose = fd.numpy.zeros((bones + 3, 3))
    for finger in range(5):
        k, r = 6 + 4 * finger, 5 + 4 * finger
        pose[r, :2] = theta[k : k + 2]
        pose[r + 1, 0] = theta[k + 2]
        pose[r + 2, 0] = theta[k + 3]
    pose = pose[3:]
    return np.stack([pose[:, 0], pose[:, 2], pose[:, 1]])


def skin(theta, model):
    """Return the function that gives vertices of the posed hand: their places are linear in the bones' transforms."""
    bones = len(model["parents"])
    local = turn(pose_angles(theta, bones))
    whole = fd.numpy.zeros((bones, 4, 4))
    whole[:, :3, :3] = local
    whole[:, 3, 3] = 1.0
    relative = model["base_relatives"] @ whole
    absolute = []
    for bone, parent in enumerate(model["parents"]):
        absolute.append(relative[bone] if parent == -1 else absolute[parent] @ relative[bone])
    transforms = (np.stack(absolute) @ model["inverse_base_absolutes"])[:, :3]
    if model["is_mirrored"]:
        transforms = transforms * np.array([[-1.0], [1.0], [1.0]])
    transforms = globally(theta[:3]) @ transforms
    columns = transforms.transpose(0, 2, 1).reshape(4 * bones, 3)

    def positions(vertices):
        weights, base = model["weights"][vertices], model["base_positions"][vertices]
        rows = (weights[:, :, None] * base[:, None]).reshape(-1, 4 * bones)
        return np.tensordot(rows, columns, 1) + theta[3:6]

    return positions


def globally(rotation):
    n = np.sqrt(np.sum(rotation**2))
    if n < 1e-4:
        return np.eye(3)
    x, y, z = rotation / n
    s, c = np.sin(n), np.cos(n)
    d = 1 - c
    return fd.numpy.array(
        [
            [x * x * d + c, x * y * d - z * s, x * z * d + y * s],
            [x * y * d + z * s, y * y * d + c, y * z * d - x * s],
            [x * z * d - y * s, y * z * d + x * s, z * z * d + c],
        ]
    )


def ht(theta, us, model, corners, points):
    positions = skin(theta, model)
    if 2 * corners.size > len(model["weights"]):  # else no vertex is worth it that nobody sees
        found = positions(slice(None))[corners]
    else:
        found = positions(corners.ravel()).reshape(*corners.shape, 3)
    if us is None:
        return (points - found).ravel()
    a, b, c = (found[:, n] for n in range(3))
    u0, u1 = us[:, :1], us[:, 1:]
    return (points - (u0 * a + u1 * b + (1 - u0 - u1) * c)).ravel()


def ht_jacobian(theta, us, model, corners, points):
    def of_theta(theta):
        return ht(theta, us, model, corners, points)

    def of_us(v):
        return fd.jvp(lambda us: ht(theta, us, model, corners, points), us, v)[1]

    if us is None:
        return fd.jacfwd(of_theta)(theta)
    directions = np.zeros((2, *us.shape))  # an error depends on no other pair than its own
    directions[0, :, 0] = directions[1, :, 1] = 1.0
    return np.concatenate([fd.vmap(of_us, out_axes=1)(directions), fd.jacfwd(of_theta)(theta)], 1)


def ht_arguments(given):
    data = given["data"]
    names = ("base_relatives", "inverse_base_absolutes", "base_positions", "weights")
    model = {name: np.array(data["model"][name], float) for name in names}
    model["parents"] = tuple(data["model"]["parents"])
    model["is_mirrored"] = bool(data["model"]["is_mirrored"])
    corners = np.array(data["correspondences"], int)
    us = None
    if given["us"]:
        us = np.array(given["us"], float)
        corners = np.array(data["model"]["triangles"], int)[corners]
    return np.array(given["theta"], float), us, model, corners, np.array(data["points"], float)


# --- kmeans ------------------------------------------------------------------------------------------------


def kmeans(centroids, points):
    square_distances = np.sum(points**2, 1)[:, None] - 2 * points @ centroids.T + np.sum(centroids**2, 1)
    return np.sum(np.min(square_distances, 1))


def kmeans_direction(centroids, points):
    gradient, diagonal = fd.jvp(
        fd.grad(lambda c: kmeans(c, points)), centroids, np.ones(centroids.shape)
    )  # the Hessian is diagonal
    return gradient / diagonal


def kmeans_arguments(given):
    return np.array(given["centroids"], float), np.array(given["points"], float)


# --- lse, llsq, ode, det -------------------------------------------------------------------------------------


def lse(x):
    top = np.max(x)
    return top + np.log(np.sum(np.exp(x - top)))


def llsq(x, t):
    def step(carry, coefficient):
        power, total = carry
        return (power * t, total + coefficient * power), None

    (_, fitted), _ = fd.scan(step, (np.ones_like(t), np.zeros_like(t)), x)
    rest = np.sign(t) - fitted
    return 0.5 * np.sum(rest * rest)


def llsq_on_grid(f):
    return lambda x, n: f(x, -1 + 2 * np.arange(n) / (n - 1))


def ode(x, steps):
    h = 2 / steps

    def rate(y):
        return np.concatenate([x[:1], x[1:] * y[:-1]])

    def step(_, y):
        k1 = rate(y)
        k2 = rate(y + h / 2 * k1)
        k3 = rate(y + h / 2 * k2)
        k4 = rate(y + h * k3)
        return y + h / 6 * (k1 + 2 * k2 + 2 * k3 + k4)

    return fd.fori_loop(0, steps, step, np.zeros_like(x))


VECTORISED = 7  # rows whose expansion by minors is done on arrays, all its terms at once


def det(a):
    """Return the determinant by expansion by minors along the first row, no minor shared."""
    rows = len(a)
    if rows <= VECTORISED:
        return expand(a)
    first = rows - VECTORISED
    choices = np.array(list(itertools.permutations(range(rows), first)))
    rest = np.array([[c for c in range(rows) if c not in set(chosen)] for chosen in choices.tolist()])
    signs = np.array([sign(chosen) for chosen in choices.tolist()])

    def term(total, which):
        chosen, others, sign = which
        product = sign
        for row in range(first):
            product = product * a[row, chosen[row]]
        return total + product * expand(a[first:, others]), None

    return fd.scan(term, 0.0, (choices, rest, signs), checkpoint=max(1, math.isqrt(len(choices))))[0]


def sign(chosen):
    """Return the sign with which columns are taken from what is left of them."""
    left, found = list(range(max(chosen) + 1)), 1.0
    for column in chosen:
        found *= -1.0 if left.index(column) % 2 else 1.0
        left.remove(column)
    return found


def expand(a):
    """Expand a small matrix: the minors of each size, for every way to get to them, are one array."""
    rows = len(a)
    left = [np.arange(rows)[None]]  # the columns that are left, for every way
    while left[-1].shape[1] > 1:
        ways = left[-1]
        n = ways.shape[1]
        keep = np.array([[c for c in range(n) if c != j] for j in range(n)])
        left.append(ways[:, keep].reshape(-1, n - 1))
    minors = a[-1, left[-1][:, 0]]
    for row in range(rows - 2, -1, -1):
        ways = left[row]
        signs = (-1.0) ** np.arange(ways.shape[1])
        minors = np.sum(a[row, ways] * signs * minors.reshape(ways.shape), 1)
    return minors[0]


# --- gradient descent, particle, saddle ------------------------------------------------------------------------


def norm(v):
    return np.sqrt(np.sum(v * v))


def argmin(f, gradient, x):
    def going(state):
        _, _, gx, _, _, stopped = state
        return np.logical_not(stopped) & (norm(gx) > 1e-5)

    def double(state):
        x, fx, gx, eta, _, stopped = state
        return x, fx, gx, 2 * eta, np.int64(0), stopped

    def move(state):
        x, fx, gx, eta, i, _ = state
        y = x - eta * gx

        def stop(state):
            return (*state[:5], np.bool_(True))

        def tried(state):
            x, fx, gx, eta, i, stopped = state
            fy = f(y)
            return fd.cond(
                fy < fx,
                lambda y, fy, eta, i: (y, fy, gradient(y), eta, i + 1, stopped),
                lambda y, fy, eta, i: (x, fx, gx, eta / 2, np.int64(0), stopped),
                y,
                fy,
                eta,
                i,
            )

        del fx, i
        return fd.cond(norm(x - y) <= 1e-5, stop, tried, state)

    def body(state):
        return fd.cond(state[4] == 10, double, move, state)

    start = (x, f(x), gradient(x), np.float64(1e-5), np.int64(0), np.bool_(False))
    return fd.while_loop(going, body, start)[0]


def argmax(f, gradient, x):
    return argmin(lambda v: -f(v), lambda v: -gradient(v), x)


GRADIENTS = {"f": fd.jacfwd, "r": fd.grad}


def particle(w, outer, inner):
    def landing(w):
        charges = ((10.0, 10.0 - w[0]), (10.0, 0.0))

        def potential(z):
            return sum(1 / np.sqrt((z[0] - x) ** 2 + (z[1] - y) ** 2) for x, y in charges)

        acceleration = inner(potential)

        def flying(state):
            return state[2][1] > 0

        def step(state):
            z, v, z_new = state
            v_new = v - 0.1 * acceleration(z)
            return z_new, v_new, z_new + 0.1 * v_new

        z, v = np.array([0.0, 8.0]), np.array([0.75, 0.0])
        z, v, _ = fd.while_loop(flying, step, (z, v, z + 0.1 * v))
        t = -z[1] / v[1]
        return (z[0] + t * v[0]) ** 2

    return argmin(landing, outer(landing), w)[0]


def saddle(start, outer, inner):
    def f(x, y):
        return np.sum(x * x) - np.sum(y * y)

    def highest(x):
        y = argmax(lambda y: f(x, y), inner(lambda y: f(x, y)), start)
        return f(x, y)

    r1 = argmin(highest, outer(highest), start)
    r2 = argmax(lambda y: f(r1, y), inner(lambda y: f(r1, y)), start)
    return np.concatenate([r1, r2])
