//! From one sample to the next: how series change, and how much lately.

use super::remarks::Remarks;
use super::timeline::Timeline;
use super::{Call, Notes, Window};
use crate::promql::column::SampleRef;
use query::promql::{Histogram, ResetHint, Sample};
use std::sync::Arc;

/// `resets`: how often a counter begins anew.
pub(super) fn resets(window: &Window<'_>, _: &Call<'_>, _: &mut Notes) -> Option<Sample> {
    count(window, |before, after| match (before, after) {
        (SampleRef::Float(before), SampleRef::Float(after)) => after < before,
        (SampleRef::Histogram(before), SampleRef::Histogram(after)) => after.is_reset(before),
        _ => true,
    })
}

/// `changes`: how often the value changes.
pub(super) fn changes(window: &Window<'_>, _: &Call<'_>, _: &mut Notes) -> Option<Sample> {
    count(window, |before, after| match (before, after) {
        (SampleRef::Float(before), SampleRef::Float(after)) => {
            after != before && !(after.is_nan() && before.is_nan())
        }
        (SampleRef::Histogram(before), SampleRef::Histogram(after)) => !after.same_as(before),
        _ => true,
    })
}

fn count(window: &Window<'_>, counts: fn(SampleRef<'_>, SampleRef<'_>) -> bool) -> Option<Sample> {
    let mut samples = Timeline::of(window)?.map(|(_, sample)| sample);
    let mut before = samples.next()?;
    let mut counted = 0_u32;
    for sample in samples {
        counted += u32::from(counts(before, sample));
        before = sample;
    }
    Some(Sample::Float(f64::from(counted)))
}

/// `irate`: how much a counter grows in a second, between its last two samples.
pub(super) fn instant_rate(window: &Window<'_>, call: &Call<'_>, notes: &mut Notes) -> Option<Sample> {
    let [(from, before), (to, after)] = Timeline::last_two(window)?;
    let seconds = to.saturating_sub(from) as f64 / 1000.0;
    if seconds == 0.0 {
        return None;
    }
    let mut remarks = Remarks::new(window, call, notes);
    match (before, after) {
        (SampleRef::Float(before), SampleRef::Float(after)) => {
            let grown = if after < before { after } else { after - before };
            Some(Sample::Float(grown / seconds))
        }
        (SampleRef::Histogram(before), SampleRef::Histogram(after)) => {
            if is_gauge(before) || is_gauge(after) {
                remarks.no_counter();
            }
            let before = (!after.is_reset(before)).then_some(before.as_ref());
            let mut grown = difference(before, after, &mut remarks)?;
            grown.divide(seconds);
            Some(Sample::Histogram(Arc::new(grown)))
        }
        _ => {
            remarks.mixed();
            None
        }
    }
}

/// `idelta`: by how much the last two samples of a gauge differ.
pub(super) fn instant_delta(window: &Window<'_>, call: &Call<'_>, notes: &mut Notes) -> Option<Sample> {
    let [(from, before), (to, after)] = Timeline::last_two(window)?;
    if from == to {
        return None;
    }
    let mut remarks = Remarks::new(window, call, notes);
    match (before, after) {
        (SampleRef::Float(before), SampleRef::Float(after)) => Some(Sample::Float(after - before)),
        (SampleRef::Histogram(before), SampleRef::Histogram(after)) => {
            if !is_gauge(before) || !is_gauge(after) {
                remarks.no_gauge();
            }
            let grown = difference(Some(before), after, &mut remarks)?;
            Some(Sample::Histogram(Arc::new(grown)))
        }
        _ => {
            remarks.mixed();
            None
        }
    }
}

fn is_gauge(histogram: &Histogram) -> bool {
    histogram.reset_hint == ResetHint::Gauge
}

fn difference(before: Option<&Histogram>, after: &Histogram, remarks: &mut Remarks<'_>) -> Option<Histogram> {
    let mut grown = after.clone();
    if let Some(before) = before {
        remarks.subtract(&mut grown, before).ok()?;
    }
    grown.reset_hint = ResetHint::Gauge;
    grown.compact();
    Some(grown)
}
