//! Functions of labels.

use super::{Argument, Call, Notes, Row};
use crate::promql::labels::with;
use query::Error;
use query::promql::{METRIC_NAME, regex};

/// The longest value, in bytes, that a query may make: values made of values grow fast.
const LONGEST: usize = 64 * 1024;

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
    let pattern = regex(expression)
        .map_err(|_| execution(format!("invalid regular expression in label_replace(): {expression}")))?;
    check(destination, "destination", "label_replace")?;
    for row in &mut rows {
        if let Some(captures) = pattern.captures(row.labels.get(source)) {
            let most = captures.get(0).map_or(0, |whole| whole.len());
            bounded(
                replacement.len() + replacement.matches('$').count().saturating_mul(most),
                "label_replace",
            )?;
            let mut value = String::new();
            captures.expand(replacement, &mut value);
            set(row, destination, &value);
        }
    }
    Ok(rows)
}

/// `label_join(vector, destination, separator, source, …)`.
pub(super) fn join(arguments: Vec<Argument<'_>>, _: &Call<'_>, _: &mut Notes) -> Result<Vec<Row>, Error> {
    let mut texts = Vec::new();
    let mut joined = Vec::new();
    for argument in arguments {
        match argument {
            Argument::Vector(rows) => joined = rows,
            Argument::Text(text) => texts.push(text),
            Argument::Scalar(_) => {}
        }
    }
    let [destination, separator, sources @ ..] = texts.as_slice() else {
        return Err(Error::Invalid { message: "label_join takes a vector and two texts or more".to_owned() });
    };
    for source in sources {
        check(source, "source", "label_join")?;
    }
    check(destination, "destination", "label_join")?;
    for row in &mut joined {
        let values: Vec<&str> = sources.iter().map(|source| row.labels.get(source)).collect();
        bounded(values.iter().map(|value| value.len() + separator.len()).sum(), "label_join")?;
        let value = values.join(separator);
        set(row, destination, &value);
    }
    Ok(joined)
}

/// A name that is set stays.
fn set(row: &mut Row, name: &str, value: &str) {
    row.labels = with(&row.labels, [(name, value)]);
    row.drop_name = row.drop_name && name != METRIC_NAME;
}

fn check(label: &str, which: &str, function: &str) -> Result<(), Error> {
    if label.is_empty() {
        return Err(execution(format!("invalid {which} label name in {function}(): {label}")));
    }
    Ok(())
}

fn bounded(bytes: usize, function: &str) -> Result<(), Error> {
    if bytes > LONGEST {
        let message = format!(
            "{function}() would make a label value of more than {LONGEST} bytes; take less of others into it"
        );
        return Err(execution(message));
    }
    Ok(())
}

fn execution(message: String) -> Error {
    Error::Execution { message }
}
