//! Rights, what they are on, and what is tried: every cell as who received the grant, through the mount; and what a
//! reader gets with the same grants who keeps to no agreement.

use std::collections::BTreeSet;
use std::ffi::OsString;
use std::fs;
use std::io;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

use rustix::io::Errno;

use crate::people::grantee::nothing_more_is_read;
use crate::people::memory::box_of;
use crate::people::shared::{PATIENCE, accept, confirmed, share, until};
use crate::people::unlinkable::root_of;
use crate::people::*;
use crate::support::mount::Mount;
use crate::support::{applicable, tool, wait_until};

/// What comes of it. `next` is the version after the one that was shared. `refused`: it cannot even be shared so. One more
/// right is some more rows.
const TABLE: &str = "
rights on       list    read   next   create overwrite rename delete
read   file     ENOTDIR ok     ok     EROFS  EROFS     EROFS  EROFS
read   folder   ok      ok     ok     EROFS  EROFS     EROFS  EROFS
read   nested   ok      ok     ok     EROFS  EROFS     EROFS  EROFS
read   snapshot ok      ok     old    EROFS  EROFS     EROFS  EROFS
read   expired  ENOENT  ENOENT ENOENT ENOENT ENOENT    ENOENT ENOENT
read   revoked  ENOENT  ENOENT ENOENT ENOENT ENOENT    ENOENT ENOENT
read   future   ENOENT  ENOENT ENOENT ENOENT ENOENT    ENOENT ENOENT
append file     refused
append folder   ok      ok     ok     ok     EROFS     EROFS  EROFS
append nested   ok      ok     ok     ok     EROFS     EROFS  EROFS
append snapshot refused
append expired  ENOENT  ENOENT ENOENT ENOENT ENOENT    ENOENT ENOENT
append revoked  ENOENT  ENOENT ENOENT ENOENT ENOENT    ENOENT ENOENT
append future   ENOENT  ENOENT ENOENT ENOENT ENOENT    ENOENT ENOENT
write  file     ENOTDIR ok     ok     EROFS  ok        EROFS  EROFS
write  folder   ok      ok     ok     ok     ok        ok     ok
write  nested   ok      ok     ok     ok     ok        ok     ok
write  snapshot refused
write  expired  ENOENT  ENOENT ENOENT ENOENT ENOENT    ENOENT ENOENT
write  revoked  ENOENT  ENOENT ENOENT ENOENT ENOENT    ENOENT ENOENT
write  future   ENOENT  ENOENT ENOENT ENOENT ENOENT    ENOENT ENOENT
";

/// Where in a shared folder what is nested stands.
const NESTED: &str = "march/scans";
pub(super) const FILES: [&str; 5] = ["read", "overwrite", "rename", "delete", "next"];
/// When grants with an end have it, when those with a beginning have that, and how far her clock is moved between.
const END: &str = "10d";
const BEGIN: &str = "30d";
const MOVED: i64 = 20 * 86_400;

/// A row of the table, and what it is about.
pub(super) struct Row {
    pub(super) rights: &'static str,
    pub(super) on: &'static str,
    /// What comes of each operation, by name.
    cells: Vec<(&'static str, &'static str)>,
    /// Where it is in her pod.
    pub(super) hers: PathBuf,
    /// Where he sees it.
    his: PathBuf,
    /// Of the grant; what is nested has none of its own.
    pub(super) id: Option<String>,
}

impl Row {
    fn all() -> Vec<Self> {
        let mut lines = TABLE.trim().lines().map(str::split_whitespace);
        let operations: Vec<_> = lines.next().unwrap().skip(2).collect();
        let mut rows: Vec<_> = lines
            .map(|mut words| {
                let (rights, on) = (words.next().unwrap(), words.next().unwrap());
                let cells: Vec<_> = operations.iter().copied().zip(words).collect();
                let shared = match on {
                    "file" => format!("{rights} file.txt"),
                    "nested" => format!("{rights} folder/{NESTED}"),
                    _ => format!("{rights} {on}"),
                };
                Self {
                    rights,
                    on,
                    cells,
                    hers: Path::new("records").join(&shared),
                    his: Path::new("Shared with me/Anna").join(shared),
                    id: None,
                }
            })
            .collect();
        rows.sort_by_key(|row| row.on == "nested");
        rows
    }

