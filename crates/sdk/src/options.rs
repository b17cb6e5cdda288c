//! What builders of spans ask while the program runs: whether content may be recorded, and whether old names stand beside
//! the current ones.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

/// Whether what people, models and tools say is recorded. It is not unless someone asks for it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum Content {
    /// Nothing of it.
    #[default]
    Off,
    /// Up to 16,384 characters of each attribute.
    On,
    /// Up to so many characters of each attribute.
    UpTo(usize),
}

impl Content {
    const USUAL: usize = 16_384;

    fn characters(self) -> usize {
        match self {
            Self::Off => 0,
            Self::On => Self::USUAL,
            Self::UpTo(characters) => characters,
        }
    }
}

static CHARACTERS: AtomicUsize = AtomicUsize::new(0);
static OLD_NAMES: AtomicBool = AtomicBool::new(false);

pub(crate) fn set(content: Content, old_names: bool) {
    CHARACTERS.store(content.characters(), Ordering::Relaxed);
    OLD_NAMES.store(old_names, Ordering::Relaxed);
}

/// So much of what is said may be recorded, if any.
pub(crate) fn content() -> Option<usize> {
    Some(CHARACTERS.load(Ordering::Relaxed)).filter(|characters| *characters > 0)
}

/// Whether old names stand beside the current ones.
pub(crate) fn old_names() -> bool {
    OLD_NAMES.load(Ordering::Relaxed)
}
