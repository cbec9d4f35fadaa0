use serde::Deserialize;
use serde::Serialize;

/// What is asked about other people. Cards travel as hexadecimal digits of the whole chunk, identities as those of
/// their owner address.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", tag = "about")]
pub enum PeopleRequest {
    /// The public keys of this pod, and its card.
    Me,
    /// The newest card that the network has of this identity, not below a number.
    Look {
        /// Whose.
        identity: String,
        /// The number.
        from: u64,
    },
    /// That is the card of this pod from now on.
    Use {
        /// The card.
        card: String,
    },
    /// Have the node take the card of this pod.
    Publish,
    /// Pin somebody's card: the one that is given, or the newest in the network.
    Add {
        /// What to call them.
        name: String,
        /// A card that was handed over.
        card: Option<String>,
        /// Whose card to look for in the network.
        identity: Option<String>,
    },
    /// All contacts whose names come after this one, as many as an answer holds.
    List {
        /// Empty: from the first on.
        after: String,
    },
    /// One contact.
    Show {
        /// Their name.
        name: String,
    },
    /// Both have read the same words to each other.
    Verified {
        /// Whose.
        name: String,
        /// Fingerprint of the identity that the words were of.
        fingerprint: String,
    },
    /// Forget a contact.
    Remove {
        /// Their name.
        name: String,
        /// End what is shared with them; else a contact with whom something is shared stays.
        revoke: bool,
    },
    /// Take nothing of somebody any more, or take it again.
    Block {
        /// Name of a contact, or hexadecimal digits of a fingerprint.
        who: String,
        /// Whether nothing is to be taken.
        on: bool,
    },
    /// Everybody of whom nothing is taken, after so many of them, as many as an answer holds.
    Blocked {
        /// How many are left out.
        skip: usize,
    },
}

/// What the daemon says about other people.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", tag = "about")]
pub enum PeopleResponse {
    /// This pod.
    Me(Box<OwnKeys>),
    /// The newest card; nothing when there is none.
    Card {
        /// The card.
        card: Option<String>,
    },
    /// A contact as it is now.
    Contact(Box<ContactReport>),
    /// Contacts in the order of their names.
    Contacts {
        /// As many as an answer holds.
        contacts: Vec<ContactReport>,
        /// Whether there are more.
        more: bool,
    },
    /// Of whom nothing is taken.
    Blocked {
        /// As many as an answer holds.
        people: Vec<BlockedReport>,
        /// Whether there are more.
        more: bool,
    },
    /// It is done.
    Done,
    /// It was not done.
    Refused {
        /// Why, for programs.
        why: Refusal,
        /// What and why, for people.
        what: String,
    },
}

/// Why something with other people was not done.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Refusal {
    /// There is no such contact.
    Unknown,
    /// There is no such grant or message, or several.
    NoGrant,
    /// The grant has ended.
    Over,
    /// The name is taken, or the identity is pinned under another one.
    Taken,
    /// A card does not follow from the pinned one.
    Alarm,
    /// What was given is no card, or not one that can be used.
    Card,
    /// The network has no card of this identity.
    Missing,
    /// Nobody answers.
    Network,
    /// There is no node that is written to.
    NoNode,
    /// The node refuses.
    Node,
    /// There is no such message, or its id stands for several.
    Message,
    /// It cannot be asked for like that.
    Wrong,
    /// The log of the pod does not take or give it.
    State,
}

/// Public keys of a pod, in hexadecimal digits.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct OwnKeys {
    /// Id of the pod.
    pub pod_id: String,
    /// Which pod of its phrase it is.
    pub pod_number: u32,
    /// Number of this machine in the pod; 0 made it.
    pub device: u16,
    /// Epoch of the keys.
    pub epoch: u32,
    /// Ed25519 key.
    pub sign: String,
    /// X25519 key.
    pub x25519: String,
    /// X-Wing key.
    pub xwing: String,
    /// The card, if there is one.
    pub card: Option<String>,
    /// Whether a node took it.
    pub published: bool,
    /// Whether the pod can be changed as it is mounted.
    pub writable: bool,
}

/// A contact.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct ContactReport {
    /// What the owner of the pod calls them.
    pub name: String,
    /// Owner address of their identity, 40 hexadecimal digits.
    pub identity: String,
    /// Fingerprint of their identity, 64 hexadecimal digits.
    pub fingerprint: String,
    /// Fingerprint of the first identity of theirs that was pinned: what stands for them wherever something is noted.
    pub known_as: String,
    /// Owner address of the identity that may follow theirs, 40 hexadecimal digits, if the pinned card has fixed one.
    pub successor: Option<String>,
    /// Number of the pinned card.
    pub card: u64,
    /// When that was made: seconds since 1970.
    pub card_time: i64,
    /// Whether both read the same words to each other.
    pub verified: bool,
    /// A card was met that nothing vouches for.
    pub alarm: bool,
    /// When they were added: seconds since 1970.
    pub since: i64,
    /// Since when nothing of theirs is taken: seconds since 1970.
    pub blocked: Option<i64>,
}

/// Somebody of whom nothing is taken.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct BlockedReport {
    /// What the owner of the pod calls them; nothing when they are no contact.
    pub name: Option<String>,
    /// Fingerprint of their identity, 64 hexadecimal digits.
    pub fingerprint: String,
    /// Since when: seconds since 1970.
    pub since: i64,
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::control::{Request, Response};
    use crate::types::limits::{CONTACTS_AT_ONCE, CONTROL_LINE_MAX};

    #[test]
    fn the_longest_answer_fits_a_line() {
        let contact = ContactReport {
            name: "\"".repeat(64),
            identity: "f".repeat(40),
            fingerprint: "f".repeat(64),
            known_as: "f".repeat(64),
            successor: Some("f".repeat(40)),
            card: u64::MAX,
            card_time: i64::MIN,
            verified: false,
            alarm: false,
            since: i64::MIN,
            blocked: Some(i64::MIN),
        };
        let contacts = vec![contact; CONTACTS_AT_ONCE];
        let answer = PeopleResponse::Contacts {
            contacts,
            more: false,
        };
        let line = serde_json::to_string(&Response::People(answer)).unwrap();
        assert!(line.len() < CONTROL_LINE_MAX, "{}", line.len());
    }

    #[test]
    fn messages_come_back() {
        let name = || "Anna".to_owned();
        let asked = [
            PeopleRequest::Me,
            PeopleRequest::Look {
                identity: name(),
                from: 7,
            },
            PeopleRequest::Use { card: name() },
            PeopleRequest::Publish,
            PeopleRequest::Add {
                name: name(),
                card: None,
                identity: Some(name()),
            },
            PeopleRequest::List { after: name() },
            PeopleRequest::Show { name: name() },
            PeopleRequest::Verified {
                name: name(),
                fingerprint: name(),
            },
            PeopleRequest::Remove {
                name: name(),
                revoke: true,
            },
            PeopleRequest::Block {
                who: name(),
                on: true,
            },
            PeopleRequest::Blocked { skip: 7 },
        ];
        for request in asked.map(Request::People) {
            let line = serde_json::to_string(&request).unwrap();
            assert_eq!(serde_json::from_str::<Request>(&line).unwrap(), request);
        }
    }
}