    fn comes(&self, operation: &str) -> &str {
        let cell = self.cells.iter().find(|(name, _)| *name == operation);
        cell.map_or("refused", |(_, comes)| comes)
    }

    fn is_refused(&self) -> bool {
        self.comes("list") == "refused"
    }

    /// Whether nothing of it is seen in the end.
    pub(super) fn is_over(&self) -> bool {
        self.comes("list") == "ENOENT"
    }

    /// Whether later versions come.
    pub(super) fn is_live(&self) -> bool {
        self.comes("next") == "ok"
    }

    pub(super) fn is_given(&self) -> bool {
        !self.is_refused() && self.on != "nested"
    }

    /// The file that an operation is tried on.
    fn of(&self, place: &Path, operation: &str) -> PathBuf {
        if self.on == "file" {
            place.to_owned()
        } else {
            place.join(format!("{operation}.txt"))
        }
    }

    pub(super) fn text(&self, version: &str, operation: &str) -> String {
        format!("{version} {operation} of {} {}", self.rights, self.on)
    }

    fn fill(&self, top: &Path) {
        let place = top.join(&self.hers);
        let dir = if self.on == "file" {
            place.parent().unwrap()
        } else {
            &place
        };
        fs::create_dir_all(dir).unwrap();
        for operation in FILES {
            let file = self.of(&place, operation);
            fs::write(&file, self.text("first", operation)).unwrap();
            let flags = rustix::fs::XattrFlags::empty();
            rustix::fs::setxattr(file, "user.note", b"noted", flags).unwrap();
        }
    }

    /// In one request: a publication that comes meanwhile has the first version or the second, which is longer.
    fn renew(&self, top: &Path) {
        let file = self.of(&top.join(&self.hers), "next");
        let file = fs::File::options().write(true).open(file).unwrap();
        let second = self.text("second", "next");
        file.write_all_at(second.as_bytes(), 0).unwrap();
    }

    /// Tries it as he does.
    fn attempt(&self, operation: &str, [hers, his]: [&Path; 2]) -> io::Result<()> {
        let (own, place) = (hers.join(&self.hers), his.join(&self.his));
        let file = self.of(&place, operation);
        let dir = file.parent().unwrap();
        let first = self.text("first", "next").into_bytes();
        let reads = |of: &str| {
            let read = fs::read(self.of(&place, of))?;
            let right = read == fs::read(self.of(&own, of))?;
            right.then_some(()).ok_or_else(|| other(&read))
        };
        match operation {
            "list" => {
                let names = fs::read_dir(&place)?.map(|it| it.map(|it| it.file_name()));
                let names: BTreeSet<_> = names.collect::<Result<_, _>>()?;
                let wanted = FILES.map(|name| OsString::from(format!("{name}.txt")));
                let all = wanted.iter().all(|name| names.contains(name));
                all.then_some(()).ok_or_else(|| other(b"names are missing"))
            }
            "read" => reads("read"),
            "next" if fs::read(&file).is_ok_and(|it| it == first) => Err(other(b"old")),
            "next" => reads("next"),
            "create" => fs::write(dir.join("created.txt"), "mine"),
            "overwrite" => fs::write(file, "mine"),
            "rename" => fs::rename(&file, dir.join("renamed.txt")),
            "delete" => fs::remove_file(file),
            _ => panic!("{operation} is no operation"),
        }
    }
}

fn other(what: &[u8]) -> io::Error {
    io::Error::other(String::from_utf8_lossy(what).into_owned())
}

/// As the table has it.
fn outcome(tried: io::Result<()>) -> String {
    let Err(error) = tried else {
        return "ok".to_owned();
    };
    match Errno::from_io_error(&error) {
        Some(Errno::NOENT) => "ENOENT".to_owned(),
        Some(Errno::NOTDIR) => "ENOTDIR".to_owned(),
        Some(Errno::ROFS) => "EROFS".to_owned(),
        _ => error.to_string(),
    }
}

