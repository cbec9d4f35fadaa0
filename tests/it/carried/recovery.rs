//! A machine is lost; from the phrase and a node everything comes back.

use std::fs;

use crate::carried::trees::{assert_equal, look, make_zoo, real_files};
use crate::carried::{REQUIREMENTS, carried, confirmed, mounted, recovered};
use crate::support::applicable;
use crate::support::random::Random;
use crate::support::rounds;

#[test]
fn everything_comes_back_from_the_phrase() {
    if !applicable("everything_comes_back_from_the_phrase", REQUIREMENTS) {
        return;
    }
    let mut random = Random::new("recovery");
    let (pod, node) = carried();
    let mount = mounted(&pod, &[]);
    let bytes = rounds(12, 300) << 20;
    let files = real_files(usize::try_from(rounds(300, 3000)).unwrap(), bytes);
    let real: u64 = files.iter().map(|it| fs::metadata(it).unwrap().len()).sum();
    println!("{} real files of {real} bytes", files.len());
    let rest = random.bytes(usize::try_from(bytes.saturating_sub(real)).unwrap());
    fs::write(mount.path("rest"), rest).unwrap();
    for file in &files {
        let copy = mount.path("real").join(file.strip_prefix("/").unwrap());
        fs::create_dir_all(copy.parent().unwrap()).unwrap();
        fs::copy(file, copy).unwrap();
    }
    make_zoo(mount.dir(), &mut random);
    let before = look(mount.dir());
    let report = confirmed(&pod);
    println!("{} chunks sent", report["chunks_paid"]);
    mount.unmount();
    let pod = recovered(pod, &node);
    let mount = mounted(&pod, &[]);
    assert_equal(&before, &look(mount.dir()));
    mount.unmount();
    let mount = mounted(&pod, &[]);
    assert_equal(&before, &look(mount.dir()));
    for file in files {
        let copy = mount.path("real").join(file.strip_prefix("/").unwrap());
        assert!(
            fs::read(&file).unwrap() == fs::read(&copy).unwrap(),
            "{}",
            file.display()
        );
    }
}
