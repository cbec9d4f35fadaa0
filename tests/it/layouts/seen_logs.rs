//! What was seen of the audit logs of others.

use podfs::crypto::identity::Fingerprint;
use podfs::format::rows::{RecordAt, SeenLog, ToldLog};

use crate::layouts::Named;
use crate::layouts::grants::{ID, MADE, shown};
use crate::layouts::wrong::{Changed, Cut};

fn seen_log() -> SeenLog {
    let newest = shown(None).log.unwrap().checkpoint;
    SeenLog {
        contact: Fingerprint([0xf1; 32]),
        newest,
        at: RecordAt {
            grant: ID,
            index: 1,
            time: MADE,
        },
        is_shown: true,
        told: None,
        alarm: None,
    }
}

pub(super) fn good() -> Named {
    vec![
        ("rows-seen-log-first", seen_log().encode()),
        (
            "rows-seen-log-alarm",
            SeenLog {
                told: Some(ToldLog {
                    size: 5,
                    root: [0xe6; 32],
                    when: MADE,
                }),
                alarm: Some([0xe7; 32]),
                ..seen_log()
            }
            .encode(),
        ),
    ]
}

pub(super) const CHANGED: [Changed; 1] =
    [("rows-seen-log-wrong-flags", "rows-seen-log-first", 281, 12)];

pub(super) const CUT: [Cut; 1] = [(
    "rows-seen-log-wrong-longer",
    "rows-seen-log-first",
    282,
    b"\0",
)];

pub(super) fn written_again(bytes: &[u8]) -> Option<Vec<u8>> {
    Some(SeenLog::decode(bytes).ok()?.encode())
}
