//! The log: its form, and where it goes.

use std::io::{self, Write};
use std::panic;

use tracing::Subscriber;
use tracing_subscriber::EnvFilter;
use tracing_subscriber::fmt::MakeWriter;
use tracing_subscriber::layer::SubscriberExt as _;

use super::escape;
use super::log_counted::Counted;
use super::log_queue::{LogQueue, QUEUE};
use crate::settings::{LogFormat, LogSettings};
use crate::timing;

/// Sends the log and panics to standard error. No thread that logs waits for the log's reader.
pub fn start_log(settings: &LogSettings) {
    let _ = std::thread::Builder::new()
        .name("log".to_owned())
        .spawn(|| QUEUE.write_to(io::stderr()));
    // Fails only when a log is set up already, as in tests; that one stays.
    let _ = tracing::subscriber::set_global_default(subscriber(settings, || Lines(&QUEUE)));
    panic::set_hook(Box::new(|panic| {
        let message = panic.payload_as_str().unwrap_or("no message");
        let place = panic.location().map(ToString::to_string);
        let thread = std::thread::current();
        let thread = thread.name().unwrap_or("unnamed").to_owned();
        tracing::error!(place, thread, "panicked: {message}");
    }));
}

/// Waits until standard error has taken what was logged, for a second at most. To be called at the
/// end of the process.
pub fn flush_log() {
    QUEUE.wait_until_empty(timing::LOG_FLUSH_TIMEOUT);
}

/// Makes the log, without colours: a line is escaped as a whole, and their codes would be as well.
fn subscriber<W>(settings: &LogSettings, writer: W) -> Box<dyn Subscriber + Send + Sync>
where
    W: for<'a> MakeWriter<'a> + Send + Sync + 'static,
{
    let builder = tracing_subscriber::fmt()
        .with_env_filter(EnvFilter::new(&settings.filter))
        .with_writer(writer)
        .with_ansi(false)
        // Such an error would go to standard error directly.
        .log_internal_errors(false);
    match settings.format {
        LogFormat::Text => Box::new(builder.finish().with(Counted)),
        LogFormat::Json => Box::new(builder.json().finish().with(Counted)),
    }
}

/// Takes one line at each write, as the formatter writes it, and escapes it.
struct Lines(&'static LogQueue);

impl Write for Lines {
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        let text = String::from_utf8_lossy(line);
        let text = text.strip_suffix('\n').unwrap_or(&text);
        self.0.push(format!("{}\n", escape::controls(text)));
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::fmt;

    use super::*;

    static CAPTURED: LogQueue = LogQueue::new();

    #[derive(Debug)]
    struct Cause;

    impl fmt::Display for Cause {
        fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
            formatter.write_str("bad\nFORGED\u{2028}\u{9b}31m\u{202e}\r\u{7f}")
        }
    }

    #[test]
    fn an_event_is_one_line_whatever_is_in_it() {
        for format in [LogFormat::Text, LogFormat::Json] {
            let settings = LogSettings {
                filter: "trace".to_owned(),
                format,
            };
            let subscriber = subscriber(&settings, || Lines(&CAPTURED));
            tracing::subscriber::with_default(subscriber, || {
                let span = tracing::info_span!("span", name = %Cause);
                span.in_scope(
                    || tracing::error!(error = %Cause, debug = ?Some(Cause), "it is {Cause}"),
                );
            });
            let mut written = Vec::new();
            CAPTURED.write_batch(&mut written);
            let written = String::from_utf8(written).unwrap();
            let line = written.strip_suffix('\n').unwrap();
            assert!(line.contains("FORGED"), "{line}");
            let is_raw = |c: char| c.is_control() || "\u{2028}\u{202e}".contains(c);
            assert!(!line.contains(is_raw), "{line:?}");
            if format == LogFormat::Json {
                let event: serde_json::Value = serde_json::from_str(line).unwrap();
                assert_eq!(event["fields"]["error"], Cause.to_string());
            }
        }
    }
}
