use serde::Deserialize;
use serde::Serialize;

use crate::control::Refusal;

/// What is asked about messages. Ids are hexadecimal digits; of a question the first ones are enough, at least 4.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", tag = "about")]
pub enum MessagesRequest {
    /// Send what is unsent and read what has come, as far as the network answers in time.
    Collect,
    /// Messages of one way, with numbers above one, as many as an answer holds.
    List {
        /// Which way.
        way: MessageWay,
        /// The number; 0: from the first on.
        after: u64,
    },
    /// One message.
    Show {
        /// Its id.
        id: String,
    },
    /// These were shown.
    Seen {
        /// Whole ids.
        ids: Vec<String>,
    },
    /// Forget a message.
    Forget {
        /// Its id.
        id: String,
    },
    /// Ask a contact for access to something of theirs.
    Ask {
        /// Whom.
        name: String,
        /// The path, as they call it.
        what: String,
        /// What for.
        purpose: String,
        /// 1 read, 2 append, 4 write.
        rights: u8,
        /// Seconds since 1970 from which on.
        from: Option<i64>,
        /// Seconds since 1970 until which.
        until: Option<i64>,
    },
    /// Deny what somebody asked for.
    Deny {
        /// The request.
        id: String,
        /// Why; may be empty.
        why: String,
    },
}

/// To the owner of the pod, or from them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum MessageWay {
    /// To them.
    #[default]
    Received,
    /// From them.
    Sent,
}

/// What the daemon says about messages.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", tag = "about")]
pub enum MessagesResponse {
    /// What the look into the network brought.
    Collected(CollectReport),
    /// Messages in the order of their numbers.
    Messages {
        /// As many as an answer holds.
        messages: Vec<MessageReport>,
        /// Whether there are more.
        more: bool,
    },
    /// A message as it is now.
    Message(Box<MessageReport>),
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

/// What a look into the network brought.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct CollectReport {
    /// Messages that came.
    pub received: u64,
    /// Chunks that were passed over: they are no message of the contact to this pod.
    pub skipped: u64,
    /// Own messages that were not seen in the network yet.
    pub unsent: u64,
    /// Contacts who wrote more than is kept of them, at most eight.
    pub full: Vec<String>,
    /// More people who are no contacts ask than are kept.
    pub door_full: bool,
    /// Why the network was not asked for everything; nothing when it was.
    pub trouble: Option<String>,
}

/// A message.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct MessageReport {
    /// Its id, 32 hexadecimal digits.
    pub id: String,
    /// Its number among those of its way.
    pub number: u64,
    /// `received` or `sent`.
    pub way: MessageWay,
    /// What the owner calls the other one; nothing when they were forgotten.
    pub contact: Option<String>,
    /// Fingerprint of the other one's identity, 64 hexadecimal digits.
    pub fingerprint: String,
    /// Owner address of the other one's identity, 40 hexadecimal digits, when they came to the door and are no contact.
    pub stranger: Option<String>,
    /// `request`, `grant` or `denied`; of what was sent also `arrived`: a request came through the door.
    pub kind: String,
    /// Of received ones: `new`, `seen`, `answered`, `accepted`. Of own ones: `unsent`, `sent`, and of requests `arrived`,
    /// `denied`, `granted`.
    pub state: String,
    /// When it was written, as the sender says: seconds since 1970.
    pub time: i64,
    /// When it came, or was written here.
    pub since: i64,
    /// The path that a request, or what it answers, is about.
    pub what: Option<String>,
    /// What a request is for.
    pub purpose: Option<String>,
    /// What a request asks for: `read`, `append`, `write`.
    pub rights: Vec<String>,
    /// From when on, in seconds since 1970; nothing: at once.
    pub from: Option<i64>,
    /// Until when; nothing: no end.
    pub until: Option<i64>,
    /// What was said to a denial.
    pub why: Option<String>,
    /// Id of the message that it answers.
    pub answers: Option<String>,
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::control::{Request, Response};
    use crate::types::limits::{CONTROL_LINE_MAX, MESSAGE_TEXT_MAX, MESSAGES_IN_ANSWER};

    #[test]
    fn the_longest_answer_fits_a_line() {
        let text = || Some("\"".repeat(MESSAGE_TEXT_MAX));
        let message = MessageReport {
            id: "f".repeat(32),
            number: u64::MAX,
            way: MessageWay::Received,
            contact: Some("\"".repeat(64)),
            fingerprint: "f".repeat(64),
            stranger: Some("f".repeat(40)),
            kind: "request".to_owned(),
            state: "answered".to_owned(),
            time: i64::MIN,
            since: i64::MIN,
            what: text(),
            purpose: text(),
            rights: ["read", "append", "write"].map(str::to_owned).to_vec(),
            from: Some(i64::MIN),
            until: Some(i64::MIN),
            why: text(),
            answers: Some("f".repeat(32)),
        };
        let answer = MessagesResponse::Messages {
            messages: vec![message; MESSAGES_IN_ANSWER],
            more: false,
        };
        let line = serde_json::to_string(&Response::Messages(answer)).unwrap();
        assert!(line.len() < CONTROL_LINE_MAX, "{}", line.len());
    }

    #[test]
    fn messages_come_back() {
        let name = || "Anna".to_owned();
        let asked = [
            MessagesRequest::Collect,
            MessagesRequest::List {
                way: MessageWay::Sent,
                after: 7,
            },
            MessagesRequest::Show { id: name() },
            MessagesRequest::Seen { ids: vec![name()] },
            MessagesRequest::Forget { id: name() },
            MessagesRequest::Ask {
                name: name(),
                what: name(),
                purpose: name(),
                rights: 1,
                from: None,
                until: Some(7),
            },
            MessagesRequest::Deny {
                id: name(),
                why: String::new(),
            },
        ];
        for request in asked.map(Request::Messages) {
            let line = serde_json::to_string(&request).unwrap();
            assert_eq!(serde_json::from_str::<Request>(&line).unwrap(), request);
        }
    }
}
