//! The answers of a stream that its client has not taken yet.

use std::convert::Infallible;
use std::sync::Arc;

use bytes::Bytes;
use futures_util::{Stream, StreamExt as _};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc};

use crate::streamed::received_unbounded;

/// Most bytes of answers of one stream that its client has not taken. Beyond them nothing more is read
/// from it.
const ANSWERS_BYTES_MAX: usize = 1 << 20;

/// Takes the answers.
#[derive(Debug)]
pub(super) struct Sender {
    pieces: mpsc::UnboundedSender<(Bytes, OwnedSemaphorePermit)>,
    room: Arc<Semaphore>,
}

/// The answers, as the body of a response.
pub(super) fn channel() -> (Sender, impl Stream<Item = Result<Bytes, Infallible>>) {
    let (pieces, receiver) = mpsc::unbounded_channel();
    let room = Arc::new(Semaphore::new(ANSWERS_BYTES_MAX));
    let sent = received_unbounded(receiver).map(|(piece, _room)| Ok(piece));
    (Sender { pieces, room }, sent)
}

impl Sender {
    /// Sends a piece, once there is room for it. Returns `false` when the client is gone.
    pub(super) async fn send(&self, piece: Vec<u8>) -> bool {
        let permits = piece.len().min(ANSWERS_BYTES_MAX) as u32;
        let room = tokio::select! {
            room = self.room.clone().acquire_many_owned(permits) => room,
            () = self.closed() => return false,
        };
        room.is_ok_and(|room| self.pieces.send((piece.into(), room)).is_ok())
    }

    /// Waits until the client is gone.
    pub(super) async fn closed(&self) {
        self.pieces.closed().await;
    }
}

#[cfg(test)]
mod tests {
    use futures_util::{FutureExt as _, poll};

    use super::*;

    #[tokio::test]
    async fn a_sender_waits_for_room() {
        let (sender, mut answers) = channel();
        assert!(sender.send(vec![b' '; ANSWERS_BYTES_MAX - 1]).await);
        let next = sender.send(vec![b' '; 2]);
        let mut next = std::pin::pin!(next);
        assert!(poll!(next.as_mut()).is_pending());
        assert!(answers.next().await.is_some());
        assert!(next.await);
        // One that is larger than all room goes alone.
        let large = sender.send(vec![b' '; 2 * ANSWERS_BYTES_MAX]);
        let mut large = std::pin::pin!(large);
        assert!(poll!(large.as_mut()).is_pending());
        assert!(answers.next().await.is_some());
        assert!(large.await);
    }

    #[tokio::test]
    async fn a_sender_notices_that_the_client_is_gone() {
        let (sender, answers) = channel();
        assert!(sender.send(vec![b' '; ANSWERS_BYTES_MAX]).await);
        let next = sender.send(vec![b' ']);
        let mut next = std::pin::pin!(next);
        assert!(poll!(next.as_mut()).is_pending());
        assert!(sender.closed().now_or_never().is_none());
        drop(answers);
        assert!(!next.await);
        sender.closed().await;
    }
}
