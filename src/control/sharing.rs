use std::path::PathBuf;

use serde::Deserialize;
use serde::Serialize;

use crate::control::PreviewReport;
use crate::control::ReceiptReport;
use crate::control::Refusal;
use crate::control::raw_path;

/// What is asked about what is shared. Times are seconds since 1970, ids hexadecimal digits.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", tag = "about")]
pub enum SharingRequest {
    /// Share something with a contact.
    Share {
        /// As seen from the top of the pod.
        #[serde(with = "raw_path")]
        path: PathBuf,
        /// Name of the contact.
        with: String,
        /// `read`, `append` or `write`.
        rights: String,
        /// From when on; nothing: from now on.
        from: Option<i64>,
        /// Until when; nothing: no end.
        until: Option<i64>,
        /// What for; may be empty.
        purpose: String,
        /// As it is now, and nothing that comes later.
        snapshot: bool,
        /// Only say what would be given, or why not.
        #[serde(default)]
        preview: bool,
    },
    /// Share what a contact asked for.
    Approve {
        /// Id of the request, or the beginning of it.
        id: String,
        /// What is shared, as seen from the top of the pod; nothing: what the request names.
        #[serde(with = "raw_path::option", default)]
        path: Option<PathBuf>,
        /// `read`, `append` or `write`, in place of what was asked for.
        #[serde(default)]
        rights: Option<String>,
        /// Until when, in place of what was asked for.
        until: Option<i64>,
        /// Only say what would be given, or why not.
        #[serde(default)]
        preview: bool,
    },
    /// Grants that the owner gave, with the path of what is shared, as many as an answer holds.
    Given {
        /// How many to leave out.
        skip: usize,
        /// Only those that open what is at this path, as seen from the top of the pod.
        #[serde(with = "raw_path::option", default)]
        path: Option<PathBuf>,
    },
    /// End a grant.
    Revoke {
        /// Its id, or the beginning of it.
        id: String,
        /// How far: 0 to 3.
        #[serde(default)]
        level: u8,
    },
    /// What ending a grant would do.
    Preview {
        /// Its id, or the beginning of it.
        id: String,
    },
    /// What was done when a grant was ended, or how far it is.
    Receipt {
        /// Its id, or the beginning of it.
        id: String,
    },
    /// Grants that the owner received, as many as an answer holds.
    Received {
        /// How many to leave out.
        skip: usize,
    },
    /// Take a grant that came.
    Accept {
        /// Its id or that of its message, or the beginning of it.
        id: String,
        /// The name under which it is to be seen, in place of the one that it came with.
        name: Option<String>,
    },
}

/// What the daemon says about what is shared.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", tag = "about")]
pub enum SharingResponse {
    /// A grant that the owner gave, as it is now.
    Gave(Box<GivenReport>),
    /// A grant that would be given were it not asked for what it would be. It has no id.
    WouldGive(Box<GivenReport>),
    /// Grants that the owner gave, the oldest first.
    Given {
        /// As many as an answer holds.
        grants: Vec<GivenReport>,
        /// Whether there are more.
        more: bool,
    },
    /// A grant that the owner received, as it is now.
    Got(Box<ReceivedReport>),
    /// Grants that the owner received, the oldest first.
    Received {
        /// As many as an answer holds.
        grants: Vec<ReceivedReport>,
        /// Whether there are more.
        more: bool,
    },
    /// What ending a grant would do.
    Preview(Box<PreviewReport>),
    /// What was done when a grant was ended, or how far it is.
    Receipt(Box<ReceiptReport>),
    /// It was not done.
    Refused {
        /// Why, for programs.
        why: Refusal,
        /// What and why, for people.
        what: String,
    },
}

/// A grant that the owner gave.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct GivenReport {
    /// Its id.
    pub id: String,
    /// Name of the contact; the one that they had then, if they are a contact no more.
    pub with: String,
    /// Fingerprint of their identity.
    pub fingerprint: String,
    /// Where it is, as seen from the top of the pod; nothing when it is gone.
    pub path: Option<String>,
    /// The name under which they see it.
    pub name: String,
    /// `file` or `folder`.
    pub kind: String,
    /// `read`, `append` or `write`.
    pub rights: String,
    /// From when on.
    pub from: Option<i64>,
    /// Until when.
    pub until: Option<i64>,
    /// What for.
    pub purpose: String,
    /// Whether nothing is told of later changes.
    pub snapshot: bool,
    /// When it was given.
    pub made: i64,
    /// `waiting`, `active`, `revoked`, `expired` or `gone`.
    pub state: String,
    /// Since when it is over.
    pub ended: Option<i64>,
    /// Why it is not handed over, told or sent, or why what they added is not taken over, or not all of it.
    pub trouble: Option<String>,
}

/// A grant that the owner received.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct ReceivedReport {
    /// Its id.
    pub id: String,
    /// Name of the contact who gave it; nothing when they are a contact no more.
    pub with: Option<String>,
    /// Fingerprint of their identity.
    pub fingerprint: String,
    /// Where it is seen, from the top of the pod; nothing when it is not.
    pub path: Option<String>,
    /// The name that it came with.
    pub name: String,
    /// `file` or `folder`.
    pub kind: String,
    /// `read`, `append` or `write`.
    pub rights: String,
    /// From when on.
    pub from: Option<i64>,
    /// Until when.
    pub until: Option<i64>,
    /// What for.
    pub purpose: String,
    /// Whether nothing is told of later changes.
    pub snapshot: bool,
    /// When it was given.
    pub made: i64,
    /// `offered`, `accepted`, `revoked`, `expired` or `gone`.
    pub state: String,
    /// Since when it is over.
    pub ended: Option<i64>,
    /// When the newest version was made that was brought here.
    pub version: Option<i64>,
    /// Files that were added to it, changed or removed, and are not so at its owner's yet; nothing when nothing can be.
    pub added: Option<u64>,
    /// Why a newer version is not here yet.
    pub trouble: Option<String>,
}

#[cfg(test)]
mod tests {
    use std::ffi::OsStr;
    use std::os::unix::ffi::OsStrExt;

    use super::*;
    use crate::control::Request;

    #[test]
    fn names_that_are_no_text_come_through() {
        let path = || PathBuf::from(OsStr::from_bytes(b"a/\xff\n"));
        let asked = [
            SharingRequest::Share {
                path: path(),
                with: "Anna".to_owned(),
                rights: "read".to_owned(),
                from: None,
                until: Some(7),
                purpose: String::new(),
                snapshot: false,
                preview: true,
            },
            SharingRequest::Approve {
                id: "7".to_owned(),
                path: Some(path()),
                rights: None,
                until: None,
                preview: false,
            },
            SharingRequest::Given {
                skip: 3,
                path: Some(path()),
            },
            SharingRequest::Given {
                skip: 3,
                path: None,
            },
        ];
        for request in asked.map(Request::Sharing) {
            let line = serde_json::to_string(&request).unwrap();
            assert_eq!(serde_json::from_str::<Request>(&line).unwrap(), request);
        }
    }
}
