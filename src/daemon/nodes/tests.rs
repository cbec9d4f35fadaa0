use std::os::unix::fs::MetadataExt;

use super::*;

fn pod() -> (tempfile::TempDir, PodPaths) {
    let folder = tempfile::tempdir().unwrap();
    let paths = PodPaths::of(folder.path().to_str().unwrap()).unwrap();
    (folder, paths)
}

fn home() -> NodeEntry {
    NodeEntry {
        name: "home".to_owned(),
        address: "https://me:s%40crt@node.example/bee".parse().unwrap(),
        role: NodeRole::Own,
        batch: Some(BatchId([1; 32])),
        node_batch: Some(BatchId([2; 32])),
        migration: None,
    }
}

#[test]
fn a_list_comes_back_private_and_whole() {
    let (_folder, paths) = pod();
    assert_eq!(Nodes::read(&paths).unwrap(), Nodes::default());
    let gateway = NodeEntry {
        name: "far".to_owned(),
        role: NodeRole::Gateway,
        batch: None,
        node_batch: None,
        ..home()
    };
    let list = vec![home(), gateway];
    edit(&paths, |nodes| {
        nodes.list.clone_from(&list);
        Ok(())
    })
    .unwrap();
    let read = Nodes::read(&paths).unwrap();
    assert_eq!(read.list, list);
    assert_eq!(read.writer(), Some(&list[0]));
    assert_eq!(paths.nodes().metadata().unwrap().mode() & 0o7777, 0o600);
    assert_eq!(read.named("x").unwrap_err().kind, FaultKind::NoNode);
    assert!(!format!("{read:?}").contains("crt"));
    assert_eq!(endpoints(&read).map(|all| all.list().len()).ok(), Some(2));
}

#[test]
fn a_change_that_is_refused_changes_nothing() {
    let (_folder, paths) = pod();
    edit(&paths, |nodes| {
        nodes.list.push(home());
        Ok(())
    })
    .unwrap();
    let twice = edit(&paths, |nodes| {
        nodes.list.push(home());
        Ok(())
    });
    assert!(twice.unwrap_err().what.contains("two nodes \"home\""));
    assert_eq!(Nodes::read(&paths).unwrap().list.len(), 1);
}

#[test]
fn what_is_no_list_is_told() {
    let batch = format!("batch = \"{}\"", "1f".repeat(32));
    let node = |lines: &str| format!("[[node]]\nname = \"a\"\nurl = \"http://h\"\n{lines}\n");
    for (text, why) in [
        ("nodes = 3".to_owned(), "unknown field"),
        (node("role = \"own\""), "no batch"),
        (node("role = \"mine\""), "unknown variant"),
        (
            node(&format!("role = \"other\"\n{batch}")),
            "not an own one",
        ),
        (
            node("role = \"own\"\nbatch = \"12\""),
            "64 hexadecimal digits",
        ),
        (
            node(&format!("role = \"own\"\n{batch}")).replace("http", "ftp"),
            "http or https",
        ),
        (
            node("role = \"gateway\"").replace("\"a\"", "\"a b\""),
            "cannot be the name",
        ),
        (node("role = \"gateway\"").repeat(2), "two nodes"),
    ] {
        let said = Nodes::parse(&text).unwrap_err();
        assert!(said.contains(why), "{text}\n{said}");
    }
    let good = node(&format!("role = \"own\"\n{batch}"));
    assert_eq!(Nodes::parse(&good).unwrap().list.len(), 1);
}

proptest::proptest! {
    #[test]
    fn any_text_is_a_list_or_an_error(text in "\\PC{0,200}|(\\[\\[node\\]\\]\n(name|url|role|batch) = \"[a-z:/]{0,12}\"\n){0,3}") {
        let parsed = Nodes::parse(&text);
        proptest::prop_assert!(parsed.is_ok_and(|nodes| nodes.check().is_ok()) || Nodes::parse(&text).is_err());
    }
}
