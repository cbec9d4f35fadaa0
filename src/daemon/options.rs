//! Mount options, as `-o`, fstab and gocryptfs users write them.

use std::path::PathBuf;
use std::time::Duration;

use rustix::mount::MountFlags;
use serde::Deserialize;
use serde::Serialize;

use crate::daemon::fault::Fault;
use crate::daemon::fault::FaultKind;
use crate::daemon::units::parse_duration;
use crate::daemon::units::parse_size;

/// Said by others to mount(8), systemd or libfuse: nothing is to be done about them here.
const HARMLESS: &[&str] = &[
    "_netdev",
    "ac_attr_timeout",
    "acl",
    "async",
    "async_read",
    "atime",
    "attr_timeout",
    "auto",
    "auto_cache",
    "auto_unmount",
    "big_writes",
    "clone_fd",
    "comment",
    "congestion_threshold",
    "context",
    "default_permissions",
    "defaults",
    "defcontext",
    "diratime",
    "entry_timeout",
    "fscontext",
    "group",
    "hard_remove",
    "intr",
    "iversion",
    "kernel_cache",
    "large_read",
    "lazytime",
    "loud",
    "mand",
    "max_background",
    "max_read",
    "max_readahead",
    "max_write",
    "negative_timeout",
    "noacl",
    "noauto",
    "noauto_cache",
    "nofail",
    "noiversion",
    "nolazytime",
    "nomand",
    "norelatime",
    "nostrictatime",
    "nouser",
    "nosymfollow",
    "owner",
    "readdir_ino",
    "relatime",
    "rootcontext",
    "silent",
    "splice_move",
    "splice_read",
    "splice_write",
    "strictatime",
    "subtype",
    "sync_read",
    "umask",
    "use_ino",
    "user",
    "user_xattr",
    "users",
];

/// Whether the audit log says which programs open files.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum Access {
    /// It does not.
    #[default]
    Unrecorded,
    /// It does.
    Recorded,
}

/// What the options ask for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MountOptions {
    /// Flags for the kernel; nosuid and nodev unless asked otherwise.
    pub flags: MountFlags,
    /// Other users may enter, as far as modes allow.
    pub allow_other: bool,
    /// Programs may share by setting `user.pod.share.NAME`.
    pub share_xattr: bool,
    /// Whether it is recorded which programs open files.
    pub access: Access,
    /// Who is to own the top folder; as it is when absent.
    pub uid: Option<u32>,
    /// Their group.
    pub gid: Option<u32>,
    /// Source shown by `df`.
    pub source: Option<String>,
    /// Most bytes the state may take.
    pub budget: Option<u64>,
    /// Unmount after so long without a request.
    pub idle: Option<Duration>,
    /// File with the passphrase, for fstab.
    pub passphrase_file: Option<PathBuf>,
    /// Open with the token of this label, or of any when it is empty.
    pub token: Option<String>,
    /// PKCS #11 module of the token.
    pub module: Option<PathBuf>,
    /// File with its PIN, for fstab.
    pub pin_file: Option<PathBuf>,
    /// What was accepted and does nothing, for `-d`.
    pub ignored: Vec<String>,
}

impl Default for MountOptions {
    fn default() -> Self {
        Self {
            flags: MountFlags::NOSUID | MountFlags::NODEV,
            allow_other: false,
            share_xattr: false,
            access: Access::Unrecorded,
            uid: None,
            gid: None,
            source: None,
            budget: None,
            idle: None,
            passphrase_file: None,
            token: None,
            module: None,
            pin_file: None,
            ignored: Vec::new(),
        }
    }
}

