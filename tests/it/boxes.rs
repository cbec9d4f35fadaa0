//! Boxes through mounts: the border, a mount for one app, crashes, and what comes back from the network.

use std::fs;
use std::fs::File;
use std::io::{Read, Write};
use std::os::unix::fs::{FileExt, MetadataExt};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use rustix::fs::RenameFlags;
use serde_json::Value;

use crate::carried::{REQUIREMENTS, carried, confirmed, mounted, recovered};
use crate::network::{fails, json, podfs, says};
use crate::support::pod::{Pod, mountpoints};
use crate::support::random::Random;
use crate::support::{applicable, run, wait_until};

/// How long a change takes to be seen through another mount.
const SOON: Duration = Duration::from_secs(10);

fn text(path: &Path) -> &str {
    path.to_str().unwrap()
}

/// Makes a box of a folder, which is made.
#[track_caller]
fn boxed(pod: &Pod, path: &Path, flags: &[&str]) -> Value {
    let made = [&["box", "create", text(path), "--json"], flags].concat();
    json(pod, &made)
}

fn errno<T: std::fmt::Debug>(result: std::io::Result<T>) -> i32 {
    result.unwrap_err().raw_os_error().unwrap()
}

/// Mounts a box on a folder that is made.
#[track_caller]
fn mount_box(pod: &Pod, path: &Path, folder: &str) -> PathBuf {
    let app = pod.path(folder);
    fs::create_dir_all(&app).unwrap();
    says(pod, &["mount", "--box", text(path), text(&app)]);
    app
}

/// Two boxes and an ordinary folder, in each of which is a file and a folder.
fn nothing_crosses([a, b, plain]: [&Path; 3]) {
    for (from, to) in [(a, b), (a, plain), (plain, b)] {
        for name in ["file", "folder"] {
            let moved = fs::rename(from.join(name), to.join("new"));
            assert_eq!(errno(moved), libc::EXDEV);
            let (one, other) = (from.join(name), to.join(name));
            let here = rustix::fs::CWD;
            let exchanged =
                rustix::fs::renameat_with(here, &one, here, &other, RenameFlags::EXCHANGE);
            assert_eq!(exchanged, Err(rustix::io::Errno::XDEV));
        }
        let linked = fs::hard_link(from.join("file"), to.join("link"));
        assert_eq!(errno(linked), libc::EXDEV);
    }
}

#[test]
fn only_copies_go_over_the_border_of_a_box() {
    if !applicable(
        "only_copies_go_over_the_border_of_a_box",
        &["root", "/dev/fuse"],
    ) {
        return;
    }
    let pod = Pod::new();
    let mount = pod.mount();
    let (a, b, plain) = (mount.path("a"), mount.path("b"), mount.path("plain"));
    assert_eq!(boxed(&pod, &a, &[])["number"], 1);
    fs::create_dir(&b).unwrap();
    fs::write(b.join("old"), "old").unwrap();
    let preview = boxed(&pod, &b, &["--dry-run"]);
    assert_eq!(
        (&preview["names"], &preview["bytes"]),
        (&1.into(), &3.into())
    );
    assert_eq!(boxed(&pod, &b, &["--dedup", "box"])["number"], 2);
    fs::create_dir(&plain).unwrap();
    for dir in [&a, &b, &plain] {
        fs::write(dir.join("file"), format!("in {}", dir.display())).unwrap();
        fs::create_dir(dir.join("folder")).unwrap();
    }
    nothing_crosses([&a, &b, &plain]);
    // Programs copy then, also those that would share what is on the disk.
    run(Command::new("mv").arg(a.join("file")).arg(b.join("moved")));
    assert_eq!(
        fs::read_to_string(b.join("moved")).unwrap(),
        format!("in {}", a.display())
    );
    assert!(!a.join("file").exists());
    let copy = ["--reflink=auto", "-r"];
    run(Command::new("cp")
        .args(copy)
        .arg(&plain)
        .arg(a.join("copy")));
    assert!(a.join("copy/file").exists());
    // Inside, and of a box as a whole, all goes.
    fs::hard_link(b.join("moved"), b.join("folder/link")).unwrap();
    fs::rename(b.join("moved"), b.join("folder/moved")).unwrap();
    fs::rename(&b, plain.join("b")).unwrap();
    let b = plain.join("b");
    fs::rename(b.join("old"), b.join("folder/old")).unwrap();
    assert_eq!(
        errno(fs::rename(b.join("file"), plain.join("f"))),
        libc::EXDEV
    );
    let listed = json(&pod, &["box", "list", "--json"]);
    let paths = [0, 1].map(|at| listed[at]["path"].as_str().unwrap().to_owned());
    assert_eq!(paths, ["a", "plain/b"]);
    assert_eq!(listed[1]["dedup"], "box");
    // What cannot be a box, or is none.
    fs::write(plain.join("linked"), "1").unwrap();
    fs::create_dir(mount.path("c")).unwrap();
    fs::hard_link(plain.join("linked"), mount.path("c/link")).unwrap();
    for path in [mount.dir(), &plain, &b.join("folder"), &b, &mount.path("c")] {
        fails(&pod, 2, &["box", "create", text(path)]);
    }
    fails(&pod, 70, &["box", "remove", text(&plain)]);
    // A box is not removed as a folder is.
    fs::remove_dir_all(a.join("copy")).unwrap();
    fs::remove_dir(a.join("folder")).unwrap();
    assert_eq!(errno(fs::remove_dir(&a)), libc::EBUSY);
    let removed = json(&pod, &["box", "remove", text(&a), "--json"]);
    assert_eq!(removed["number"], 1);
    fs::remove_dir(&a).unwrap();
    says(&pod, &["box", "remove", text(&b)]);
    fs::rename(b.join("file"), plain.join("f")).unwrap();
    assert_eq!(
        json(&pod, &["box", "list", "--json"]),
        Value::Array(Vec::new())
    );
    mount.unmount();
}

