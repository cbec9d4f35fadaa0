//! Progress that a person sees on standard error, and nobody else.

use std::time::Duration;

use indicatif::MultiProgress;
use indicatif::ProgressBar;
use indicatif::ProgressDrawTarget;
use indicatif::ProgressStyle;

use crate::control::NetworkReport;
use crate::daemon::report;
use crate::daemon::units::show_size;
use crate::daemon::units::show_time;
use crate::types::limits::PAGE_BYTES;

/// How often what moves by itself moves.
const TICK: Duration = Duration::from_millis(120);

/// A bar for what takes a while and cannot be counted.
pub(super) fn waiting() -> ProgressBar {
    let bar = ProgressBar::with_draw_target(None, ProgressDrawTarget::stderr());
    if let Ok(style) = ProgressStyle::with_template("{spinner} {msg} ({elapsed})") {
        bar.set_style(style);
    }
    bar.enable_steady_tick(TICK);
    bar
}

/// A bar for chunks.
pub(super) fn counting(name: &'static str) -> ProgressBar {
    let bar = ProgressBar::with_draw_target(None, ProgressDrawTarget::stderr());
    style(&bar, name);
    bar
}

fn style(bar: &ProgressBar, name: &'static str) {
    let template = "{prefix:<14} [{bar:28}] {pos}/{len} chunks  {msg}";
    if let Ok(style) = ProgressStyle::with_template(template) {
        bar.set_style(style.progress_chars("=> "));
    }
    bar.set_prefix(name);
}

/// How far a pod is on its way to the network: what is sent, and what was seen there.
pub(super) struct NetworkBars {
    sent: ProgressBar,
    seen: ProgressBar,
    /// Most chunks that were left to see.
    total: u64,
}

impl NetworkBars {
    pub(super) fn new() -> Self {
        let all = MultiProgress::with_draw_target(ProgressDrawTarget::stderr());
        let bar = |name: &'static str| {
            let bar = all.add(ProgressBar::no_length());
            style(&bar, name);
            bar
        };
        let (sent, seen) = (bar("sent"), bar("in the network"));
        Self {
            sent,
            seen,
            total: 0,
        }
    }

    /// Shows a newer report.
    pub(super) fn show(&mut self, report: &NetworkReport) {
        let left = report.chunks_unsent.saturating_add(report.chunks_sent);
        self.total = self.total.max(left);
        for (bar, left) in [(&self.sent, report.chunks_unsent), (&self.seen, left)] {
            bar.set_length(self.total);
            bar.set_position(self.total.saturating_sub(left));
        }
        self.sent.set_message(pace(report));
        self.seen
            .set_message(report::trouble_line(report).unwrap_or_default());
    }

    /// Takes the bars away.
    pub(super) fn clear(&self) {
        self.sent.finish_and_clear();
        self.seen.finish_and_clear();
    }
}

/// Rate and remaining time of what is to be sent.
fn pace(report: &NetworkReport) -> String {
    let rate = report.bytes_per_second;
    if rate == 0 || report.chunks_unsent == 0 {
        return String::new();
    }
    let seconds = report.chunks_unsent.saturating_mul(PAGE_BYTES) / rate;
    format!("{}/s, {} left", show_size(rate), show_time(seconds))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_pace_is_told_when_it_is_known() {
        let mut report = NetworkReport::default();
        assert_eq!(pace(&report), "");
        report.chunks_unsent = 1 << 20;
        report.bytes_per_second = 1 << 20;
        assert_eq!(pace(&report), "1.0 MiB/s, 1 h 8 min left");
    }
}
