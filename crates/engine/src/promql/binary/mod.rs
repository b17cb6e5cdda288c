//! Binary operators.

mod elements;
mod matching;
mod sets;

use super::column::{Column, Scalars};
use super::evaluator::{Evaluated, Evaluator};
use super::rows::{Vector, execution};
use elements::{Computation, Elements};
use query::Error;
use query::promql::{Binary, BinaryOperator};
use std::ops::Range;

impl Evaluator<'_> {
    pub(super) fn binary<'p>(
        &mut self,
        binary: &Binary,
        place: &Range<usize>,
        left: Evaluated<'p>,
        right: Evaluated<'p>,
    ) -> Result<Evaluated<'p>, Error> {
        let operator = binary.operator;
        let elements = Elements {
            operator,
            computation: Computation::of(operator),
            return_bool: binary.return_bool,
            keeps_right: false,
            place,
        };
        match (left, right) {
            (Evaluated::Scalar(left), Evaluated::Scalar(right)) => {
                scalars(elements.computation, &left, &right).map(Evaluated::Scalar)
            }
            (Evaluated::Vector(vector), Evaluated::Scalar(scalar)) => {
                Ok(Evaluated::Vector(self.with_scalar(elements, vector, &scalar)))
            }
            (Evaluated::Scalar(scalar), Evaluated::Vector(vector)) => {
                let elements = Elements { keeps_right: true, ..elements };
                Ok(Evaluated::Vector(self.with_scalar(elements, vector, &scalar)))
            }
            (Evaluated::Vector(left), Evaluated::Vector(right)) => {
                let rows = match operator {
                    BinaryOperator::And => sets::both(&binary.matching, left.rows, &right.rows),
                    BinaryOperator::Unless => sets::unless(&binary.matching, left.rows, &right.rows),
                    BinaryOperator::Or => sets::either(&binary.matching, left.rows, right.rows)?,
                    _ => self.matched(binary, elements, left.rows, right.rows)?,
                };
                Ok(Evaluated::Vector(Vector::of(rows)))
            }
            (Evaluated::Text(_), _) | (_, Evaluated::Text(_)) => {
                Err(execution("binary expression must contain only scalar and instant vector types"))
            }
        }
    }

    /// Each element with the number; `keeps_right` says that the number stands on the left.
    fn with_scalar(&mut self, elements: Elements<'_>, mut vector: Vector, scalar: &Scalars) -> Vector {
        let steps = vector.rows.first().map_or(0, |row| row.column.steps());
        let number = Column::of(scalar.iter(steps).collect());
        let names_go = changes_what_it_is(elements.operator) || elements.return_bool;
        for row in &mut vector.rows {
            row.column = if elements.keeps_right {
                elements.columns(&number, &row.column, &mut self.notes)
            } else {
                elements.columns(&row.column, &number, &mut self.notes)
            };
            row.drop_name = row.drop_name || names_go;
        }
        vector.rows.retain(|row| !row.column.is_empty());
        vector
    }
}

fn scalars(computation: Computation, left: &Scalars, right: &Scalars) -> Result<Scalars, Error> {
    let compute = |left: f64, right: f64| match computation {
        Computation::Arithmetic(compute) => compute(left, right),
        Computation::Comparison(compare) => f64::from(u8::from(compare(left, right))),
        Computation::None => f64::NAN,
    };
    if matches!(computation, Computation::None) {
        return Err(execution("this operator is not for numbers"));
    }
    Ok(match (left, right) {
        (Scalars::Same(left), Scalars::Same(right)) => Scalars::Same(compute(*left, *right)),
        (Scalars::Each(values), other) => Scalars::Each(
            values.iter().zip(other.iter(values.len())).map(|(left, right)| compute(*left, right)).collect(),
        ),
        (other, Scalars::Each(values)) => Scalars::Each(
            other.iter(values.len()).zip(values).map(|(left, right)| compute(left, *right)).collect(),
        ),
    })
}

/// Whether the result is no sample of the metric any more, so that the metric's name goes.
const fn changes_what_it_is(operator: BinaryOperator) -> bool {
    matches!(
        operator,
        BinaryOperator::Add
            | BinaryOperator::Subtract
            | BinaryOperator::Multiply
            | BinaryOperator::Divide
            | BinaryOperator::Modulo
            | BinaryOperator::Power
            | BinaryOperator::Atan2
    )
}