#[test]
fn an_app_sees_its_box_and_nothing_else() {
    if !applicable(
        "an_app_sees_its_box_and_nothing_else",
        &["root", "/dev/fuse"],
    ) {
        return;
    }
    let pod = Pod::new();
    let mount = pod.mount();
    // Programs that are cut off are told of in the log.
    mount.expect_warnings();
    let inside = mount.path("apps/notes");
    fs::create_dir(mount.path("apps")).unwrap();
    fs::write(mount.path("secret"), "not for the app").unwrap();
    boxed(&pod, &inside, &[]);
    fs::create_dir(inside.join("old")).unwrap();
    fs::write(inside.join("old/note"), "from before").unwrap();
    let app = mount_box(&pod, &inside, "app");
    assert_eq!(
        fs::read_to_string(app.join("old/note")).unwrap(),
        "from before"
    );
    let names: Vec<_> = fs::read_dir(&app)
        .unwrap()
        .map(|it| it.unwrap().file_name())
        .collect();
    assert_eq!(names, ["old"]);
    // It is the same file system, from the folder of the box on; what is above is what the app's mount lies in.
    let (one, other) = (fs::metadata(&inside).unwrap(), fs::metadata(&app).unwrap());
    assert_eq!((one.ino(), one.mtime()), (other.ino(), other.mtime()));
    let above = fs::metadata(app.join("..")).unwrap();
    assert_eq!(above.ino(), fs::metadata(pod.path(".")).unwrap().ino());
    let opened = File::open(&app).unwrap();
    let found = rustix::fs::Dir::read_from(&opened).unwrap();
    let numbers: Vec<_> = found
        .map(|it| it.unwrap())
        .map(|it| (it.file_name().to_owned(), it.ino()))
        .collect();
    let known = [&inside, &inside.join("old")].map(|it| fs::metadata(it).unwrap().ino());
    assert!(
        numbers.iter().all(|(_, ino)| known.contains(ino)),
        "{numbers:?}"
    );
    drop(opened);
    for name in ["secret", "apps", ".pod", "Shared with me"] {
        assert_eq!(errno(fs::metadata(app.join(name))), libc::ENOENT);
    }
    seen_from_both_sides(&inside, &app);
    commands_know_where_it_is(&pod, &inside, &app);
    // As long as it is mounted it stays a box, and has one mount.
    let listed = json(&pod, &["box", "list", "--json"]);
    assert_eq!(listed[0]["mountpoint"], text(&app));
    fails(&pod, 41, &["box", "remove", text(&inside)]);
    let second = pod.path("second");
    fs::create_dir(&second).unwrap();
    fails(&pod, 41, &["mount", "--box", text(&inside), text(&second)]);
    fails(
        &pod,
        70,
        &["mount", "--box", text(&mount.path("apps")), text(&second)],
    );
    fs::create_dir(mount.path("in the pod")).unwrap();
    let in_the_pod = mount.path("in the pod");
    fails(
        &pod,
        10,
        &["mount", "--box", text(&inside), text(&in_the_pod)],
    );
    ends_politely_and_otherwise(&pod, &inside, &app);
    says(&pod, &["box", "remove", text(&inside)]);
    assert!(fs::read_dir(&app).unwrap().next().is_none());
    // What has keys of its own stands in the audit log, and what has none any more.
    assert_eq!(recorded(&pod), ["box-created", "box-removed"]);
    mount.unmount();
}

