//! Which programs open files, for the audit log, when the pod is mounted with `-o audit_access`.

use std::fs;

use crate::daemon::lately::Besides;
use crate::daemon::lately::Lately;
use crate::format::audit::Kind;
use crate::pod::Opening;
use crate::share::audit::Happening;
use crate::types::Ino;
use crate::types::Timespec;
use crate::types::limits::OPENINGS_TOLD;

/// What was opened lately.
pub(super) type Openings = Lately<Opened>;

/// A program opened a file.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Opened {
    ino: Ino,
    program: String,
    uid: u32,
    writes: bool,
}

impl Openings {
    pub(super) const fn of_files() -> Self {
        Self::new(OPENINGS_TOLD, besides)
    }

    /// A program opened a file.
    pub(super) fn opened(&self, ino: Ino, opening: Opening, now: Timespec) {
        let program = program(opening.pid);
        let key = Opened {
            ino,
            program: program.unwrap_or_else(|| "unknown program".to_owned()),
            uid: opening.uid,
            writes: opening.writes,
        };
        self.note(key, ino, Opened::happening, now);
    }
}

impl Opened {
    /// The program stands last: what it is called is its own choice.
    fn happening(&self) -> Happening {
        let purpose = if self.writes { "writing" } else { "reading" };
        let what = format!("for {purpose} by user {}: {}", self.uid, self.program);
        Happening::new(Kind::Opened).because(&what)
    }
}

/// What was recorded once is known: only what nobody would know otherwise is told.
fn besides(besides: &Besides) -> Option<Happening> {
    let more = besides.beyond;
    let what = format!("{more} more times, by other programs or of other files, until then");
    (more > 0).then(|| Happening::new(Kind::Opened).because(&what))
}

/// What the kernel calls the process of a thread; nothing when it is gone, or cannot be seen from here.
fn program(thread: u32) -> Option<String> {
    let status = fs::read(format!("/proc/{thread}/status")).ok()?;
    let status = String::from_utf8_lossy(&status);
    let process = status.lines().find_map(|it| it.strip_prefix("Tgid:"))?;
    let name = fs::read(format!("/proc/{}/comm", process.trim())).ok()?;
    let name = String::from_utf8_lossy(name.strip_suffix(b"\n").unwrap_or(&name)).into_owned();
    Some(name).filter(|name| !name.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::types::limits::LATELY_WINDOW;

    fn at(secs: i64) -> Timespec {
        Timespec { secs, nanos: 0 }
    }

    const fn by(pid: u32, uid: u32, writes: bool) -> Opening {
        Opening { pid, uid, writes }
    }

    #[test]
    fn each_program_and_file_is_recorded_once_an_hour() {
        let openings = Openings::of_files();
        let us = std::process::id();
        let all = [
            by(us, 5, false),
            by(us, 5, true),
            by(us, 6, true),
            by(0, 5, true),
        ];
        for opening in all.into_iter().cycle().take(400) {
            openings.opened(Ino(7), opening, at(5));
        }
        assert_eq!(openings.new_ones().len(), all.len());
        let later = at(5 + LATELY_WINDOW.as_secs().cast_signed());
        openings.opened(Ino(7), by(0, 5, true), later);
        let text = "for writing by user 5: unknown program";
        let again = Happening::new(Kind::Opened).because(text);
        assert_eq!(openings.last(), [(Some(Ino(7)), again)]);
    }

    #[test]
    fn few_openings_are_recorded_and_the_others_counted() {
        let openings = Openings::of_files();
        let most = u64::try_from(OPENINGS_TOLD).unwrap();
        for number in 0..most + 3 {
            openings.opened(Ino(number), by(0, 5, false), at(5));
            openings.opened(Ino(0), by(0, 5, false), at(5));
        }
        assert_eq!(openings.new_ones().len(), OPENINGS_TOLD);
        let counted = "3 more times, by other programs or of other files, until then";
        let counted = Happening::new(Kind::Opened).because(counted);
        assert_eq!(openings.last(), [(None, counted)]);
        assert_eq!(openings.last(), []);
    }

    #[test]
    fn a_thread_is_called_what_its_program_is_called() {
        let ours = fs::read_to_string("/proc/self/comm").unwrap();
        let thread = std::thread::Builder::new().name("another name".into());
        let asked = || {
            program(
                rustix::thread::gettid()
                    .as_raw_nonzero()
                    .get()
                    .cast_unsigned(),
            )
        };
        let said = thread.spawn(asked).unwrap().join().unwrap();
        assert_eq!(said.as_deref(), Some(ours.trim_end_matches('\n')));
        assert_eq!(program(0), None);
    }
}
