//! Bytes of the state change on the disk: an error, a rebuild, or no effect; never other bytes, never a silent loss.

use std::fs;
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::path::PathBuf;
use std::process::Output;
use std::sync::atomic::AtomicU64;
use std::sync::atomic::Ordering;

use crate::support::applicable;
use crate::support::both;
use crate::support::mount::Mount;
use crate::support::operation::Operation;
use crate::support::pod::Files;
use crate::support::pod::Pod;
use crate::support::pod::read_files;
use crate::support::pod::write_files;
use crate::support::random::Random;
use crate::support::rounds;
use crate::support::tree::Tree;
use crate::support::tree::look_at_damage;

/// A pod that lived through three sessions, and what it must hold.
struct Base {
    files: Files,
    operations: Vec<Operation>,
}

/// One session ends in a clean stop, so there is a checkpoint; two are killed, so there is something to replay.
fn build(pod: &Pod, random: &mut Random) -> Base {
    let mut tree = Tree::default();
    let mut operations = Vec::new();
    for session in 0..3 {
        let mount = pod.mount();
        let dir = mount.path("tree");
        fs::create_dir_all(&dir).unwrap();
        fs::File::open(mount.dir()).unwrap().sync_all().unwrap();
        for _ in 0..250 {
            let operation = Operation::choose(&tree, random);
            operation.perform(&dir).unwrap();
            operation.apply(&mut tree);
            operations.push(operation);
        }
        fs::File::open(&dir).unwrap().sync_all().unwrap();
        if session == 0 {
            mount.unmount();
        } else {
            mount.kill();
        }
    }
    let mut files = Files::new();
    read_files(&pod.state(), Path::new(""), &mut files);
    Base { files, operations }
}

/// Changes one file of the state; tells how.
fn hurt(state: &Path, files: &Files, random: &mut Random) -> String {
    let apart = |path: &PathBuf| path == Path::new("podfs.key") || path == Path::new("lock");
    let all: Vec<_> = files
        .iter()
        .filter(|(path, bytes)| !apart(path) && !bytes.is_empty())
        .collect();
    let log: Vec<_> = all
        .iter()
        .filter(|(path, _)| path.starts_with("log"))
        .copied()
        .collect();
    let (path, bytes) = if random.below(3) > 0 {
        log[random.index(log.len())]
    } else {
        all[random.index(all.len())]
    };
    let file = fs::File::options()
        .write(true)
        .open(state.join(path))
        .unwrap();
    let used: Vec<_> = bytes
        .iter()
        .enumerate()
        .step_by(8)
        .filter(|(_, byte)| **byte != 0)
        .map(|(at, _)| at)
        .collect();
    let at = if used.is_empty() {
        random.index(bytes.len())
    } else {
        used[random.index(used.len())]
    };
    let what = match random.below(10) {
        0..6 => {
            let flip = 1 << random.below(8);
            file.write_all_at(&[bytes[at] ^ flip], at as u64).unwrap();
            format!("bit {flip:#x} flipped at {at}")
        }
        6 => {
            let len = 1 + random.index(64);
            let noise = random.bytes(len);
            file.write_all_at(&noise, at as u64).unwrap();
            format!("{} bytes of noise at {at}", noise.len())
        }
        7 => {
            let page = at & !4095;
            file.write_all_at(&vec![0; 4096.min(bytes.len() - page)], page as u64)
                .unwrap();
            format!("page at {page} lost")
        }
        8 => {
            file.set_len(at as u64).unwrap();
            format!("cut at {at}")
        }
        _ => {
            let len = random.below(bytes.len() as u64);
            file.set_len(len).unwrap();
            format!("cut at {len}")
        }
    };
    format!("{} of {} bytes: {what}", path.display(), bytes.len())
}

/// How a round ended.
enum Outcome {
    Harmless,
    Refused,
    ReadOnly,
    Unreadable,
}