impl MountOptions {
    /// Reads lists of options separated by commas; later ones win.
    pub fn parse<'a>(lists: impl IntoIterator<Item = &'a str>) -> Result<Self, Fault> {
        let mut options = Self::default();
        for list in lists {
            for option in list
                .split(',')
                .map(str::trim)
                .filter(|option| !option.is_empty())
            {
                options.take(option)?;
            }
        }
        Ok(options)
    }

    /// Whether nothing may be changed.
    pub fn read_only(&self) -> bool {
        self.flags.contains(MountFlags::RDONLY)
    }

    fn take(&mut self, option: &str) -> Result<(), Fault> {
        let (name, value) = match option.split_once('=') {
            Some((name, value)) => (name, Some(value)),
            None => (option, None),
        };
        if self.take_flag(option) {
            return Ok(());
        }
        match name {
            "uid" => self.uid = Some(number(name, value)?),
            "gid" => self.gid = Some(number(name, value)?),
            "fsname" => self.source = Some(needed(name, value)?.to_owned()),
            "budget" => self.budget = Some(parse_size(needed(name, value)?).map_err(usage)?),
            "idle" => self.idle = Some(parse_duration(needed(name, value)?).map_err(usage)?),
            "passphrase_file" | "passfile" => {
                self.passphrase_file = Some(needed(name, value)?.into());
            }
            "token" => self.token = Some(value.unwrap_or_default().to_owned()),
            "module" => self.module = Some(needed(name, value)?.into()),
            "pin_file" => self.pin_file = Some(needed(name, value)?.into()),
            "allow_root" => {
                return Err(usage("the option allow_root is not supported".into()).next(
                    "use allow_other: the modes inside the pod still decide who may read what",
                ));
            }
            "nonempty" => {
                return Err(usage(
                    "the option nonempty is not supported: files below would be hidden".into(),
                )
                .next("mount into an empty folder"));
            }
            _ if HARMLESS.contains(&name) || name.starts_with("x-") || name.starts_with("X-") => {
                self.ignored.push(name.to_owned());
            }
            _ => {
                return Err(usage(format!("{name:?} is not a mount option podfs knows"))
                    .next("podfs mount --help lists them"));
            }
        }
        Ok(())
    }

    /// `true` when `option` was one of the kernel's or our switches.
    fn take_flag(&mut self, option: &str) -> bool {
        let (flag, on) = match option {
            "ro" => (MountFlags::RDONLY, true),
            "rw" => (MountFlags::RDONLY, false),
            "nosuid" => (MountFlags::NOSUID, true),
            "suid" => (MountFlags::NOSUID, false),
            "nodev" => (MountFlags::NODEV, true),
            "dev" => (MountFlags::NODEV, false),
            "noexec" => (MountFlags::NOEXEC, true),
            "exec" => (MountFlags::NOEXEC, false),
            "noatime" => (MountFlags::NOATIME, true),
            "nodiratime" => (MountFlags::NODIRATIME, true),
            "sync" => (MountFlags::SYNCHRONOUS, true),
            "dirsync" => (MountFlags::DIRSYNC, true),
            "allow_other" => {
                self.allow_other = true;
                return true;
            }
            "share_xattr" => {
                self.share_xattr = true;
                return true;
            }
            "audit_access" => {
                self.access = Access::Recorded;
                return true;
            }
            _ => return false,
        };
        self.flags.set(flag, on);
        true
    }
}

fn usage(what: String) -> Fault {
    Fault::new(FaultKind::Usage, what)
}

fn needed<'a>(name: &str, value: Option<&'a str>) -> Result<&'a str, Fault> {
    value
        .filter(|value| !value.is_empty())
        .ok_or_else(|| usage(format!("the option {name} needs a value: {name}=…")))
}

fn number(name: &str, value: Option<&str>) -> Result<u32, Fault> {
    let value = needed(name, value)?;
    value
        .parse()
        .map_err(|_| usage(format!("the option {name} takes a number, not {value:?}")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_fstab_and_gocryptfs_users_write() {
        let lists = [
            "rw,nofail,_netdev,user,noauto,x-systemd.automount,x-gvfs-show,default_permissions,auto_unmount",
            "allow_other,share_xattr,audit_access,uid=1000,gid=1001,umask=077,fsname=a,subtype=b,passfile=/etc/p,token=t,module=/m,pin_file=/q,budget=2G,idle=30m,noexec",
        ];
        let options = MountOptions::parse(lists).unwrap();
        assert!(options.allow_other && options.share_xattr && !options.read_only());
        assert_eq!(options.access, Access::Recorded);
        assert_eq!(MountOptions::default().access, Access::Unrecorded);
        assert_eq!((options.uid, options.gid), (Some(1000), Some(1001)));
        assert_eq!(options.budget, Some(2 << 30));
        assert_eq!(options.idle, Some(Duration::from_secs(1800)));
        assert_eq!(options.passphrase_file, Some(PathBuf::from("/etc/p")));
        assert_eq!(options.token, Some("t".to_owned()));
        assert_eq!(options.module, Some(PathBuf::from("/m")));
        assert_eq!(options.pin_file, Some(PathBuf::from("/q")));
        assert_eq!(
            options.flags,
            MountFlags::NOSUID | MountFlags::NODEV | MountFlags::NOEXEC
        );
    }

    #[test]
    fn the_last_one_wins() {
        assert!(!MountOptions::parse(["ro,rw"]).unwrap().read_only());
        assert!(MountOptions::parse(["rw", "ro"]).unwrap().read_only());
        assert!(
            !MountOptions::parse(["suid"])
                .unwrap()
                .flags
                .contains(MountFlags::NOSUID)
        );
    }

    #[test]
    fn what_means_nothing_is_refused() {
        for list in [
            "bogus",
            "allow_othr",
            "uid",
            "uid=x",
            "uid=-1",
            "budget=",
            "idle=soon",
            "allow_root",
            "nonempty",
        ] {
            let fault = MountOptions::parse([list]).unwrap_err();
            assert_eq!(fault.kind, FaultKind::Usage, "{list}");
        }
    }

    #[test]
    fn the_list_of_harmless_ones_is_sorted_and_owned_by_nobody_else() {
        for name in HARMLESS {
            let options = MountOptions::parse([*name]).unwrap();
            assert_eq!(options.ignored, [*name]);
        }
    }
}
