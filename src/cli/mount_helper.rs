//! Called by mount(8): `mount.podfs SOURCE DIR [-sfnv] [-N namespace] [-t type] [-o options]`, and by mount.fuse3:
//! `podfs SOURCE DIR -o options`.

use std::ffi::OsString;
use std::path::Path;
use std::path::PathBuf;

use crate::cli::ask::PassphraseArgs;
use crate::cli::exit::Exit;
use crate::cli::mount;
use crate::cli::mount::Order;
use crate::cli::opening::TokenArgs;
use crate::daemon::Fault;
use crate::daemon::FaultKind;
use crate::daemon::PodPaths;

/// What mount(8) said.
#[derive(Debug, Default, PartialEq, Eq)]
struct Call {
    places: Vec<OsString>,
    options: Vec<String>,
    /// `-f`: everything but the mount itself.
    fake: bool,
}

/// Whether the program was called as a helper, by its own name or in the form of mount.fuse3.
pub(super) fn is_meant(arguments: &[OsString]) -> bool {
    if is_helper(arguments) {
        return true;
    }
    match arguments {
        [_, source, dir, flag, _options] => {
            let source = source.to_string_lossy();
            let place = Path::new(dir).is_absolute() && !source.starts_with('-');
            place && flag == "-o" && source != "mount"
        }
        _ => false,
    }
}

fn is_helper(arguments: &[OsString]) -> bool {
    let program = arguments.first().map(Path::new).and_then(Path::file_name);
    program.is_some_and(|name| name == "mount.podfs" || name == "mount.fuse.podfs")
}

/// Mounts as fstab says. `arguments` begin with the program.
pub(super) fn run(arguments: &[OsString]) -> Result<Exit, Fault> {
    let call = parse(arguments.get(1..).unwrap_or_default())?;
    let [source, dir] = call.places.as_slice() else {
        return Err(usage("a source and a folder are needed"));
    };
    let source = source
        .to_str()
        .ok_or_else(|| usage("the source is not UTF-8"))?;
    let name = source.strip_prefix("podfs:").unwrap_or(source);
    let own_name = is_helper(arguments);
    // The table of mounts shows what fstab says, or mount -a would mount it again.
    let mut wishes = vec![format!("fsname={source}")];
    wishes.extend(call.options);
    if !own_name {
        // mount.fuse3 says dev,suid for root whether or not fstab does.
        wishes.push("nodev,nosuid".to_owned());
    }
    let order = Order {
        paths: PodPaths::of(name)?,
        dir: PathBuf::from(dir),
        wishes,
        passphrase: PassphraseArgs::default(),
        token: TokenArgs::default(),
        debug: false,
    };
    let (config, passphrase) = order.prepare()?;
    if !call.fake {
        mount::start(&config, &passphrase)?;
    }
    Ok(Exit::Done)
}

fn parse(arguments: &[OsString]) -> Result<Call, Fault> {
    let mut call = Call::default();
    let mut rest = arguments.iter();
    while let Some(argument) = rest.next() {
        let text = argument.to_string_lossy();
        let mut value = || {
            let value = rest.next().and_then(|value| value.to_str());
            value.ok_or_else(|| usage(&format!("{text} needs a value")))
        };
        match text.as_ref() {
            "-o" => call.options.push(value()?.to_owned()),
            "-t" | "-N" => {
                value()?;
            }
            flags if flags.len() > 1 && flags.starts_with('-') => {
                let unknown = flags.chars().skip(1).find(|flag| !"sfnvrw".contains(*flag));
                if let Some(unknown) = unknown {
                    return Err(usage(&format!("-{unknown} is not known")));
                }
                call.fake |= flags.contains('f');
                if flags.contains('r') {
                    call.options.push("ro".to_owned());
                }
            }
            _ => call.places.push(argument.clone()),
        }
    }
    Ok(call)
}

fn usage(what: &str) -> Fault {
    Fault::new(FaultKind::Usage, format!("mount.podfs: {what}"))
        .next("mount.podfs SOURCE DIR [-o OPTIONS]; see: podfs mount --help")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(line: &str) -> Vec<OsString> {
        line.split(' ').map(OsString::from).collect()
    }

    #[test]
    fn as_mount_8_calls_it() {
        let call = parse(&words("main /mnt -v -n -o rw,nofail -t fuse.podfs")).unwrap();
        assert_eq!(call.places, words("main /mnt"));
        assert_eq!(call.options, ["rw,nofail"]);
        assert!(!call.fake && parse(&words("main /mnt -fv")).unwrap().fake);
        assert!(parse(&words("main /mnt -x")).is_err());
        assert!(parse(&words("main /mnt -o")).is_err());
    }

    #[test]
    fn told_apart_from_a_command() {
        let helper = [
            "/sbin/mount.podfs main /mnt",
            "mount.fuse.podfs",
            "podfs main /mnt -o rw",
            "podfs /srv/x /mnt -o rw",
        ];
        for line in helper {
            assert!(is_meant(&words(line)), "{line}");
        }
        let command = [
            "podfs mount /mnt -o rw",
            "podfs",
            "podfs status --pod x",
            "podfs --version",
            "podfs mount /mnt",
        ];
        for line in command {
            assert!(!is_meant(&words(line)), "{line}");
        }
    }
}
