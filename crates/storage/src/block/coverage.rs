//! Which requests of the log a block holds.

use std::path::Path;

/// All requests of the block's table from the first to the last of these sequence numbers, and no others. Blocks of one
/// table never overlap, except that one which was made of others covers what these cover.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Coverage {
    pub(crate) first: u64,
    pub(crate) last: u64,
}

impl Coverage {
    /// That of blocks which become one; `None` when that of one is not known.
    pub(crate) fn united(parts: impl IntoIterator<Item = Option<Self>>) -> Option<Self> {
        parts.into_iter().reduce(|one, other| {
            let (one, other) = one.zip(other)?;
            Some(Self { first: one.first.min(other.first), last: one.last.max(other.last) })
        })?
    }

    pub(crate) fn has(self, sequence: u64) -> bool {
        (self.first..=self.last).contains(&sequence)
    }

    /// Whether it has everything that the other has.
    pub(crate) fn includes(self, other: Self) -> bool {
        self.first <= other.first && other.last <= self.last
    }

    pub(crate) fn overlaps(self, other: Self) -> bool {
        self.first <= other.last && other.first <= self.last
    }

    /// What the file's name says, `FIRST-LAST-…`, of a block that was sealed and not rewritten.
    pub(crate) fn of_name(path: &Path) -> Option<Self> {
        let mut parts = path.file_stem()?.to_str()?.split('-');
        let mut number = || parts.next().filter(|part| part.len() == 20)?.parse().ok();
        Some(Self { first: number()?, last: number()? })
    }
}

#[cfg(test)]
mod tests {
    use super::Coverage;
    use std::path::Path;

    #[test]
    fn names() {
        let check = |name: &str, expect: Option<(u64, u64)>| {
            let found = Coverage::of_name(Path::new(name)).map(|found| (found.first, found.last));
            assert_eq!(found, expect, "{name}");
        };
        check("a/00000000000000000007-00000000000000000009-0.parquet", Some((7, 9)));
        check("00000000000000000007-rewritten-1700000000000000000.parquet", None);
        check("7-9-0.parquet", None);
        check("", None);
    }
}
