//! The steps between which a crash must do no harm. Tests end a process at each of them; otherwise they are nothing.

/// Every step, in the order in which a store comes by them.
#[cfg(test)]
pub(crate) const ALL: [&str; 17] = [
    "append: segment made",
    "append: written",
    "append: synced",
    "seal: file written",
    "seal: file named",
    "seal: in its place",
    "seal: in the catalog",
    "seal: shown",
    "trim: segment removed",
    "rewrite: file named",
    "rewrite: in its place",
    "rewrite: in the catalog",
    "rewrite: shown",
    "delete: noted",
    "delete: sealed",
    "delete: spans gone",
    "delete: done",
];

/// Marks a step.
#[cfg(not(test))]
#[expect(clippy::missing_const_for_fn, reason = "in tests it does something")]
#[inline]
pub(crate) fn reached(_step: &'static str) {}

#[cfg(test)]
pub(crate) fn reached(step: &'static str) {
    assert!(ALL.contains(&step), "{step} is not listed");
    crate::tests::crash::reached(step);
}