/// Kinds of what is recorded of the box of the app.
fn recorded(pod: &Pod) -> Vec<String> {
    let lines = says(pod, &["audit", "--json"]);
    let lines = lines
        .lines()
        .map(|line| serde_json::from_str::<Value>(line).unwrap());
    let ours = lines.filter(|line| line["object"] == "apps/notes");
    ours.map(|line| line["kind"].as_str().unwrap().to_owned())
        .collect()
}

/// What is asked about something in the mount of the box is asked about that, not about what is called so above.
fn commands_know_where_it_is(pod: &Pod, inside: &Path, app: &Path) {
    let file = app.join("only here");
    fs::write(&file, "1").unwrap();
    let (top, file) = (text(app), text(&file));
    says(pod, &["pin", file]);
    says(pod, &["pin", "--off", file]);
    let none = serde_json::json!({ "can": [], "could": [] });
    assert_eq!(json(pod, &["access", file, "--json"]), none);
    let said = fails(pod, 55, &["share", file, "--with", "Nobody"]);
    assert!(said.contains("Nobody"), "{said}");
    // The box itself, and not the pod.
    fails(pod, 41, &["box", "remove", top]);
    fails(pod, 50, &["wait", file]);
    fs::remove_file(inside.join("only here")).unwrap();
}

/// What changes through one mount is seen through the other.
fn seen_from_both_sides(inside: &Path, app: &Path) {
    for (from, to) in [(app, inside), (inside, app)] {
        // The other side knows names, absences, attributes and pages.
        fs::write(to.join("known"), "first").unwrap();
        assert!(wait_until(SOON, || from.join("known").exists()));
        let mut reader = File::open(to.join("known")).unwrap();
        let mut found = String::new();
        reader.read_to_string(&mut found).unwrap();
        assert_eq!(found, "first");
        assert!(!to.join("new").exists());
        fs::write(from.join("known"), "other").unwrap();
        fs::write(from.join("new"), "new").unwrap();
        fs::create_dir(from.join("dir")).unwrap();
        fs::rename(from.join("new"), from.join("dir/moved")).unwrap();
        let mut bytes = [0; 5];
        let is_seen = || {
            let listed = fs::read_dir(to).unwrap().count() == 3;
            reader.read_exact_at(&mut bytes, 0).unwrap();
            listed && bytes == *b"other" && to.join("dir/moved").exists()
        };
        assert!(
            wait_until(SOON, is_seen),
            "{} {}",
            from.display(),
            to.display()
        );
        // The time of change is that of the other side at once or soon, and removing as well.
        fs::remove_file(from.join("known")).unwrap();
        fs::remove_dir_all(from.join("dir")).unwrap();
        let is_gone = || fs::read_dir(to).unwrap().count() == 1 && !to.join("known").exists();
        assert!(wait_until(SOON, is_gone));
    }
}

fn ends_politely_and_otherwise(pod: &Pod, inside: &Path, app: &Path) {
    let mut held = File::create(app.join("held")).unwrap();
    held.write_all(b"held").unwrap();
    let busy = fails(pod, 41, &["unmount", text(app)]);
    assert!(busy.contains("busy"), "{busy}");
    // The pod as a whole waits for it, too.
    fails(pod, 41, &["unmount"]);
    assert_eq!(fs::read_to_string(inside.join("held")).unwrap(), "held");
    // What only the app had open is gone with its mount.
    fs::remove_file(app.join("held")).unwrap();
    says(pod, &["unmount", "--lazy", text(app)]);
    assert!(!mountpoints().any(|point| point == app));
    drop(held);
    let again = mount_box_again(pod, inside, app);
    assert!(again, "the mount of the box can be made again");
    fs::write(app.join("again"), "1").unwrap();
    says(pod, &["unmount", text(app)]);
    assert!(!mountpoints().any(|point| point == app));
    assert_eq!(fs::read_to_string(inside.join("again")).unwrap(), "1");
}