fn judge(
    base: &Base,
    pod: &Pod,
    attempt: Result<Mount<'_>, Output>,
    logged: u64,
) -> Result<Outcome, String> {
    let log = |pod: &Pod| pod.warnings(logged).join("\n");
    let outcome = match attempt {
        Err(output) => refusal(&output),
        Ok(mount) => {
            mount.expect_warnings();
            let read_only = pod.status()["state"] == "read-only";
            let outcome = held(base, &mount.path("tree"), read_only);
            mount.kill();
            outcome
        }
    };
    let log = log(pod);
    if log.contains("internal error") {
        return Err(format!("the daemon panicked: {log}"));
    }
    match &outcome {
        Ok(Outcome::Unreadable) if log.is_empty() => Err("EIO, and nothing in the log".to_owned()),
        _ => outcome,
    }
}

/// A refusal has an exit code of its own and says what to do.
fn refusal(output: &Output) -> Result<Outcome, String> {
    let said = both(output);
    let ordinary = output
        .status
        .code()
        .is_some_and(|code| code > 0 && code < 64);
    if ordinary && !said.contains("panicked") && said.lines().any(|line| line.len() > 20) {
        Ok(Outcome::Refused)
    } else {
        Err(format!("{}: {said}", output.status))
    }
}

/// Mounted as if nothing had happened, everything is there or `EIO`; read-only, what is shown is some earlier state.
fn held(base: &Base, dir: &Path, read_only: bool) -> Result<Outcome, String> {
    let (seen, unreadable) = match look_at_damage(dir) {
        // The folder itself may be younger than what is shown, or what is unreadable.
        Err(error) if read_only && error.kind() == std::io::ErrorKind::NotFound => {
            return Ok(Outcome::ReadOnly);
        }
        other => other.map_err(|error| error.to_string())?,
    };
    let mut tree = Tree::default();
    let mut rest = base.operations.iter();
    if !read_only {
        tree.replay(&base.operations);
        rest = [].iter();
    }
    while let Err(difference) = tree.compare_known(&seen, &unreadable) {
        match rest.next() {
            Some(next) => next.apply(&mut tree),
            None => {
                return Err(format!(
                    "read-only: {read_only}, unreadable: {unreadable:?}, {difference}"
                ));
            }
        }
    }
    Ok(match (read_only, unreadable.is_empty()) {
        (true, _) => Outcome::ReadOnly,
        (false, false) => Outcome::Unreadable,
        (false, true) => Outcome::Harmless,
    })
}

#[test]
fn damage_is_found_and_never_served() {
    if !applicable("damage_is_found_and_never_served", &["/dev/fuse"]) {
        return;
    }
    let mut random = Random::new("damage");
    let base = build(&Pod::new(), &mut random);
    let counts: [AtomicU64; 4] = Default::default();
    let total = rounds(500, 10_000);
    let left = AtomicU64::new(total);
    let worker = |seed: u64| {
        let mut random = Random::seeded(seed);
        let pod = Pod::new();
        while left
            .fetch_update(Ordering::SeqCst, Ordering::SeqCst, |left| {
                left.checked_sub(1)
            })
            .is_ok()
        {
            fs::remove_dir_all(pod.state()).unwrap();
            write_files(&pod.state(), &base.files);
            let what = hurt(&pod.state(), &base.files, &mut random);
            let logged = fs::metadata(pod.log()).map_or(0, |log| log.len());
            let outcome = judge(&base, &pod, pod.try_mount(&[]), logged)
                .unwrap_or_else(|fault| panic!("{what}: {fault}"));
            counts[outcome as usize].fetch_add(1, Ordering::SeqCst);
        }
    };
    let (one, two) = (random.next(), random.next());
    std::thread::scope(|scope| {
        scope.spawn(|| worker(one));
        scope.spawn(|| worker(two));
    });
    let [harmless, refused, read_only, unreadable] = counts.map(AtomicU64::into_inner);
    println!(
        "damage: {total} times; no effect {harmless}, refused {refused}, read-only {read_only}, some files EIO {unreadable}"
    );
    assert!(
        refused + read_only + unreadable > total / 10,
        "hardly any damage was noticed"
    );
}
