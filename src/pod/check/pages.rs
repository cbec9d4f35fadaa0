use crate::format::rows::{Bucket, FileKind, KeptNodes, Run, Shared, Slot};
use crate::pod::Pod;
use crate::pod::check::{Finding, Inodes, Report, Seen};
use crate::pod::error::PodError;
use crate::types::Ino;
use crate::types::limits::{BUCKET_PAGES, PAGE};

const PAGES: u64 = BUCKET_PAGES as u64;

/// What begins at a slot or, negative, ends there.
#[derive(Clone, Copy, Default)]
struct Step {
    /// Runs that name the pages.
    named: i8,
    /// Of those, the ones not marked as shared.
    unmarked: i8,
    /// Rows that count them.
    rows: i8,
    /// What those rows count.
    counted: i64,
}

impl Step {
    const fn end(self) -> Self {
        Self {
            named: -self.named,
            unmarked: -self.unmarked,
            rows: -self.rows,
            counted: -self.counted,
        }
    }
}

impl Pod {
    /// All extent rows and all counts of shared pages.
    pub(super) fn check_extents(
        &self,
        inodes: &mut Inodes,
        report: &mut Report,
        contents: bool,
    ) -> Result<(), PodError> {
        let mut steps: Vec<(u64, Step)> = Vec::new();
        let mut range = |slot: Slot, count: u64, step: Step| {
            steps.push((slot.as_u64(), step));
            steps.push((slot.as_u64() + count, step.end()));
        };
        self.each_row(b'E', |key, row| {
            let Some(bucket) = report.decoded(&key, Bucket::decode(&row)) else {
                return Ok(());
            };
            let ino = Ino(key.field(0));
            let Some(seen) = inodes.get(ino) else {
                report.add(Finding::NoInode(key));
                return Ok(());
            };
            seen.found_pages += u64::from(bucket.taken());
            report.unwritten += u64::from(bucket.unwritten());
            check_place(seen, key.field(1), &bucket, report);
            for run in &bucket.runs {
                let Some(data) = run.data() else { continue };
                report.pages += u64::from(run.count);
                let step = Step {
                    named: 1,
                    unmarked: i8::from(!data.shared),
                    ..Step::default()
                };
                range(data.slot, u64::from(run.count), step);
                if contents {
                    self.check_run(ino, key.field(1), run, report);
                }
            }
            Ok(())
        })?;
        self.each_row(b'N', |key, row| {
            let Some(nodes) = report.decoded(&key, KeptNodes::decode(&row)) else {
                return Ok(());
            };
            for (_, node) in &nodes.0 {
                let step = Step {
                    named: 1,
                    unmarked: 1,
                    ..Step::default()
                };
                range(node.slot, 1, step);
                if contents && let Err(error) = self.rows.read(&node.data(), 0, &mut [0; PAGE]) {
                    report.add(Finding::KeptUnreadable(
                        Ino(key.field(0)),
                        error.to_string(),
                    ));
                }
            }
            Ok(())
        })?;
        self.each_row(b'R', |key, row| {
            if let Some(shared) = report.decoded(&key, Shared::decode(&row)) {
                let step = Step {
                    rows: 1,
                    counted: i64::from(shared.references),
                    ..Step::default()
                };
                range(Slot::from_u64(key.field(0)), u64::from(shared.count), step);
            }
            Ok(())
        })?;
        sweep(steps, report);
        Ok(())
    }

    /// Opens all pages of a run.
    fn check_run(&self, ino: Ino, bucket: u64, run: &Run, report: &mut Report) {
        let Some(data) = run.data() else { return };
        let mut page = vec![0; PAGE * usize::from(run.count)];
        if self.rows.read(data, 0, &mut page).is_ok() {
            return;
        }
        page.truncate(PAGE);
        for nth in 0..run.count {
            if let Err(error) = self.rows.read(data, usize::from(nth), &mut page) {
                let at = bucket * PAGES + u64::from(run.start + nth);
                report.add(Finding::Unreadable(ino, at, error.to_string()));
            }
        }
    }
}

/// Pages belong to files, and data lies before the end.
fn check_place(seen: &Seen, number: u64, bucket: &Bucket, report: &mut Report) {
    if seen.kind != FileKind::Regular {
        report.add(Finding::NotAFile(seen.ino));
        return;
    }
    if number >= seen.cut {
        return;
    }
    let end = seen.size.div_ceil(PAGE as u64);
    let mut written = bucket.runs.iter().filter(|run| run.is_written());
    if written.any(|run| number.saturating_mul(PAGES) + run.end() as u64 > end) {
        report.add(Finding::BehindEnd(seen.ino));
    }
}

/// Walks the log once: between two steps the same runs and counts hold for all pages.
fn sweep(mut steps: Vec<(u64, Step)>, report: &mut Report) {
    steps.sort_unstable_by_key(|(slot, _)| *slot);
    let (mut named, mut unmarked, mut rows, mut counted) = (0_i64, 0_i64, 0_i64, 0_i64);
    let mut from = 0;
    for (slot, step) in steps {
        if slot > from {
            let pages = slot - from;
            let expected = if rows == 0 { named.min(1) } else { counted };
            let start = Slot::from_u64(from);
            if named != expected || rows > 1 {
                report.add(Finding::References {
                    segment: start.segment,
                    page: start.page,
                    pages,
                    named,
                    counted: if rows == 0 { 1 } else { counted },
                });
            } else if named > 1 && unmarked > 0 {
                report.add(Finding::Unmarked(start, pages));
            }
            from = slot;
        }
        named += i64::from(step.named);
        unmarked += i64::from(step.unmarked);
        rows += i64::from(step.rows);
        counted += step.counted;
    }
}
