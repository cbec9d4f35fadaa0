//! What is given back to who changed it, once the grant is over.

use super::merged::{OWNER, arrived, is_brought, name};
use super::*;
use crate::format::grant::Renewed;
use crate::format::rows::Revocation;
use crate::pod::PodError;
use crate::pod::fake::Network;
use crate::types::limits::ADOPTED_PATIENCE;

/// A large file of Ben's that Anna changed a page of, and has now in her tray.
fn changed(anna: &Machine) -> (Received, Vec<u8>) {
    const PAGES: u64 = 600;
    let (sharing, pod, id) = (&anna.sharing, &anna.sharing.pod, [0xbe; 16]);
    let rights = Rights::WRITE;
    let grant = Grant {
        terms: Terms { rights, ..terms() },
        ..grant(id)
    };
    let came = sharing.received.arrives(print(BEN), grant, (0, at(5)));
    came.unwrap();
    sharing.received.accept(&id, &name("lab")).unwrap();
    let ben = pod.receive_person(&name("Ben"), OWNER).unwrap();
    let lab = arrived(0o040_500, 0, 0);
    let lab = pod.receive(ben, &name("lab"), &lab).unwrap();
    let scan = arrived(0o100_400, 1, PAGES);
    let scan = pod.receive(lab, &name("scan"), &scan).unwrap();
    let received = sharing.received.find(&id).unwrap().unwrap();
    sharing.lay_tray(&received).unwrap();
    let own = pod.to_change(scan).unwrap();
    let page = |page: u64| [u8::try_from(page % 251).unwrap(); 4096];
    let pages = (0..PAGES).map(|at| (at, page(at))).collect();
    anna.fake.publish(own, pages);
    pod.write(own, 4096, &[255; 4096], false).unwrap();
    let mut bytes: Vec<u8> = (0..PAGES).flat_map(page).collect();
    bytes[4096..8192].fill(255);
    (received, bytes)
}

/// What was given back, and is read without any network.
fn given_back(anna: &Machine) -> Result<Vec<u8>, PodError> {
    anna.fake.forget();
    anna.fake.set(Network::Down);
    let pod = &anna.sharing.pod;
    let lab = pod.lookup(ROOT, b"lab (not taken over)").unwrap();
    let scan = pod.lookup(lab.ino, b"scan").unwrap();
    let (mut bytes, mut piece) = (Vec::new(), Vec::new());
    while (bytes.len() as u64) < scan.size {
        pod.read(scan.ino, bytes.len() as u64, 1 << 20, &mut piece)?;
        bytes.append(&mut piece);
    }
    assert_eq!(pod.check(true).unwrap().findings, []);
    Ok(bytes)
}

#[tokio::test]
async fn what_is_given_back_stays_though_the_other_one_keeps_it_no_more() {
    let anna = Machine::new();
    let (received, bytes) = changed(&anna);
    anna.sharing.take_tray_away(&received).await.unwrap();
    assert!(given_back(&anna).unwrap() == bytes);
    // It is sealed as hers; then nothing is left of that, and nobody signs anything.
    let pod = &anna.sharing.pod;
    let asked = || {
        let (from, to) = Key::all_revocations();
        let rows = pod.rows().scan(&from, &to, 9).unwrap().into_iter();
        rows.map(|(_, row)| Revocation::decode(&row).unwrap())
            .collect::<Vec<_>>()
    };
    let rows = asked();
    let lab = pod.lookup(ROOT, b"lab (not taken over)").unwrap();
    assert_eq!((rows.len(), rows[0].target), (1, lab.ino));
    assert!(rows[0].is_asked() && rows[0].is_of_adopted());
    anna.sharing
        .is_renewed(&rows[0], Renewed::default())
        .unwrap();
    assert_eq!(asked(), []);
    anna.sharing.sign_receipts().await.unwrap();
    assert_eq!(asked(), []);
}

#[tokio::test(start_paused = true)]
async fn what_does_not_come_waits_for_weeks_and_is_given_back_as_it_is_then() {
    let anna = Machine::new();
    let (received, _) = changed(&anna);
    let lab = || anna.sharing.pod.lookup(ROOT, b"lab (not taken over)");
    for network in [Network::Silent, Network::Down] {
        anna.fake.set(network);
        assert!(anna.sharing.take_tray_away(&received).await.is_err());
        assert!(matches!(lab(), Err(PodError::NotFound)));
    }
    let weeks = i64::try_from(ADOPTED_PATIENCE.as_secs()).unwrap();
    anna.now.fetch_add(weeks, Ordering::Relaxed);
    anna.sharing.take_tray_away(&received).await.unwrap();
    assert!(matches!(given_back(&anna), Err(PodError::Absent { .. })));
}

#[tokio::test]
async fn what_did_not_come_at_the_end_is_given_back_whole_once_it_does() {
    let anna = Machine::new();
    let (received, bytes) = changed(&anna);
    anna.fake.set(Network::Down);
    let told = anna.sharing.take_tray_away(&received).await.unwrap_err();
    assert!(told.contains("the network is down"), "{told}");
    anna.fake.set(Network::Good);
    anna.sharing.take_tray_away(&received).await.unwrap();
    assert!(given_back(&anna).unwrap() == bytes);
}

/// As when a machine was lost: the tray is here again before what it lies on.
#[tokio::test]
async fn what_was_removed_is_gone_though_not_all_came_yet() {
    let anna = Machine::new();
    let (received, _) = changed(&anna);
    let (sharing, pod) = (&anna.sharing, &anna.sharing.pod);
    let top = sharing.top_of(&received).unwrap().unwrap();
    let (file, old) = (arrived(0o100_400, 4, 0), name("old"));
    pod.receive(top, &old, &file).unwrap();
    for removed in [&b"old"[..], b"scan"] {
        pod.unlink(top, removed).unwrap();
    }
    pod.withdraw(top, &old).unwrap();
    is_brought(sharing, &received, false);
    assert_eq!(sharing.let_go_of(&received).await, Ok(true));
    pod.receive(top, &old, &file).unwrap();
    assert!(matches!(pod.lookup(top, b"old"), Err(PodError::NotFound)));
    pod.withdraw(top, &old).unwrap();
    is_brought(sharing, &received, true);
    assert_eq!(sharing.let_go_of(&received).await, Ok(true));
    pod.receive(top, &old, &file).unwrap();
    pod.lookup(top, b"old").unwrap();
}
