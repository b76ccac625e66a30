use std::cell::Cell;
use std::ops::Deref;

use rusqlite::Connection;

use super::Abort;

/// What the work of a request returns.
pub(crate) type TxResult<T, R> = Result<T, Abort<R>>;

/// The transaction of a group, as one of its requests sees it.
pub(crate) struct Tx<'c> {
    connection: &'c Connection,
    ring: Cell<bool>,
}

impl<'c> Tx<'c> {
    pub(super) fn new(connection: &'c Connection) -> Self {
        Self { connection, ring: Cell::new(false) }
    }

    /// After the commit, the bell of the outbox shall ring.
    pub(crate) fn ring(&self) {
        self.ring.set(true);
    }

    pub(super) fn rings(&self) -> bool {
        self.ring.get()
    }
}

impl Deref for Tx<'_> {
    type Target = Connection;

    fn deref(&self) -> &Connection {
        self.connection
    }
}
