"""Random expressions of a few values, for the property tests of loops."""

from hypothesis import strategies as st


class Expressions:
    """Expressions made by functions of one and of two values."""

    def __init__(self, unary, binary, most_names, most_leaves):
        self.unary = unary
        self.binary = binary
        self.strategy = st.recursive(
            st.integers(0, most_names - 1),
            lambda inner: st.one_of(
                st.tuples(st.integers(0, len(unary) - 1), inner),
                st.tuples(st.integers(0, len(binary) - 1), inner, inner),
            ),
            max_leaves=most_leaves,
        )

    def value(self, expression, names):
        """Evaluate an expression; its numbers stand for the names."""
        match expression:
            case int(n):
                return names[n % len(names)]
            case (n, x):
                return self.unary[n](self.value(x, names))
            case (n, x, y):
                return self.binary[n](self.value(x, names), self.value(y, names))
