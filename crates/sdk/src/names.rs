//! Names that programs say over and over, those of models, tools and agents: kept while the program runs, so that spans need
//! not copy them.

use std::borrow::Cow;
use std::cell::RefCell;
use std::collections::HashSet;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{LazyLock, Mutex, PoisonError};

/// So many names are kept: who has more makes them up.
const MOST: usize = 1_024;
/// Longer texts are no names.
const LONGEST: usize = 128;
/// A power of two.
const PLACES: usize = 256;

/// All that are kept; each thread finds most of them without asking here.
static ALL: LazyLock<Mutex<HashSet<&'static str>>> = LazyLock::new(Mutex::default);
static FULL: AtomicBool = AtomicBool::new(false);

thread_local! {
    /// Those that this thread said last, each in the place that its letters give.
    static SAID: RefCell<[&'static str; PLACES]> = const { RefCell::new([""; PLACES]) };
}

/// A name as it is.
pub(crate) fn name(text: &str) -> Cow<'static, str> {
    kept("", text)
}

/// What is done, and to what, `chat gpt-4o`; and the latter alone.
pub(crate) fn operation(operation: &'static str, subject: &str) -> (Cow<'static, str>, Cow<'static, str>) {
    if subject.is_empty() {
        return (operation.into(), "".into());
    }
    let name = kept(operation, subject);
    let alone = match name {
        Cow::Borrowed(name) => name.strip_prefix(operation).and_then(|rest| rest.strip_prefix(' ')),
        Cow::Owned(_) => None,
    };
    (name, alone.map_or_else(|| subject.to_owned().into(), Cow::Borrowed))
}

fn kept(operation: &'static str, subject: &str) -> Cow<'static, str> {
    if operation.len() + subject.len() > LONGEST {
        return joined(operation, subject).into();
    }
    let place = place(operation, subject);
    let said = SAID.try_with(|said| said.try_borrow().ok()?.get(place).copied());
    match said.ok().flatten().filter(|said| is(said, operation, subject)) {
        Some(said) => said.into(),
        None => found(operation, subject, place),
    }
}

fn joined(operation: &str, subject: &str) -> String {
    let mut name = String::with_capacity(operation.len() + subject.len() + 1);
    if !operation.is_empty() {
        name.push_str(operation);
        name.push(' ');
    }
    name.push_str(subject);
    name
}

fn is(name: &str, operation: &str, subject: &str) -> bool {
    let Some(before) = name.strip_suffix(subject) else { return false };
    before == operation || (!operation.is_empty() && before.strip_suffix(' ') == Some(operation))
}

fn place(operation: &str, subject: &str) -> usize {
    let letters = subject.bytes().chain([operation.len().to_le_bytes()[0]]);
    let mixed =
        letters.fold(0_usize, |mixed, letter| (mixed ^ usize::from(letter)).wrapping_mul(0x0100_0193));
    (mixed ^ (mixed >> 15)) & (PLACES - 1)
}

#[cold]
fn found(operation: &str, subject: &str, place: usize) -> Cow<'static, str> {
    let name = joined(operation, subject);
    if FULL.load(Ordering::Relaxed) {
        return name.into();
    }
    let mut all = ALL.lock().unwrap_or_else(PoisonError::into_inner);
    let kept = all.get(name.as_str()).copied();
    if kept.is_none() && all.len() >= MOST {
        FULL.store(true, Ordering::Relaxed);
        return name.into();
    }
    let kept = kept.unwrap_or_else(|| {
        let kept: &'static str = name.leak();
        all.insert(kept);
        kept
    });
    // A thread that ends keeps nothing.
    let _ = SAID.try_with(|said| said.try_borrow_mut().ok()?.get_mut(place).map(|place| *place = kept));
    kept.into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_what_was_said_and_as_many_as_may_be_are_kept() {
        for (done, subject, expected) in [
            ("chat", "gpt-4o", "chat gpt-4o"),
            ("", "gpt-4o", "gpt-4o"),
            ("", "chat gpt-4o", "chat gpt-4o"),
            ("chat", "", "chat"),
            ("", "", ""),
            ("a", "b c", "a b c"),
            ("a b", "c", "a b c"),
        ] {
            for _ in 0..3 {
                let said = if done.is_empty() { name(subject) } else { operation(done, subject).0 };
                assert_eq!(said, expected);
                assert!(matches!(said, Cow::Borrowed(_)), "{expected}");
            }
        }
        assert_eq!(name(&"x".repeat(LONGEST + 1)), "x".repeat(LONGEST + 1));
        // Those that are made up are right, too, and not kept for ever.
        for number in 0..MOST * 2 {
            let (subject, name) = (number.to_string(), format!("execute_tool {number}"));
            assert_eq!(operation("execute_tool", &subject), (name.into(), subject.clone().into()));
        }
        assert!(ALL.lock().unwrap().len() <= MOST);
    }
}
