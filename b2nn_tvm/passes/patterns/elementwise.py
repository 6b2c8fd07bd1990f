"""The elementwise operators that broadcast: an operand of lower rank, or of size 1 along an axis, serves all values."""

BROADCASTING = frozenset(
    {
        *("relax.add", "relax.subtract", "relax.multiply", "relax.divide", "relax.power"),
        *("relax.maximum", "relax.minimum", "relax.where"),
        *("relax.greater", "relax.greater_equal", "relax.less", "relax.less_equal", "relax.equal", "relax.not_equal"),
    }
)
