use std::path::PathBuf;

use serde::Deserialize;
use serde::Serialize;

use crate::control::Holder;
use crate::control::raw_path;

/// What is asked about boxes. Paths are as seen from the top of the pod.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", tag = "about")]
pub enum BoxRequest {
    /// Make a box of a folder.
    Create {
        /// The folder.
        #[serde(with = "raw_path")]
        path: PathBuf,
        /// One scope for all files in it.
        one_scope: bool,
        /// Only say what would be sealed anew.
        preview: bool,
    },
    /// Make an ordinary folder of a box.
    Remove {
        /// The folder.
        #[serde(with = "raw_path")]
        path: PathBuf,
        /// Only say what would be sealed anew.
        preview: bool,
    },
    /// Mount a box alone.
    Mount {
        /// Its folder.
        #[serde(with = "raw_path")]
        path: PathBuf,
        /// Where; absolute.
        #[serde(with = "raw_path")]
        point: PathBuf,
    },
    /// Take the mount of a box away.
    Unmount {
        /// Where it is; absolute.
        #[serde(with = "raw_path")]
        point: PathBuf,
        /// Also when programs use it.
        lazy: bool,
    },
    /// Which box is mounted at a place.
    At {
        /// The place; absolute.
        #[serde(with = "raw_path")]
        point: PathBuf,
    },
    /// Boxes in the order of their numbers, as many as an answer holds.
    List {
        /// With numbers above this one; 0: from the first on.
        after: u32,
    },
}

/// What the daemon says about boxes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", tag = "about")]
pub enum BoxResponse {
    /// The box that was made or removed, or would be.
    Box(BoxReport),
    /// Boxes in the order of their numbers.
    Boxes {
        /// As many as an answer holds.
        boxes: Vec<BoxReport>,
        /// Whether there are more.
        more: bool,
    },
    /// It is mounted.
    Mounted {
        /// What could not be had.
        notes: Vec<String>,
    },
    /// It is not mounted any more.
    Unmounted,
    /// The box that is mounted there.
    At {
        /// Its folder, as seen from the top of the pod.
        #[serde(with = "raw_path")]
        path: PathBuf,
    },
    /// Programs use the mount of the box.
    Busy {
        /// At most a screenful.
        holders: Vec<Holder>,
    },
    /// It was not done.
    Refused {
        /// Why, for programs.
        why: BoxRefusal,
        /// What and why, for people.
        what: String,
    },
}

/// Why something about a box was not done.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum BoxRefusal {
    /// It is no box.
    NoBox,
    /// It has a mount of its own.
    Mounted,
    /// It has none there.
    NotMounted,
    /// The folder cannot be mounted on.
    Mountpoint,
    /// The kernel does not mount.
    Fuse,
    /// It cannot be one.
    Wrong,
    /// The pod does not take or give it.
    State,
}

/// A box.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct BoxReport {
    /// Its number: its keys derive from it.
    pub number: u32,
    /// Where it is, as seen from the top of the pod.
    pub path: String,
    /// What equal pages are one chunk within: `file` or `box`.
    pub dedup: String,
    /// Where it is mounted alone; nothing when it is not.
    pub mountpoint: Option<String>,
    /// Names in it that are sealed anew; nothing in a list.
    pub names: Option<u64>,
    /// Bytes of files in it that are sealed anew; nothing in a list.
    pub bytes: Option<u64>,
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::control::Request;

    #[test]
    fn messages_come_back() {
        let path = || PathBuf::from("a/b");
        let (one_scope, preview) = (true, false);
        let asked = [
            BoxRequest::Create {
                path: path(),
                one_scope,
                preview,
            },
            BoxRequest::Remove {
                path: path(),
                preview,
            },
            BoxRequest::Mount {
                path: path(),
                point: path(),
            },
            BoxRequest::Unmount {
                point: path(),
                lazy: true,
            },
            BoxRequest::At { point: path() },
            BoxRequest::List { after: 7 },
        ];
        for request in asked.map(Request::Box) {
            let line = serde_json::to_string(&request).unwrap();
            assert_eq!(serde_json::from_str::<Request>(&line).unwrap(), request);
        }
    }
}
