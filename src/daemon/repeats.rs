//! Lines of the log that say the same again and again: of these one is written now and then, with how many were left out.
//!
//! A node that is down for hours makes every read of something cold fail, and each failure is a line. Whoever looks at
//! the log wants to know when it began, that it goes on, and when it was over; and a file of limited length must not
//! forget what came before. So a place in the program that says the same sentence is one *kind* of line: what varies
//! stands in the fields. Errors are never left out, each is about something else; nor is what was asked for with `debug`.

use std::collections::HashMap;
use std::fmt;
use std::time::Duration;
use std::time::Instant;

use parking_lot::Mutex;
use tracing::Event;
use tracing::Level;
use tracing::Subscriber;
use tracing::callsite::Identifier;
use tracing::field::Field;
use tracing::field::Visit;
use tracing_subscriber::fmt::FmtContext;
use tracing_subscriber::fmt::FormatEvent;
use tracing_subscriber::fmt::FormatFields;
use tracing_subscriber::fmt::format::Writer;
use tracing_subscriber::registry::LookupSpan;

use crate::types::limits::LOG_AGAIN;
use crate::types::limits::LOG_KINDS_MAX;

/// A place in the program and its sentence.
type Kind = (Identifier, String);

/// What was written of one kind.
struct Written {
    at: Instant,
    left_out: u64,
}

/// Which lines are written.
struct Repeats<K> {
    kinds: HashMap<K, Written>,
    again: Duration,
}

impl<K: std::hash::Hash + Eq> Repeats<K> {
    fn new(again: Duration) -> Self {
        Self {
            kinds: HashMap::new(),
            again,
        }
    }

    /// A line of this kind comes `now`: how many were left out before it, or nothing when it is left out itself.
    fn comes(&mut self, kind: K, now: Instant) -> Option<u64> {
        if let Some(written) = self.kinds.get_mut(&kind) {
            if now.saturating_duration_since(written.at) < self.again {
                written.left_out += 1;
                return None;
            }
            written.at = now;
            return Some(std::mem::take(&mut written.left_out));
        }
        if self.kinds.len() >= LOG_KINDS_MAX {
            let again = self.again;
            let is_fresh = |written: &Written| now.saturating_duration_since(written.at) < again;
            self.kinds.retain(|_, written| is_fresh(written));
        }
        if self.kinds.len() < LOG_KINDS_MAX {
            let written = Written {
                at: now,
                left_out: 0,
            };
            self.kinds.insert(kind, written);
        }
        Some(0)
    }
}

/// Writes lines as `F` does, but none too often.
pub(super) struct Seldom<F> {
    lines: F,
    repeats: Mutex<Repeats<Kind>>,
}

impl<F> Seldom<F> {
    pub(super) fn new(lines: F) -> Self {
        Self {
            lines,
            repeats: Mutex::new(Repeats::new(LOG_AGAIN)),
        }
    }
}

impl<S, N, F> FormatEvent<S, N> for Seldom<F>
where
    S: Subscriber + for<'a> LookupSpan<'a>,
    N: for<'a> FormatFields<'a> + 'static,
    F: FormatEvent<S, N>,
{
    fn format_event(
        &self,
        context: &FmtContext<'_, S, N>,
        mut writer: Writer<'_>,
        event: &Event<'_>,
    ) -> fmt::Result {
        if !matches!(*event.metadata().level(), Level::WARN | Level::INFO) {
            return self.lines.format_event(context, writer, event);
        }
        let mut sentence = Sentence::default();
        event.record(&mut sentence);
        let kind = (event.metadata().callsite(), sentence.0);
        match self.repeats.lock().comes(kind, Instant::now()) {
            None => Ok(()),
            Some(0) => self.lines.format_event(context, writer, event),
            Some(left_out) => {
                let mut line = String::new();
                self.lines
                    .format_event(context, Writer::new(&mut line), event)?;
                let line = line.trim_end();
                writeln!(writer, "{line} (and {left_out} more like it before)")
            }
        }
    }
}

/// The sentence of a line, without its fields.
#[derive(Default)]
struct Sentence(String);

impl Visit for Sentence {
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        if field.name() == "message" {
            self.0 = format!("{value:?}");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io;
    use std::sync::Arc;
    use tracing_subscriber::fmt::MakeWriter;

    #[test]
    fn one_line_of_a_kind_and_later_how_many_more() {
        let again = Duration::from_secs(600);
        let mut repeats = Repeats::new(again);
        let begun = Instant::now();
        assert_eq!(repeats.comes("down", begun), Some(0));
        // Hours of it, a hundred in a second.
        let mut told = Vec::new();
        for tenth in 1..=3 * 36_000_u32 {
            let now = begun + Duration::from_millis(100) * tenth;
            told.extend(repeats.comes("down", now));
        }
        assert_eq!(told, vec![5999; 18]);
        let end = begun + Duration::from_secs(3 * 3600);
        assert_eq!(repeats.comes("up", end), Some(0), "another kind");
        assert_eq!(repeats.comes("down", end + again), Some(0));
    }

    #[test]
    fn there_is_a_limit_to_what_is_remembered() {
        let again = Duration::from_secs(600);
        let mut repeats = Repeats::new(again);
        let begun = Instant::now();
        for kind in 0..3 * LOG_KINDS_MAX {
            assert_eq!(repeats.comes(kind, begun), Some(0));
        }
        assert_eq!(repeats.kinds.len(), LOG_KINDS_MAX);
        assert_eq!(repeats.comes(usize::MAX, begun + again), Some(0));
        assert_eq!(repeats.kinds.len(), 1, "what is long past is forgotten");
    }

    /// Keeps what is written.
    #[derive(Clone, Default)]
    struct Kept(Arc<Mutex<Vec<u8>>>);

    impl io::Write for Kept {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().extend_from_slice(bytes);
            Ok(bytes.len())
        }
        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    impl<'a> MakeWriter<'a> for Kept {
        type Writer = Self;
        fn make_writer(&'a self) -> Self {
            self.clone()
        }
    }

    #[test]
    fn fields_make_no_kind_and_errors_are_all_told() {
        let kept = Kept::default();
        let lines = tracing_subscriber::fmt::format()
            .with_ansi(false)
            .without_time();
        let subscriber = tracing_subscriber::fmt()
            .with_ansi(false)
            .event_format(Seldom::new(lines))
            .with_writer(kept.clone())
            .finish();
        tracing::subscriber::with_default(subscriber, || {
            for ino in 0..50 {
                tracing::warn!(ino, "request failed");
                tracing::error!(ino, "damaged");
                tracing::info!("the batch {} ends", ino % 2);
            }
        });
        let text = String::from_utf8(kept.0.lock().clone()).unwrap();
        let count = |what: &str| text.lines().filter(|line| line.contains(what)).count();
        assert_eq!(count("request failed"), 1, "{text}");
        assert_eq!(count("damaged"), 50);
        assert_eq!(count(" ends"), 2, "another sentence is another kind");
        assert_eq!(text.lines().count(), 53);
    }
}
