//! The tokens of a pod: opening its keyfile with one, adding one, taking one away.

use std::path::Path;
use std::path::PathBuf;

use serde::Deserialize;
use serde::Serialize;

use crate::crypto::EntropyError;
use crate::crypto::entropy::random_bytes;
use crate::daemon::fault::Fault;
use crate::daemon::fault::FaultKind;
use crate::daemon::keyfile;
use crate::daemon::passphrase::Passphrase;
use crate::daemon::paths::PodPaths;
use crate::daemon::rekey;
use crate::daemon::rekey::Right;
use crate::daemon::token;
use crate::daemon::token::Module;
use crate::daemon::token::OpenToken;
use crate::daemon::token::Token;
pub use crate::format::keyfile::KeyId;
pub use crate::format::keyfile::KeyKind;
use crate::format::keyfile::KeyfileError;
use crate::format::keyfile::NewToken;
use crate::format::keyfile::Opener;
use crate::format::keyfile::TokenAnswer;
use crate::format::keyfile::TokenKey;
use crate::format::keyfile::add_token;
use crate::format::keyfile::remove_token;
use crate::format::keyfile::unlock_with;
use crate::format::keyfile::ways;

/// Bytes of the id of a key that is made here.
const NEW_ID_LEN: usize = 8;

/// A token that somebody has, and how it is spoken to. Nothing in it is secret.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TokenWish {
    /// The PKCS #11 module of its maker; absolute.
    pub module: PathBuf,
    /// Its label, where there are several.
    pub label: Option<String>,
}

/// A token, and the PIN that it asks for.
pub struct TokenAccess {
    /// Which one.
    pub wish: TokenWish,
    /// Shown to the token and to nobody else.
    pub pin: Passphrase,
}

/// The key on the token that is to open the pod.
pub struct KeyWish {
    /// What kind of key.
    pub kind: KeyKind,
    /// Which of them.
    pub which: WhichKey,
}

/// Which key on the token is to open the pod.
pub enum WhichKey {
    /// A new one, of this id or of one that is drawn.
    New(Option<KeyId>),
    /// One that is there.
    Of(KeyId),
}

/// A token that opens a pod, for people and programs.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct TokenReport {
    /// What it is called.
    pub label: String,
    /// Serial number.
    pub serial: String,
    /// Id of the key on it, in hexadecimal digits.
    pub key: String,
}

/// What opens a pod, for people and programs. As the keyfile says it: who could write to that may have changed it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct WaysReport {
    /// A passphrase does.
    pub passphrase: bool,
    /// Tokens do.
    pub tokens: Vec<TokenReport>,
}

impl TokenReport {
    fn of(key: &TokenKey) -> Self {
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).trim_end().to_owned();
        Self {
            label: text(&key.label),
            serial: text(&key.serial),
            key: hex::encode(key.id.bytes()),
        }
    }

    fn shown(&self) -> String {
        token::shown(&self.label, &self.serial)
    }
}

impl TokenWish {
    /// Refuses a module that must not be loaded, before a PIN is asked for.
    pub fn new(paths: &PodPaths, module: &Path, label: Option<String>) -> Result<Self, Fault> {
        let module = token::sound_module(module, &paths.state)?;
        Ok(Self { module, label })
    }
}

/// What opens the pod.
pub fn report(paths: &PodPaths) -> Result<WaysReport, Fault> {
    let file = paths.keyfile();
    let ways = ways(&keyfile::load(&file)?).map_err(|error| keyfile::fault(&file, error))?;
    Ok(WaysReport {
        passphrase: ways.passphrase,
        tokens: ways.tokens.iter().map(TokenReport::of).collect(),
    })
}

/// Lets a token answer for the keyfile `bytes`. The module is let go before this returns.
pub(super) fn answer(
    paths: &PodPaths,
    bytes: &[u8],
    access: &TokenAccess,
) -> Result<(TokenKey, TokenAnswer), Fault> {
    let known = ways(bytes).map_err(|error| keyfile::fault(&paths.keyfile(), error))?;
    let mut wanted = known.tokens;
    if let Some(label) = &access.wish.label {
        wanted.retain(|key| TokenReport::of(key).label == *label);
    }
    if wanted.is_empty() {
        let flag = paths.pod_flag();
        let what = match &access.wish.label {
            Some(label) => format!("no token {label:?} opens the pod {:?}", paths.name),
            None => format!("no token opens the pod {:?}", paths.name),
        };
        return Err(Fault::new(FaultKind::NoToken, what)
            .next(format!("see which do: podfs keys token list{flag}")));
    }
    let module = Module::load(&access.wish.module, &paths.state)?;
    let tokens = module.tokens()?;
    let mut there = wanted.iter().filter_map(|key| {
        let token = tokens.iter().find(|token| token.is_of(key))?;
        Some((key, token))
    });
    let Some((key, token)) = there.next() else {
        return Err(absent(&wanted, &tokens));
    };
    if there.any(|(_, other)| !other.is_same(token)) {
        // A PIN that is tried on the wrong one costs one of its tries.
        let what = "several tokens that open the pod are there";
        return Err(Fault::new(FaultKind::NoToken, what).next("say which: --token=LABEL"));
    }
    let opened = module.log_in(token, &access.pin, false)?;
    let answer = opened.answer(key)?;
    Ok((key.clone(), answer))
}

