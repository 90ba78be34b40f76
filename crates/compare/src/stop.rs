//! Being told to stop: Ctrl-C or SIGTERM.

use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::watch;

use crate::error::{Error, Result};

/// Becomes true when what is being done is to be ended before its time.
pub type Stop = watch::Receiver<bool>;

/// Listens for both signals from now on. What was begun is ended in order at the first one;
/// the second one ends the process at once.
///
/// # Errors
/// When signals cannot be listened for.
pub fn on_signals() -> Result<Stop> {
    let listen = |kind| signal(kind).map_err(|error| Error::failed("listening for signals", error));
    let mut interrupt = listen(SignalKind::interrupt())?;
    let mut terminate = listen(SignalKind::terminate())?;
    let (told, stop) = watch::channel(false);
    tokio::spawn(async move {
        tokio::select! {
            _ = interrupt.recv() => {}
            _ = terminate.recv() => {}
        }
        told.send_replace(true);
        eprintln!("\ncompare: ending; once more to end at once");
        tokio::select! {
            _ = interrupt.recv() => {}
            _ = terminate.recv() => {}
        }
        eprintln!("compare: what it has started on servers may be left there");
        std::process::exit(EXIT_INTERRUPTED.into());
    });
    Ok(stop)
}

/// What a shell makes of a process that Ctrl-C has ended.
pub const EXIT_INTERRUPTED: u8 = 130;

/// Whether it is so already.
pub fn is_told(stop: &Stop) -> bool {
    *stop.borrow()
}

/// Waits until it is so; for ever where nobody will say so any more.
pub async fn told(stop: &mut Stop) {
    if stop.wait_for(|told| *told).await.is_err() {
        std::future::pending::<()>().await;
    }
}
