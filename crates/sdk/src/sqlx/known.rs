//! A query whose text is known before it runs: those of `sqlx` give it only when they are given away.

use ::sqlx::error::BoxDynError;
use ::sqlx::{Database, Execute, SqlStr};

/// All that a query has.
pub(super) struct Known<DB: Database> {
    text: SqlStr,
    arguments: Option<Result<Option<DB::Arguments>, BoxDynError>>,
    statement: Option<DB::Statement>,
    persistent: bool,
}

impl<DB: Database> Known<DB> {
    // The order is the one that drivers ask in: some queries tell other things once their arguments are taken.
    pub(super) fn of<'q>(mut query: impl Execute<'q, DB>) -> Self {
        let arguments = Some(query.take_arguments());
        let (statement, persistent) = (query.statement().cloned(), query.persistent());
        Self { text: query.sql(), arguments, statement, persistent }
    }

    pub(super) fn text(&self) -> &str {
        self.text.as_str()
    }
}

impl<'q, DB: Database> Execute<'q, DB> for Known<DB> {
    fn sql(self) -> SqlStr {
        self.text
    }

    fn statement(&self) -> Option<&DB::Statement> {
        self.statement.as_ref()
    }

    fn take_arguments(&mut self) -> Result<Option<DB::Arguments>, BoxDynError> {
        self.arguments.take().unwrap_or(Ok(None))
    }

    fn persistent(&self) -> bool {
        self.persistent
    }
}