/// Lets the pod be opened with a token from now on; with `only`, no longer with a passphrase. A key that was made for it is
/// taken away again when that fails.
pub fn add(
    paths: &PodPaths,
    right: &Right<'_>,
    access: &TokenAccess,
    wish: &KeyWish,
    only: bool,
) -> Result<TokenReport, Fault> {
    let module = Module::load(&access.wish.module, &paths.state)?;
    let token = choose(&module.tokens()?, access.wish.label.as_deref())?;
    let made = matches!(wish.which, WhichKey::New(_));
    let id = match &wish.which {
        WhichKey::New(Some(id)) | WhichKey::Of(id) => id.clone(),
        WhichKey::New(None) => drawn_id(paths)?,
    };
    let held = module.log_in(&token, &access.pin, made)?;
    if made {
        held.make_key(wish.kind, &id)?;
    }
    let added = add_key(paths, right, &held, (wish.kind, &id), only);
    if made
        && added.is_err()
        && let Err(error) = held.destroy_key(wish.kind, &id)
    {
        tracing::warn!(%error, "a key that is not used stays on the token");
    }
    added
}

fn add_key(
    paths: &PodPaths,
    right: &Right<'_>,
    held: &OpenToken<'_>,
    (kind, id): (KeyKind, &KeyId),
    only: bool,
) -> Result<TokenReport, Fault> {
    held.require_kept(kind, id)?;
    let entropy = &mut keyfile::system_entropy;
    let (key, answer) = held.challenge(kind, id, entropy)?;
    if !answer.eq_ct(&held.answer(&key)?) {
        let what = format!(
            "the token {} does not answer as it should",
            held.token().shown()
        );
        return Err(Fault::new(FaultKind::NoToken, what).next("use another token"));
    }
    let file = paths.keyfile();
    let bytes = keyfile::load(&file)?;
    let new = NewToken {
        key: &key,
        answer: &answer,
        only,
    };
    let bytes = rekey::with_right(paths, &bytes, right, |opener| {
        add_token(&bytes, opener, &new, entropy)
    })?;
    // Nothing takes the place of what opens until this was seen to open.
    let opener = Opener::Token {
        key: &key,
        answer: &answer,
    };
    unlock_with(&bytes, opener).map_err(|error| keyfile::fault(&file, error))?;
    keyfile::store(&file, &bytes)?;
    Ok(TokenReport::of(&key))
}

/// Takes a token away, named by its label or serial number. The key on it stays.
pub fn remove(
    paths: &PodPaths,
    right: &Right<'_>,
    name: &str,
    id: Option<&KeyId>,
) -> Result<TokenReport, Fault> {
    let key = named(paths, name, id)?;
    let file = paths.keyfile();
    let bytes = keyfile::load(&file)?;
    let bytes = rekey::with_right(paths, &bytes, right, |opener| {
        remove_token(&bytes, opener, &key)
    })?;
    keyfile::store(&file, &bytes)?;
    Ok(TokenReport::of(&key))
}

/// The one slot that is meant, before anything is asked for.
fn named(paths: &PodPaths, name: &str, id: Option<&KeyId>) -> Result<TokenKey, Fault> {
    let file = paths.keyfile();
    let known = ways(&keyfile::load(&file)?).map_err(|error| keyfile::fault(&file, error))?;
    let is_meant = |key: &&TokenKey| {
        let report = TokenReport::of(key);
        let by_name = report.label == name || report.serial == name;
        by_name && id.is_none_or(|id| key.id == *id)
    };
    let mut meant = known.tokens.iter().filter(is_meant);
    let refused = |what: String, next: String| Fault::new(FaultKind::NoToken, what).next(next);
    let flag = paths.pod_flag();
    let Some(key) = meant.next() else {
        let what = format!("no token {name:?} opens the pod {:?}", paths.name);
        return Err(refused(
            what,
            format!("see which do: podfs keys token list{flag}"),
        ));
    };
    if meant.next().is_some() {
        let what = format!("several keys on tokens called {name:?} open the pod");
        return Err(refused(
            what,
            "say which by its serial number, or with --id".to_owned(),
        ));
    }
    Ok(key.clone())
}

fn choose(tokens: &[Token], label: Option<&str>) -> Result<Token, Fault> {
    let mut meant = tokens
        .iter()
        .filter(|token| label.is_none_or(|label| token.label == label));
    let refused = |what: String, next: &str| Fault::new(FaultKind::NoToken, what).next(next);
    let Some(token) = meant.next() else {
        let what = match label {
            Some(label) => format!("there is no token {label:?}; {}", listed(tokens)),
            None => "there is no token".to_owned(),
        };
        return Err(refused(what, "insert it, then try again"));
    };
    if meant.next().is_some() {
        return Err(refused(listed(tokens), "say which: --token LABEL"));
    }
    Ok(token.clone())
}

fn absent(wanted: &[TokenKey], tokens: &[Token]) -> Fault {
    let wanted: Vec<String> = wanted
        .iter()
        .map(|key| TokenReport::of(key).shown())
        .collect();
    let what = format!(
        "the token {} is not there; {}",
        wanted.join(" or "),
        listed(tokens)
    );
    Fault::new(FaultKind::NoToken, what).next(
        "insert it, then try again; when it is lost, the recovery phrase helps: podfs passwd --phrase-file FILE",
    )
}

fn listed(tokens: &[Token]) -> String {
    let names: Vec<String> = tokens.iter().map(Token::shown).collect();
    if names.is_empty() {
        return "no token is".to_owned();
    }
    format!("there is {}", names.join(", "))
}

fn drawn_id(paths: &PodPaths) -> Result<KeyId, Fault> {
    let id = random_bytes::<NEW_ID_LEN>(&mut keyfile::system_entropy);
    let id = id.map_err(|error| no_entropy(paths, error))?;
    KeyId::new(&id).ok_or_else(|| Fault::new(FaultKind::Other, "no id for a key"))
}

fn no_entropy(paths: &PodPaths, error: EntropyError) -> Fault {
    keyfile::fault(&paths.keyfile(), KeyfileError::Entropy(error))
}
