//! Numbers as text in messages.

use query::promql::short_number;

/// With an exponent when it is below -4 or above 5.
pub(super) fn general(value: f64) -> String {
    short_number(value, 1e-4..1e6)
}
