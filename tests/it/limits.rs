//! Too few descriptors, too little memory, two at once.

use std::fs;
use std::fs::File;
use std::io::Read;
use std::io::Write;
use std::path::PathBuf;
use std::process::Command;
use std::process::Stdio;
use std::time::Duration;

use crate::support::applicable;
use crate::support::both;
use crate::support::load::Bar;
use crate::support::load::Load;
use crate::support::load::WRITERS;
use crate::support::mount::Mount;
use crate::support::mount::is_gone;
use crate::support::pod::Pod;
use crate::support::pod::START_MAX;
use crate::support::random::Random;
use crate::support::rounds;
use crate::support::tree::Tree;
use crate::support::wait_until;

#[test]
fn few_descriptors_are_enough() {
    if !applicable("few_descriptors_are_enough", &["/dev/fuse", "prlimit"]) {
        return;
    }
    let pod = Pod::new();
    let inner = pod.mount_command("mnt", &[]);
    let mut command = Command::new("prlimit");
    command
        .args(["--nofile=64:64", "--"])
        .arg(inner.get_program())
        .args(inner.get_args());
    pod.surround(&mut command);
    let mount = pod
        .mount_by(&mut command)
        .unwrap_or_else(|output| panic!("{}", both(&output)));
    mount.expect_warnings();
    let limits =
        fs::read_to_string(format!("/proc/{}/limits", mount.pid().as_raw_nonzero())).unwrap();
    let line = limits
        .lines()
        .find(|line| line.starts_with("Max open files"))
        .unwrap();
    assert_eq!(line.split_whitespace().nth(4), Some("64"), "{line}");

    let open: Vec<_> = (0..500)
        .map(|n| File::create(mount.path(&format!("open-{n}"))).unwrap())
        .collect();
    for (number, mut file) in open.iter().enumerate() {
        file.write_all(&vec![number as u8; 9000]).unwrap();
    }
    // Enough to need several segments of the log.
    let large: Vec<_> = (0..200)
        .map(|n| {
            (
                mount.path(&format!("large-{n}")),
                Random::seeded(n).bytes(1 << 20),
            )
        })
        .collect();
    for (path, bytes) in &large {
        fs::write(path, bytes).unwrap();
    }
    drop(open);
    mount.unmount();
    let mount = pod.mount();
    for number in 0..500_usize {
        let mut bytes = Vec::new();
        File::open(mount.path(&format!("open-{number}")))
            .unwrap()
            .read_to_end(&mut bytes)
            .unwrap();
        assert!(bytes == vec![number as u8; 9000], "open-{number}");
    }
    for (path, bytes) in &large {
        assert!(fs::read(path).unwrap() == *bytes, "{}", path.display());
    }
    mount.unmount();
}

/// A memory control group (version 1) that goes with the value.
struct MemoryGroup(PathBuf);

const MEMORY: &str = "/sys/fs/cgroup/memory";

impl MemoryGroup {
    fn new() -> Self {
        let path = PathBuf::from(format!("{MEMORY}/podfs-it-{}", std::process::id()));
        fs::create_dir(&path).unwrap();
        Self(path)
    }

    fn number(&self, file: &str) -> u64 {
        fs::read_to_string(self.0.join(file))
            .unwrap()
            .trim()
            .parse()
            .unwrap()
    }

    /// Leaves no room above what cannot be given back.
    fn tighten(&self) {
        let mut limit = self.number("memory.usage_in_bytes");
        while limit > (1 << 20)
            && fs::write(self.0.join("memory.limit_in_bytes"), limit.to_string()).is_ok()
        {
            limit -= 1 << 20;
        }
    }
}

impl Drop for MemoryGroup {
    fn drop(&mut self) {
        wait_until(Duration::from_secs(10), || fs::remove_dir(&self.0).is_ok());
    }
}

#[test]
fn out_of_memory_is_a_crash_like_another() {
    let group_file = format!("{MEMORY}/memory.limit_in_bytes");
    if !applicable(
        "out_of_memory_is_a_crash_like_another",
        &["root", "/dev/fuse", &group_file],
    ) {
        return;
    }
    let mut random = Random::new("out of memory");
    let group = MemoryGroup::new();
    let pod = Pod::new();
    let inner = pod.mount_command("mnt", &[]);
    let mut command = Command::new("sh");
    let join = format!("echo $$ >{}/cgroup.procs && exec \"$@\"", group.0.display());
    command
        .args(["-c", &join, "sh"])
        .arg(inner.get_program())
        .args(inner.get_args());
    pod.surround(&mut command);
    let mount = pod
        .mount_by(&mut command)
        .unwrap_or_else(|output| panic!("{}", both(&output)));
    let pid = mount.pid();
    let mut trees = vec![Tree::default(); WRITERS];
    let load = Load::start(mount.dir(), &trees, &mut random);
    assert!(wait_until(Duration::from_secs(10), || load.answered() >= 100));
    let done = load.crash(|| {
        let killed = wait_until(Duration::from_secs(60), || {
            group.tighten();
            is_gone(pid)
        });
        assert!(
            killed,
            "never out of memory: {} bytes in use",
            group.number("memory.usage_in_bytes")
        );
    });
    mount.ended_by_itself();
    let mount = pod.mount();
    assert!(
        mount.took() <= START_MAX,
        "the start took {:?}",
        mount.took()
    );
    done.verify(mount.dir(), &mut trees, Bar::Answered).unwrap();
    mount.unmount();
}

#[test]
fn of_two_starts_one_wins() {
    if !applicable("of_two_starts_one_wins", &["/dev/fuse"]) {
        return;
    }
    let pod = Pod::new();
    for round in 0..rounds(8, 100) {
        let start = |folder: &str| {
            let mut command = pod.mount_command(folder, &[]);
            command
                .stdout(Stdio::piped())
                .stderr(Stdio::piped())
                .spawn()
                .unwrap()
        };
        let both_started = [("left", start("left")), ("right", start("right"))];
        let ended = both_started.map(|(folder, child)| (folder, child.wait_with_output().unwrap()));
        let won: Vec<_> = ended
            .iter()
            .filter(|(_, output)| output.status.success())
            .collect();
        let lost: Vec<_> = ended
            .iter()
            .filter(|(_, output)| !output.status.success())
            .collect();
        let texts: Vec<_> = ended
            .iter()
            .map(|(folder, output)| format!("{folder}: {}", both(output)))
            .collect();
        assert_eq!(
            won.len(),
            1,
            "round {round}: {} starts won\n{}",
            won.len(),
            texts.join("\n")
        );
        let mount = Mount::answering(&pod, pod.path(won[0].0), Duration::ZERO, 0);
        let said = both(&lost[0].1);
        let holder = mount.pid().as_raw_nonzero().to_string();
        assert!(
            said.contains("in use") && said.contains(&holder),
            "round {round}, holder {holder}: {said}"
        );
        assert!(fs::read_dir(pod.path(lost[0].0)).unwrap().next().is_none());
        mount.expect_warnings();
        mount.unmount();
    }
}
