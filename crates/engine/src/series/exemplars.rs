//! Exemplars of points, at the series that their values went into.

use super::labels::LabelMap;
use super::matching::Matching;
use super::stream::{Stream, milliseconds};
use super::{Asked, SAMPLES, Stored, sources};
use model::metric::{self, Number};
use query::Error;
use query::promql::{Exemplar, Labels, METRIC_NAME, SeriesExemplars, SeriesRequest, plain_number};
use query::result::{Held, Listed};
use std::collections::BTreeMap;
use std::sync::Arc;

/// An exemplar, and the bound of the bucket that it is in.
pub type Bounded = (Option<f64>, metric::Exemplar);

/// The exemplars of the series that are asked for, sorted.
pub async fn exemplars(
    stored: Stored<'_>,
    request: &SeriesRequest,
) -> Result<Listed<SeriesExemplars>, Error> {
    let mut found: BTreeMap<Labels, Vec<Exemplar>> = BTreeMap::new();
    let mut left = SAMPLES;
    for matchers in &request.selectors {
        let asked = Asked { matchers, from: request.from, to: request.to };
        let matching = Matching::new(matchers)?;
        let streams = sources::exemplars(stored, asked.range(), &matching, &mut left).await?;
        for stream in &streams {
            add(&mut found, stream, &matching);
        }
    }
    let sorted = |(labels, mut exemplars): (Labels, Vec<Exemplar>)| {
        exemplars.sort_by(|one, other| {
            one.time
                .cmp(&other.time)
                .then_with(|| one.trace_id.cmp(&other.trace_id))
                .then_with(|| one.span_id.cmp(&other.span_id).then_with(|| one.value.total_cmp(&other.value)))
        });
        exemplars.dedup();
        SeriesExemplars { labels, exemplars }
    };
    let items = found.into_iter().map(sorted).collect();
    Ok(Listed { items, incomplete: stored.question.incomplete(), bytes: 0, held: Held::default() })
}

fn add(found: &mut BTreeMap<Labels, Vec<Exemplar>>, stream: &Stream, matching: &Matching) {
    let Some(Some(name)) = stream.names.first() else { return };
    for (bound, exemplar) in &stream.exemplars {
        let mut labels = stream.labels.clone();
        labels.insert(METRIC_NAME.into(), Arc::clone(name));
        if let Some(bound) = bound {
            labels.insert("le".into(), plain_number(*bound).into());
        }
        let labels = Labels::new(labels);
        if let Some(exemplar) = matching.wants(&labels).then(|| shown(exemplar)).flatten() {
            found.entry(labels).or_default().push(exemplar);
        }
    }
}

fn shown(exemplar: &metric::Exemplar) -> Option<Exemplar> {
    let labels: LabelMap = super::labels::of_attributes(&exemplar.attributes);
    Some(Exemplar {
        time: milliseconds(exemplar.time.0),
        value: value(exemplar)?,
        trace_id: exemplar.trace_id,
        span_id: exemplar.span_id,
        labels: Labels::new(labels),
    })
}

/// What was measured.
pub fn value(exemplar: &metric::Exemplar) -> Option<f64> {
    match exemplar.number? {
        #[expect(clippy::cast_precision_loss, reason = "Prometheus has floats only")]
        Number::Int(number) => Some(number as f64),
        Number::Double(number) => Some(number),
    }
}

/// The bound of the bucket that a value is in.
pub fn bound(bounds: &[f64], value: f64) -> f64 {
    bounds.iter().copied().find(|bound| value <= *bound).unwrap_or(f64::INFINITY)
}