/// Shares everything, and has it accepted as far as there is something to accept.
fn shares((anna, ben): (&Pod, &Pod), hers: &Mount<'_>, rows: &mut [Row]) {
    for row in &mut *rows {
        let path = hers.dir().join(&row.hers);
        let times: &[&str] = match row.on {
            "expired" => &["--until", END],
            "future" => &["--from", BEGIN],
            "snapshot" => &["--snapshot"],
            _ => &[],
        };
        let args = [&["--rights", row.rights], times].concat();
        if row.is_given() {
            let given = share(anna, &path, &args);
            row.id = Some(text(&given, "id").to_owned());
        } else if row.is_refused() {
            let path = path.to_str().unwrap();
            let refused = [&["share", path, "--with", "Ben"], args.as_slice()].concat();
            fails(anna, 2, &refused);
        }
    }
    confirmed(anna);
    for row in rows.iter().filter(|row| row.id.is_some()) {
        let id = row.id.as_deref().unwrap();
        if row.on == "future" {
            fails(ben, 60, &["accept", id]);
        } else {
            accept(ben, &serde_json::json!({ "id": id }));
        }
    }
}

/// Nothing of podfs is among the attributes of what is shared; his own is answered by name.
fn attributes_are_hers(file: &Path) {
    let mut names = vec![0; 1000];
    let len = rustix::fs::listxattr(file, &mut names).unwrap();
    assert_eq!(&names[..len], b"user.note\0");
    let mut value = [0; 100];
    for name in ["Ben", "Carol"] {
        let name = format!("user.pod.share.{name}");
        let refused = rustix::fs::getxattr(file, name, &mut value);
        assert_eq!(refused, Err(Errno::NODATA));
    }
    assert!(rustix::fs::getxattr(file, "user.pod.state", &mut value).is_ok());
}

/// Her clock moves on, she revokes, all of it gets another version, and he hears of that.
fn time_passes((anna, ben): (&Pod, &Pod), clock: &Path, [hers, his]: [&Path; 2], rows: &[Row]) {
    fs::write(clock, MOVED.to_string()).unwrap();
    let on = |wanted: &'static str| rows.iter().filter(move |row| row.on == wanted);
    for row in on("revoked") {
        says(anna, &["revoke", row.id.as_deref().unwrap()]);
    }
    let expired = wait_until(PATIENCE, || {
        let shares = json(anna, &["shares", "--json"]);
        let mut given = shares["given"].as_array().unwrap().iter();
        given.all(|grant| !text(grant, "path").ends_with("expired"))
    });
    assert!(expired, "nothing expires");
    for row in rows {
        row.renew(hers);
    }
    confirmed(anna);
    for row in rows.iter().filter(|row| !row.is_refused()) {
        let place = his.join(&row.his);
        let file = row.of(&place, "next");
        let wanted = row.text("second", "next");
        until(ben, &format!("{} {}", row.rights, row.on), || {
            if row.is_live() {
                fs::read_to_string(&file).is_ok_and(|read| read == wanted)
            } else {
                !row.is_over() || !place.exists()
            }
        });
    }
}

