//! Functions of labels.

use super::{Argument, Call, Notes, Row};
use query::Error;
use query::promql::{Labels, METRIC_NAME};
use regex::Regex;

/// `label_replace(vector, destination, replacement, source, expression)`.
pub(super) fn replace(arguments: Vec<Argument<'_>>, _: &Call<'_>, _: &mut Notes) -> Result<Vec<Row>, Error> {
    let Ok(
        [
            Argument::Vector(mut rows),
            Argument::Text(destination),
            Argument::Text(replacement),
            Argument::Text(source),
            Argument::Text(expression),
        ],
    ) = <[Argument<'_>; 5]>::try_from(arguments)
    else {
        return Err(Error::Invalid { message: "label_replace takes a vector and four texts".to_owned() });
    };
    let pattern = Regex::new(&format!("^(?s:{expression})$"))
        .map_err(|_| execution(format!("invalid regular expression in label_replace(): {expression}")))?;
    if destination.is_empty() {
        return Err(execution(format!("invalid destination label name in label_replace(): {destination}")));
    }
    for row in &mut rows {
        if let Some(captures) = pattern.captures(row.labels.get(source)) {
            let mut value = String::new();
            captures.expand(replacement, &mut value);
            row.labels = with(&row.labels, destination, &value);
            row.drop_name = row.drop_name && destination != METRIC_NAME;
        }
    }
    Ok(rows)
}

/// The labels with this one set; an empty value takes it off.
fn with(labels: &Labels, name: &str, value: &str) -> Labels {
    let others = labels.iter().map(|(name, value)| (name.clone(), value.clone()));
    Labels::new(others.chain([(name.into(), value.into())]))
}

fn execution(message: String) -> Error {
    Error::Execution { message }
}