/// Programs that were cut off may hold the mount for a moment.
fn mount_box_again(pod: &Pod, inside: &Path, app: &Path) -> bool {
    let args = ["mount", "--box", text(inside), text(app)];
    wait_until(SOON, || podfs(pod, &args).status.success())
}

#[test]
fn a_crash_leaves_boxes_as_they_were() {
    if !applicable("a_crash_leaves_boxes_as_they_were", &["root", "/dev/fuse"]) {
        return;
    }
    let pod = Pod::new();
    let mount = pod.mount();
    let inside = mount.path("box");
    boxed(&pod, &inside, &["--dedup", "box"]);
    let app = mount_box(&pod, &inside, "app");
    fs::write(app.join("answered"), "before the crash").unwrap();
    let before = json(&pod, &["box", "list", "--json"]);
    assert_eq!(before[0]["mountpoint"], text(&app));
    mount.kill();
    let mount = pod.mount();
    let after = json(&pod, &["box", "list", "--json"]);
    assert_eq!(
        (&after[0]["number"], &after[0]["dedup"]),
        (&1.into(), &"box".into())
    );
    assert_eq!(after[0]["mountpoint"], Value::Null);
    fs::write(mount.path("f"), "1").unwrap();
    assert_eq!(
        errno(fs::rename(mount.path("f"), inside.join("f"))),
        libc::EXDEV
    );
    // The dead mount of the app gives way to a new one, and that ends with the pod.
    says(&pod, &["mount", "--box", text(&inside), text(&app)]);
    assert_eq!(
        fs::read_to_string(app.join("answered")).unwrap(),
        "before the crash"
    );
    says(&pod, &["unmount"]);
    mount.ended_by_itself();
    assert!(!mountpoints().any(|point| point == app));
    says(
        &pod,
        &[
            "check",
            "--rebuild",
            "--passphrase-file",
            text(&pod.path("passphrase")),
        ],
    );
    let mount = pod.mount();
    assert_eq!(json(&pod, &["box", "list", "--json"]), after);
    mount.unmount();
}

#[test]
fn boxes_come_back_with_their_numbers() {
    if !applicable("boxes_come_back_with_their_numbers", REQUIREMENTS) {
        return;
    }
    let mut random = Random::new("boxes that come back");
    let (pod, node) = carried();
    let mount = mounted(&pod, &[]);
    let bytes = random.bytes(200_000);
    fs::create_dir_all(mount.path("c")).unwrap();
    fs::write(mount.path("c/old"), &bytes).unwrap();
    confirmed(&pod);
    for (name, flags) in [("a", &["--dedup", "box"][..]), ("b", &[]), ("c", &[])] {
        boxed(&pod, &mount.path(name), flags);
        fs::write(mount.path(name).join("one"), &bytes).unwrap();
        fs::write(mount.path(name).join("two"), &bytes).unwrap();
    }
    says(&pod, &["box", "remove", text(&mount.path("b"))]);
    let listed = json(&pod, &["box", "list", "--json"]);
    confirmed(&pod);
    mount.unmount();
    let pod = recovered(pod, &node);
    let mount = mounted(&pod, &[]);
    assert_eq!(json(&pod, &["box", "list", "--json"]), listed);
    assert_eq!(listed[1]["number"], 3);
    for path in [
        "a/one", "a/two", "b/one", "b/two", "c/one", "c/two", "c/old",
    ] {
        assert!(fs::read(mount.path(path)).unwrap() == bytes, "{path}");
    }
    assert_eq!(
        errno(fs::rename(mount.path("a/one"), mount.path("one"))),
        libc::EXDEV
    );
    assert_eq!(boxed(&pod, &mount.path("d"), &[])["number"], 4);
    mount.unmount();
}