fn every_cell_is_as_it_says(places: [&Path; 2], rows: &[Row]) {
    let mut wrong = Vec::new();
    for row in rows.iter().filter(|row| !row.is_refused()) {
        for (operation, wanted) in &row.cells {
            let came = outcome(row.attempt(operation, places));
            if came != *wanted {
                let Row { rights, on, .. } = row;
                wrong.push(format!(
                    "{rights} {on} {operation}: {wanted} wanted, {came}"
                ));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// Whatever he tried, hers is what it was but for what he could change, and what he could add is hers.
fn hers_is_what_it_was(top: &Path, rows: &[Row]) {
    for row in rows {
        let place = top.join(&row.hers);
        for operation in ["read", "overwrite", "rename", "delete"] {
            // All of a file is `next`.
            if row.on != "file" && (operation == "read" || row.comes(operation) != "ok") {
                let now = fs::read_to_string(row.of(&place, operation)).unwrap();
                assert_eq!(now, row.text("first", operation));
            }
        }
        if row.comes("create") == "ok" {
            let created = place.join("created.txt");
            let shown = created.display();
            assert!(wait_until(PATIENCE, || created.exists()), "{shown}");
        }
        let changed = row.of(&place, "overwrite");
        let (renamed, first) = (place.join("renamed.txt"), row.text("first", "rename"));
        for (operation, file, wanted) in [
            ("overwrite", changed, Some("mine")),
            ("rename", renamed, Some(first.as_str())),
            ("rename", row.of(&place, "rename"), None),
            ("delete", row.of(&place, "delete"), None),
        ] {
            let is_so = || fs::read_to_string(&file).ok().as_deref() == wanted;
            if row.comes(operation) == "ok" {
                let shown = file.display();
                assert!(wait_until(PATIENCE, is_so), "{operation}: {shown}");
            }
        }
    }
}

/// Carol gets one of the folders that Ben gets, and one that is only hers.
fn carol(anna: &Pod, node: &Node, hers: &Mount<'_>) -> (Pod, String) {
    let carol = Pod::of_somebody_else();
    let batch = hexadecimal(&node.buy_batch(20));
    says(&carol, &["node", "add", &node.url(), "--batch", &batch]);
    let mount = mounted(&carol, &[]);
    let card = introduce(&carol);
    mount.unmount();
    let identity = text(&card, "identity");
    says(anna, &["contact", "add", "Carol", identity]);
    let mut ids = ["read folder", "beside"].map(|name| {
        let path = hers.dir().join("records").join(name);
        let share = ["share", path.to_str().unwrap(), "--with", "Carol", "--json"];
        text(&json(anna, &share), "id").to_owned()
    });
    (carol, std::mem::take(&mut ids[0]))
}

#[test]
fn a_grant_gives_what_it_says_and_nobody_gets_more_of_it() {
    let test = "a_grant_gives_what_it_says_and_nobody_gets_more_of_it";
    let installed = tool("").with_file_name("foreign").join("installed");
    let python = ["/usr/bin/python3", installed.to_str().unwrap()];
    if !applicable(test, &[REQUIREMENTS, &python].concat()) {
        return;
    }
    let (anna, ben, node) = two_people();
    let clock = anna.path("clock");
    let mut mount = anna.mount_command("mnt", &[]);
    let hers = anna
        .mount_by(mount.env("PODFS_TEST_CLOCK", &clock))
        .unwrap();
    hers.expect_connections();
    // His clock stays behind: it is not his that ends anything.
    let his = mounted(&ben, &[]);
    acquainted(&anna, &ben);
    let mut rows = Row::all();
    for row in &rows {
        row.fill(hers.dir());
    }
    fs::create_dir(hers.dir().join("records/beside")).unwrap();
    let beside = hers.dir().join("records/beside/diary.txt");
    fs::write(beside, "nobody's business").unwrap();
    shares((&anna, &ben), &hers, &mut rows);
    let (carol, carols) = carol(&anna, &node, &hers);
    for row in rows
        .iter()
        .filter(|row| !row.is_refused() && row.on != "future")
    {
        let file = row.of(&his.dir().join(&row.his), "read");
        until(&ben, "what is shared is not seen", || {
            fs::read(&file).is_ok()
        });
    }
    time_passes((&anna, &ben), &clock, [hers.dir(), his.dir()], &rows);
    nothing_more_is_read(&node, &box_of(&root_of(&anna)), &carols, &rows);
    every_cell_is_as_it_says([hers.dir(), his.dir()], &rows);
    attributes_are_hers(&his.dir().join("Shared with me/Anna/read folder/read.txt"));
    confirmed(&ben);
    hers_is_what_it_was(hers.dir(), &rows);
    confirmed(&anna);
    confirmed(&ben);
    drop((hers, his, carol));
}
