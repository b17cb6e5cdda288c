//! Passages of documents, found by what they mean.

use crate::failure::Failure;
use crate::model::Embedder;
use async_trait::async_trait;
use std::sync::Arc;

/// What Beluga has read.
const PASSAGES: [&str; 4] = [
    "Paris lies on the Seine; its weather is mild, with rain in every month of the year.",
    "A beluga is a white whale of the Arctic that chirps, clicks and whistles.",
    "A trace is the journey of one request; each of its spans is one operation.",
    "Umbrellas are lent at the front desk against a deposit of five euros.",
];

/// Finds passages.
#[async_trait]
pub trait Retriever: Send + Sync {
    /// Where it looks.
    fn source(&self) -> &str;

    /// The passages that are closest to the query.
    async fn retrieve(&self, query: &str, most: usize) -> Result<Vec<Passage>, Failure>;
}

/// A part of a document, and how close it is to what was asked.
#[derive(Debug, Clone)]
pub struct Passage {
    pub text: &'static str,
    pub score: f32,
}

/// A shelf that is small enough to be embedded with each query.
pub struct Shelf {
    pub embedder: Arc<dyn Embedder>,
}

#[async_trait]
impl Retriever for Shelf {
    fn source(&self) -> &str {
        "shelf"
    }

    async fn retrieve(&self, query: &str, most: usize) -> Result<Vec<Passage>, Failure> {
        let texts = std::iter::once(query).chain(PASSAGES).map(str::to_owned).collect();
        let vectors = self.embedder.embed(texts).await?.vectors;
        let Some((asked, passages)) = vectors.split_first() else {
            let reason = "it has no vectors".to_owned();
            return Err(Failure::Malformed { target: "the embedder".to_owned(), reason });
        };
        let scored = PASSAGES.iter().zip(passages);
        let mut found: Vec<Passage> =
            scored.map(|(text, vector)| Passage { text, score: likeness(asked, vector) }).collect();
        found.sort_by(|one, other| other.score.total_cmp(&one.score));
        // What has no word of the query in it is no answer.
        found.retain(|passage| passage.score > 0.0);
        found.truncate(most);
        Ok(found)
    }
}

/// The cosine of the angle between two vectors of length one.
fn likeness(one: &[f32], other: &[f32]) -> f32 {
    one.iter().zip(other).map(|(one, other)| one * other).sum()
}
