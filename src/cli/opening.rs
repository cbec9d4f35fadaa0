//! How a pod is opened: with its passphrase, or with its token and the PIN of that.

use std::path::Path;
use std::path::PathBuf;

use clap::Args;
use clap::ValueHint;
use zeroize::Zeroizing;

use crate::cli::ask;
use crate::cli::ask::PassphraseArgs;
use crate::daemon::Fault;
use crate::daemon::FaultKind;
use crate::daemon::MountOptions;
use crate::daemon::Passphrase;
use crate::daemon::PodPaths;
use crate::daemon::Settings;
use crate::daemon::enrol;
use crate::daemon::enrol::TokenWish;
use crate::daemon::paths;

/// The token that opens a pod. Without any of these a pod that only a token opens asks for the PIN of its token.
#[derive(Args, Clone, Debug, Default)]
pub(super) struct TokenArgs {
    /// Open the pod with its token instead of the passphrase; of several there, with the one of this label
    #[arg(
        long,
        value_name = "LABEL",
        num_args = 0..=1,
        require_equals = true,
        default_missing_value = "",
        group = "passphrase"
    )]
    token: Option<String>,
    #[command(flatten)]
    module: ModuleArgs,
}

/// How a token is spoken to.
#[derive(Args, Clone, Debug, Default)]
pub(super) struct ModuleArgs {
    /// PKCS #11 module of the token: a library of its maker
    #[arg(long, visible_alias = "pkcs11-module", value_name = "PATH", value_hint = ValueHint::FilePath)]
    module: Option<PathBuf>,
    /// Read the PIN of the token from the first line of FILE (- for standard input)
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pin_file: Option<PathBuf>,
}

/// What opens a pod, before it is asked for.
pub(super) struct Opening {
    /// With the token, when not with a passphrase.
    pub(super) token: Option<TokenWish>,
    passphrase: PassphraseArgs,
    pin_file: Option<PathBuf>,
}

impl Opening {
    /// What was typed (an empty label is any), then what the options say, then the settings; a pod that only a token opens needs no flag.
    pub(super) fn find(
        paths: &PodPaths,
        passphrase: &PassphraseArgs,
        token: &TokenArgs,
        options: &MountOptions,
        settings: &Settings,
    ) -> Result<Self, Fault> {
        let mut passphrase = passphrase.clone();
        let mut label = token.token.clone();
        if label.is_none() && !passphrase.is_given() {
            passphrase
                .passphrase_file
                .clone_from(&options.passphrase_file);
            label.clone_from(&options.token);
        }
        if label.is_none() && !passphrase.is_given() {
            let ways = enrol::report(paths)?;
            label = (!ways.passphrase && !ways.tokens.is_empty()).then(String::new);
        }
        if label.is_none() && !passphrase.is_given() {
            passphrase.extpass = settings.extpass(&paths.name).to_vec();
        }
        let wish = |label: String| {
            let label = Some(label).filter(|label| !label.is_empty());
            let typed = token.module.module.as_ref().or(options.module.as_ref());
            wish_of(typed.map(PathBuf::as_path), label, paths, settings)
        };
        let pin_file = token.module.pin_file.as_ref();
        Ok(Self {
            token: label.map(wish).transpose()?,
            passphrase,
            pin_file: pin_file.or(options.pin_file.as_ref()).cloned(),
        })
    }

    /// The passphrase, or the PIN of the token.
    pub(super) fn secret(&self, paths: &PodPaths) -> Result<Passphrase, Fault> {
        if let Some(wish) = &self.token {
            return pin(self.pin_file.as_deref(), wish.label.as_deref(), paths);
        }
        let question = format!("Passphrase of the pod {:?}", paths.name);
        self.passphrase.read(&question)
    }
}

impl ModuleArgs {
    /// The token that is meant, whatever the mount options say.
    pub(super) fn wish(&self, label: Option<String>, paths: &PodPaths) -> Result<TokenWish, Fault> {
        wish_of(self.module.as_deref(), label, paths, &settings()?)
    }

    /// Its PIN.
    pub(super) fn pin(&self, wish: &TokenWish, paths: &PodPaths) -> Result<Passphrase, Fault> {
        pin(self.pin_file.as_deref(), wish.label.as_deref(), paths)
    }
}

fn wish_of(
    typed: Option<&Path>,
    label: Option<String>,
    paths: &PodPaths,
    settings: &Settings,
) -> Result<TokenWish, Fault> {
    let Some(module) = typed.or(settings.module(&paths.name)) else {
        let what =
            "a token is spoken to through the PKCS #11 module of its maker, and none is named";
        return Err(Fault::new(FaultKind::Usage, what)
            .next("give --module PATH, or write it into config.toml: module = \"PATH\""));
    };
    TokenWish::new(paths, module, label)
}

/// The settings; without a home there are none.
pub(super) fn settings() -> Result<Settings, Fault> {
    match paths::settings_file() {
        Ok(file) => Settings::read(&file),
        Err(_) => Ok(Settings::default()),
    }
}

fn pin(file: Option<&Path>, label: Option<&str>, paths: &PodPaths) -> Result<Passphrase, Fault> {
    if let Some(file) = file {
        return Passphrase::pin_from_file(file);
    }
    let of = label.map_or_else(
        || format!("the token of the pod {:?}", paths.name),
        |label| format!("the token {label:?}"),
    );
    let typed = ask::secret_line(&format!("PIN of {of}"), "give --pin-file FILE")?;
    Passphrase::from_bytes(Zeroizing::new(typed.as_bytes().to_vec())).pin_not_empty()
}
