//! What three people do with each other: ask, approve, deny, share, add, change, revoke.

use std::fs;
use std::path::PathBuf;

use crate::people::shared::{accept, confirmed, until};
use crate::people::*;
use crate::support::mount::Mount;

/// What they call each other.
pub(super) const NAMES: [&str; 3] = ["Anna", "Ben", "Cleo"];

/// Something that was given: by whom, to whom, under which id.
pub(super) type Given = (usize, usize, [u8; 16]);

/// What `owner` shares, as `other` sees it.
fn seen(mounts: &[Mount<'_>], owner: usize, other: usize) -> PathBuf {
    let folder = format!("Shared with me/{}/of {owner}", NAMES[owner]);
    mounts[other].dir().join(folder)
}

/// Waits until a pod is asked something for this purpose; gives the id of the request.
pub(super) fn asked(pod: &Pod, purpose: &str) -> String {
    let mut id = None;
    until(pod, "the request does not come", || {
        let requests = json(pod, &["requests", "--json"]);
        let requests = requests.as_array().unwrap();
        let found = requests.iter().find(|it| it["purpose"] == purpose);
        id = found.map(|it| text(it, "id").to_owned());
        id.is_some()
    });
    id.unwrap()
}

/// Everything that three people do with each other; gives what was given.
pub(super) fn exchange(pods: &[Pod; 3], mounts: &[Mount<'_>]) -> Vec<Given> {
    let mut given = Vec::new();
    for (at, mount) in mounts.iter().enumerate() {
        let folder = mount.dir().join(format!("of {at}"));
        fs::create_dir(&folder).unwrap();
        fs::write(folder.join("first"), format!("first of {at}")).unwrap();
    }
    let wishes = [(0, 1), (0, 2), (1, 2), (2, 0)];
    for (owner, other) in wishes {
        let (path, purpose) = (format!("of {owner}"), format!("{other} and {owner}"));
        let ask = ["request", NAMES[owner], &path, "--for", &purpose];
        let rights = ["--rights", "append"];
        says(&pods[other], &[ask.as_slice(), &rights].concat());
    }
    let approve = |(owner, other): (usize, usize)| {
        let id = asked(&pods[owner], &format!("{other} and {owner}"));
        json(&pods[owner], &["approve", &id, "--json"])
    };
    let grants = wishes.map(approve);
    for (at, (owner, other)) in wishes.into_iter().enumerate() {
        let id = hex::decode(text(&grants[at], "id")).unwrap();
        given.push((owner, other, id.try_into().unwrap()));
    }
    pods.iter().for_each(confirmed);
    for ((owner, other), grant) in wishes.into_iter().zip(&grants) {
        accept(&pods[other], grant);
        let seen = seen(mounts, owner, other);
        until(&pods[other], "nothing is shown", || {
            fs::read_to_string(seen.join("first")).is_ok()
        });
        let added = seen.join(format!("added by {other}"));
        until(&pods[other], "nothing can be added", || {
            fs::write(&added, "added").is_ok()
        });
    }
    for (at, mount) in mounts.iter().enumerate() {
        fs::write(mount.dir().join(format!("of {at}/second")), "second").unwrap();
    }
    pods.iter().for_each(confirmed);
    for (owner, other) in wishes {
        let seen = seen(mounts, owner, other);
        until(&pods[other], "no change is shown", || {
            seen.join("second").exists()
        });
        let added = mounts[owner]
            .dir()
            .join(format!("of {owner}/added by {other}"));
        until(&pods[owner], "nothing is added", || added.exists());
    }
    let ask = ["request", "Anna", "diary", "--for", "curiosity"];
    says(&pods[1], &ask);
    says(&pods[0], &["deny", &asked(&pods[0], "curiosity")]);
    says(&pods[1], &["revoke", text(&grants[2], "id")]);
    pods.iter().for_each(confirmed);
    given
}
