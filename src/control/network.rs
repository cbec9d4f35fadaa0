use serde::Deserialize;
use serde::Serialize;

/// How safe something is, in order.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Level {
    /// On this machine only.
    #[default]
    Local,
    /// Sealed for the network and waiting to be sent.
    Queued,
    /// A node took all of it, and may still lose it.
    OnNode,
    /// The network was seen to hold all of it.
    Confirmed,
}

/// What keeps a pod from getting any further, until somebody sees to it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Blocked {
    /// The state folder is older than what was published from it, or there are two of it.
    Overtaken,
    /// No node is written to.
    NoNode,
    /// The batch has ended, is full, or is none of the node's.
    Batch,
    /// The node's wallet is empty.
    Funds,
    /// The node refuses, whatever is sent.
    Node,
    /// What is kept on this machine is damaged.
    Damaged,
    /// The pod is mounted read-only.
    ReadOnly,
}

/// How a pod, or what is below one path of it, is carried to the network. A daemon that does not know a value leaves
/// out what is optional, and counts none. Fields are added, never renamed or removed.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct NetworkReport {
    /// How safe the pod or path is, with everything that was changed until now.
    pub level: Level,
    /// Chunks of it that no node has yet.
    pub chunks_unsent: u64,
    /// Chunks of it that a node took and that were not seen in the network yet.
    pub chunks_sent: u64,
    /// Chunks of the pod that were seen in the network since the mount.
    pub chunks_confirmed: u64,
    /// Chunks of the pod that took a slot of a batch since the mount.
    pub chunks_paid: u64,
    /// Bytes that are sent in a second, now.
    pub bytes_per_second: u64,
    /// Number of the newest publication that was begun.
    pub publication: u64,
    /// The newest publication that a node has all of.
    pub on_node: Option<u64>,
    /// The newest publication that the network was seen to hold all of.
    pub confirmed: Option<u64>,
    /// Place of the newest head in this machine's feed.
    pub head_index: Option<u64>,
    /// When that head was made, in seconds since 1970.
    pub head_time: Option<i64>,
    /// The network is one development node: there is a single copy.
    pub single_copy: bool,
    /// What is in the way, for people.
    pub trouble: Option<String>,
    /// What to type or do about it; nothing when it goes by itself.
    pub next: Option<String>,
    /// Why waiting does not help before somebody does something; nothing when it may.
    pub blocked: Option<Blocked>,
    /// The nodes of the pod, in order.
    pub nodes: Vec<NodeLight>,
    /// Days until the first batch in use ends, at today's price.
    pub batch_days_left: Option<u64>,
    /// How full the fullest bucket of a batch in use is, in percent.
    pub batch_fill_percent: Option<u64>,
    /// The newest scrub, under way or ended.
    pub scrub: Option<ScrubReport>,
    /// All of the pod is carried to the node that is written to, or was.
    pub migration: Option<MigrationReport>,
}

/// How far a pod is that is carried to another node, in chunks.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct MigrationReport {
    /// Whether all that was published before is queued. It counts among the chunks to be sent then.
    pub listed: bool,
    /// Queued since the start.
    pub looked: u64,
    /// Neither on this machine nor in the network.
    pub missing: u64,
    /// Files and folders that these belong to, quoted; not all when there are many.
    pub missing_of: Vec<String>,
}

/// Whether a node is there.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct NodeLight {
    /// What people call it.
    pub name: String,
    /// Whether it answered when it was last asked.
    pub up: bool,
    /// `full`, `light`, `ultra-light`, `dev` or `gateway`; nothing when it is not known.
    pub mode: Option<String>,
    /// What is wrong with it.
    pub trouble: Option<String>,
}

/// How far a scrub is, in chunks.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct ScrubReport {
    /// Whether every chunk is looked for, or a sample.
    pub all: bool,
    /// To be looked for.
    pub total: u64,
    /// Looked for so far.
    pub checked: u64,
    /// Of these, not found.
    pub missing: u64,
    /// Of the missing, made and sent again.
    pub sent_again: u64,
    /// Whether it has ended.
    pub done: bool,
}

impl NetworkReport {
    /// Whether all that can be carried to another node is there. The newest head waits for what cannot.
    pub fn has_moved_what_it_can(&self) -> bool {
        self.migration.as_ref().is_some_and(|migration| {
            let is_all = self.chunks_sent == 0 && self.chunks_unsent <= migration.missing;
            migration.listed && migration.missing > 0 && is_all
        })
    }

    /// Whether everything is queued for the node that it is carried to.
    pub fn is_listed(&self) -> bool {
        self.migration.as_ref().is_some_and(|it| it.listed)
    }

    /// Whether everything that was there when `publication` was asked for is as safe as `level`.
    pub fn has_reached(&self, level: Level, publication: Option<u64>) -> bool {
        let newest = match level {
            Level::Local | Level::Queued => None,
            Level::OnNode => self.on_node.max(self.confirmed),
            Level::Confirmed => self.confirmed,
        };
        let carried = newest
            .zip(publication)
            .is_some_and(|(newest, asked)| newest >= asked);
        self.level >= level || carried
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wait_ends_with_its_own_publication() {
        let mut report = NetworkReport::default();
        assert!(report.has_reached(Level::Local, None));
        assert!(!report.has_reached(Level::OnNode, Some(0)));
        report.confirmed = Some(7);
        for (level, publication, reached) in [
            (Level::Confirmed, Some(7), true),
            (Level::OnNode, Some(7), true),
            (Level::Confirmed, Some(8), false),
            (Level::Confirmed, None, false),
            (Level::Queued, Some(7), false),
        ] {
            assert_eq!(report.has_reached(level, publication), reached, "{level:?}");
        }
        report.level = Level::Confirmed;
        assert!(report.has_reached(Level::Confirmed, Some(8)));
    }
}
