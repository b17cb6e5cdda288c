//! What the agent was told before, and finds again by the words it was told in.

use crate::failure::Failure;
use async_trait::async_trait;
use std::collections::HashSet;
use std::sync::{Mutex, PoisonError};

/// How much is kept; the oldest is forgotten first.
const KEPT: usize = 256;

/// Keeps, and finds again.
#[async_trait]
pub trait Memory: Send + Sync {
    /// Which store it is.
    fn store(&self) -> &str;

    /// What is known about a matter, the closest first.
    async fn recall(&self, about: &str, most: usize) -> Result<Vec<String>, Failure>;

    /// Keeps something.
    async fn keep(&self, fact: String) -> Result<(), Failure>;
}

/// A memory that lasts as long as the program.
#[derive(Debug)]
pub struct Notebook {
    notes: Mutex<Vec<String>>,
}

impl Notebook {
    /// With what is known from the start.
    pub fn of(notes: &[&str]) -> Self {
        Self { notes: Mutex::new(notes.iter().map(|&note| note.to_owned()).collect()) }
    }
}

#[async_trait]
impl Memory for Notebook {
    fn store(&self) -> &str {
        "notebook"
    }

    async fn recall(&self, about: &str, most: usize) -> Result<Vec<String>, Failure> {
        let wanted = words(about);
        let notes = self.notes.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let shared = |note: &String| words(note).intersection(&wanted).count();
        let mut found: Vec<String> = notes.into_iter().filter(|note| shared(note) > 0).collect();
        found.sort_by_key(|note| std::cmp::Reverse(shared(note)));
        found.truncate(most);
        Ok(found)
    }

    async fn keep(&self, fact: String) -> Result<(), Failure> {
        let mut notes = self.notes.lock().unwrap_or_else(PoisonError::into_inner);
        if notes.len() >= KEPT {
            notes.remove(0);
        }
        notes.push(fact);
        Ok(())
    }
}

/// The words that say what a text is about: the short ones are left out.
fn words(text: &str) -> HashSet<String> {
    let words = text.split(|character: char| !character.is_alphanumeric());
    words.filter(|word| word.chars().count() > 3).map(str::to_lowercase).collect()
}
