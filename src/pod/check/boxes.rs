use std::collections::BTreeSet;

use crate::format::rows::{Attached, FileKind, Key, NextBox};
use crate::pod::Pod;
use crate::pod::check::{Finding, Inodes, Report};
use crate::pod::error::PodError;
use crate::types::Ino;

impl Pod {
    /// All boxes: each has a directory and a number of its own, and none lies in another.
    pub(super) fn check_boxes(
        &self,
        inodes: &mut Inodes,
        report: &mut Report,
    ) -> Result<(), PodError> {
        let (mut numbers, mut dirs, mut next) = (BTreeSet::new(), BTreeSet::new(), 1);
        self.each_row(b'A', |key, row| {
            let dir = Ino(key.field(0));
            if key == Key::next_box() {
                next = report
                    .decoded(&key, NextBox::decode(&row))
                    .map_or(1, |it| it.0);
                return Ok(());
            }
            let Some(attached) = report.decoded(&key, Attached::decode(&row)) else {
                return Ok(());
            };
            match inodes.get(dir) {
                None => report.add(Finding::NoInode(key)),
                Some(seen) if seen.kind != FileKind::Directory => {
                    report.add(Finding::NotADirectory(dir));
                }
                Some(_) => {}
            }
            if attached.number >= next || !numbers.insert(attached.number) {
                report.add(Finding::Box(dir));
            }
            dirs.insert(dir);
            Ok(())
        })?;
        for dir in &dirs {
            let mut at = self.parent(*dir)?;
            // A ring of directories is found elsewhere, and ends where it begins.
            while at != *dir && !dirs.contains(&at) {
                let above = self.parent(at)?;
                if above == at {
                    break;
                }
                at = above;
            }
            if at != *dir && dirs.contains(&at) {
                report.add(Finding::Box(*dir));
            }
        }
        Ok(())
    }
}
