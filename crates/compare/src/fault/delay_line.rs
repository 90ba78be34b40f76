//! Passing bytes on later, in order, and as many at a time as without.

use std::collections::VecDeque;
use std::io;
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::time::{Instant, sleep_until};

/// Most bytes that are read at once.
const PIECE_BYTES_MAX: usize = 64 << 10;
/// Most bytes that are on their way, about: while there are so many, no more are read.
const LINE_BYTES_MAX: usize = 16 << 20;

/// Passes everything on from `from` to `to`, each piece so much later than it came as `delay`
/// said then, but never before one that came earlier. Ends after `from` has, when everything
/// has arrived and `to` was told.
///
/// # Errors
/// When one of the two breaks.
pub(super) async fn pass_on(
    mut from: impl AsyncRead + Unpin,
    mut to: impl AsyncWrite + Unpin,
    delay: impl Fn() -> Duration,
) -> io::Result<()> {
    let mut line = VecDeque::new();
    let mut line_bytes = 0;
    let mut ended = false;
    let mut piece = vec![0; PIECE_BYTES_MAX];
    loop {
        // IMPORTANT: what is due is written without sleeping, which takes a millisecond at least.
        while let Some((due, _)) = line.front()
            && *due <= Instant::now()
            && let Some((_, bytes)) = line.pop_front()
        {
            let bytes: Vec<u8> = bytes;
            line_bytes -= bytes.len();
            to.write_all(&bytes).await?;
        }
        let next_due = line.front().map(|(due, _)| *due);
        if ended && next_due.is_none() {
            return to.shutdown().await;
        }
        tokio::select! {
            length = from.read(&mut piece), if !ended && line_bytes < LINE_BYTES_MAX => {
                let length = length?;
                ended = length == 0;
                let bytes = piece.get(..length).unwrap_or_default().to_vec();
                line_bytes += length;
                line.push_back((Instant::now() + delay(), bytes));
            }
            () = sleep_until(next_due.unwrap_or_else(Instant::now)), if next_due.is_some() => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::io::{DuplexStream, duplex};

    const DELAY: Duration = Duration::from_millis(100);

    fn line(delay: impl Fn() -> Duration + Send + 'static) -> (DuplexStream, DuplexStream) {
        let (near, from) = duplex(1 << 20);
        let (to, far) = duplex(1 << 20);
        tokio::spawn(pass_on(from, to, delay));
        (near, far)
    }

    #[tokio::test(start_paused = true)]
    async fn pieces_come_in_order_each_as_much_later_as_it_was_sent() {
        let (mut near, mut far) = line(|| DELAY);
        let began = Instant::now();
        let sending = tokio::spawn(async move {
            for number in 0..50_u8 {
                near.write_all(&[number]).await.unwrap();
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
        });
        for number in 0..50_u8 {
            assert_eq!(far.read_u8().await.unwrap(), number);
            let sent = Duration::from_millis(10) * number.into();
            let late = began.elapsed() - sent;
            // In step with the sender: had each waited for the one before to arrive, the last
            // would have come after 5 s.
            assert!(late >= DELAY && late < DELAY * 2, "{number}: {late:?}");
        }
        sending.await.unwrap();
    }

    #[tokio::test(start_paused = true)]
    async fn a_delay_that_has_become_shorter_does_not_let_pieces_overtake() {
        let (sender, receiver) = tokio::sync::watch::channel(DELAY);
        let (mut near, mut far) = line(move || *receiver.borrow());
        near.write_all(b"1").await.unwrap();
        tokio::time::sleep(DELAY / 10).await;
        sender.send(Duration::ZERO).unwrap();
        near.write_all(b"2").await.unwrap();
        drop(near);
        let mut came = String::new();
        far.read_to_string(&mut came).await.unwrap();
        assert_eq!(came, "12");
    }

    #[tokio::test(start_paused = true)]
    async fn a_server_that_does_not_read_is_not_read_for_without_end() {
        let (mut near, far) = line(|| DELAY);
        let mut sent = 0;
        let piece = vec![0; 1 << 20];
        while tokio::time::timeout(DELAY * 10, near.write_all(&piece))
            .await
            .is_ok()
        {
            sent += piece.len();
            assert!(sent <= LINE_BYTES_MAX * 2, "{sent} bytes were taken");
        }
        drop(far);
    }
}
