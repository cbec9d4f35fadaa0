use std::fmt;
use std::str::FromStr;

use reqwest::Url;

/// Where a node is: `http` or `https`, host, port, perhaps a path in front of the interface, perhaps credentials.
/// The credentials are sent and never shown.
#[derive(Clone, PartialEq, Eq)]
pub struct NodeAddress(Url);

/// Why this is no address of a node.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NodeAddressError {
    /// Not a URL.
    #[error("not an address; one looks like http://localhost:1633")]
    Malformed,
    /// Another protocol.
    #[error("a node speaks http or https")]
    Scheme,
    /// A query or a fragment, which an address of a node has not.
    #[error("an address of a node ends with its path")]
    Tail,
    /// No root certificates, so nobody could be believed.
    #[error("this machine has no root certificates; install ca-certificates")]
    NoTrust,
    /// The client could not be made.
    #[error("no HTTP client: {0}")]
    Client(String),
}

impl NodeAddress {
    /// The address of a part of the interface: each segment is one step of the path, however it is spelled.
    pub(super) fn at(&self, segments: &[&str]) -> Url {
        let mut url = self.0.clone();
        if let Ok(mut path) = url.path_segments_mut() {
            path.pop_if_empty().extend(segments);
        }
        url
    }

    pub(super) fn is_https(&self) -> bool {
        self.0.scheme() == "https"
    }

    /// The address with its credentials, for the settings file, and nothing that is shown.
    pub fn with_credentials(&self) -> &str {
        self.0.as_str()
    }

    /// Whether it carries a name or a password.
    pub fn has_credentials(&self) -> bool {
        !self.0.username().is_empty() || self.0.password().is_some()
    }
}

impl FromStr for NodeAddress {
    type Err = NodeAddressError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let url = Url::parse(text.trim()).map_err(|_| NodeAddressError::Malformed)?;
        if !matches!(url.scheme(), "http" | "https") {
            return Err(NodeAddressError::Scheme);
        }
        if url.query().is_some() || url.fragment().is_some() {
            return Err(NodeAddressError::Tail);
        }
        Ok(Self(url))
    }
}

impl fmt::Display for NodeAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut shown = self.0.clone();
        // Neither can fail for http and https, and if it could, nothing is shown at all.
        if shown.set_username("").is_err() || shown.set_password(None).is_err() {
            return f.write_str("(hidden)");
        }
        f.write_str(shown.as_str().trim_end_matches('/'))
    }
}

impl fmt::Debug for NodeAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "NodeAddress({self})")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_stays_in_front_and_segments_are_one_step() {
        for (base, whole) in [
            (
                "http://localhost:1633",
                "http://localhost:1633/chunks/a%2Fb",
            ),
            (
                "http://localhost:1633/",
                "http://localhost:1633/chunks/a%2Fb",
            ),
            ("https://h/bee", "https://h/bee/chunks/a%2Fb"),
            ("https://h/bee/v1/", "https://h/bee/v1/chunks/a%2Fb"),
            (" http://[::1]:80\n", "http://[::1]/chunks/a%2Fb"),
        ] {
            let address: NodeAddress = base.parse().unwrap();
            assert_eq!(address.at(&["chunks", "a/b"]).as_str(), whole);
        }
    }

    #[test]
    fn credentials_are_kept_and_never_shown() {
        let text = "https://alice:s%40crt@node.example:8443/bee/";
        let address: NodeAddress = text.parse().unwrap();
        assert_eq!(address.to_string(), "https://node.example:8443/bee");
        assert_eq!(
            format!("{address:?}"),
            "NodeAddress(https://node.example:8443/bee)"
        );
        assert!(address.has_credentials() && address.with_credentials().contains("s%40crt"));
        let error = "ftp://alice:secret@h/".parse::<NodeAddress>().unwrap_err();
        assert!(!format!("{error} {error:?}").contains("secret"));
    }

    #[test]
    fn what_is_no_address_of_a_node_is_refused() {
        for (text, error) in [
            ("", NodeAddressError::Malformed),
            ("localhost:1633", NodeAddressError::Scheme),
            ("//localhost", NodeAddressError::Malformed),
            ("ipfs://localhost", NodeAddressError::Scheme),
            ("http://h/?a=b", NodeAddressError::Tail),
            ("http://h/#a", NodeAddressError::Tail),
            ("http://:1633", NodeAddressError::Malformed),
        ] {
            assert_eq!(text.parse::<NodeAddress>(), Err(error), "{text:?}");
        }
    }
}
