use serde::Deserialize;
use serde::Serialize;

/// What is asked about the audit log. The daemon hands it out as it stands there: whoever asked reads and verifies it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", tag = "about")]
pub enum AuditRequest {
    /// What it is compared with.
    Evidence,
    /// Bytes of one of its files.
    Read {
        /// Which.
        file: AuditFile,
        /// From this one on, as many as an answer holds.
        from: u64,
    },
    /// Record that it is handed out.
    Exported,
}

/// A file of the audit log.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum AuditFile {
    /// The records.
    Log,
    /// Checkpoints that others countersigned.
    Witnesses,
}

/// What the daemon says about the audit log. Bytes are hexadecimal digits.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", tag = "about")]
pub enum AuditResponse {
    /// What it is compared with.
    Evidence(Box<AuditEvidence>),
    /// Bytes of a file.
    Bytes {
        /// These.
        bytes: String,
        /// Whether more come behind them.
        more: bool,
    },
    /// It is recorded.
    Done,
    /// It could not be done.
    Refused {
        /// What and why, for people.
        what: String,
    },
}

/// What the log is compared with.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct AuditEvidence {
    /// Which log it is.
    pub origin: String,
    /// Ed25519 key of this machine.
    pub key: String,
    /// The signed card of the owner, if there is one.
    pub card: Option<String>,
    /// The signed checkpoint in the newest head of this machine, if there is one.
    pub head: Option<String>,
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::control::Request;
    use crate::control::Response;
    use crate::types::limits::AUDIT_AT_ONCE;
    use crate::types::limits::CONTROL_LINE_MAX;

    #[test]
    fn the_longest_answer_fits_a_line() {
        let answer = AuditResponse::Bytes {
            bytes: "f".repeat(2 * AUDIT_AT_ONCE),
            more: false,
        };
        let line = serde_json::to_string(&Response::Audit(answer)).unwrap();
        assert!(line.len() < CONTROL_LINE_MAX, "{}", line.len());
    }

    #[test]
    fn messages_come_back() {
        let asked = [
            AuditRequest::Evidence,
            AuditRequest::Read {
                file: AuditFile::Witnesses,
                from: 7,
            },
            AuditRequest::Exported,
        ];
        for request in asked.map(Request::Audit) {
            let line = serde_json::to_string(&request).unwrap();
            assert_eq!(serde_json::from_str::<Request>(&line).unwrap(), request);
        }
    }
}
