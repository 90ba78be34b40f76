//! A connection while a call has it.

use diesel_async::pooled_connection::deadpool::Object;

use super::Connection;

/// A connection that returns to its pool only when it is given back explicitly. One in a
/// transaction that did not end would keep every other writer out.
pub(super) struct Lent(pub(super) Option<Object<Connection>>);

impl Lent {
    /// Returns it to its pool.
    pub(super) fn give_back(mut self) {
        drop(self.0.take());
    }
}

impl Drop for Lent {
    fn drop(&mut self) {
        drop(self.0.take().map(Object::take));
    }
}
