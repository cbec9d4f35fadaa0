use std::time::Duration;

use super::*;
use crate::control::MessageWay;
use crate::control::MessagesRequest;
use crate::control::MessagesResponse;
use crate::pod::PodError;
use crate::share::Arrival;
use crate::share::messages::MessageError;

#[tokio::test]
async fn one_who_shares_too_much_keeps_nobody_else_back() {
    let mut anna = Machine::new();
    for number in 0..GRANTS_MAX as u64 {
        let mut id = [0; 16];
        id[..8].copy_from_slice(&number.to_be_bytes());
        let arrived = anna
            .sharing
            .received
            .arrives(print(EVE), grant(id), (0, at(5)));
        assert_eq!(arrived.unwrap(), Arrival::New);
    }
    anna.comes(EVE, &grant([0xee; 16]));
    anna.comes(BEN, &grant([0xbe; 16]));
    anna.sharing.step().await;
    assert!(anna.received(0xee).is_none());
    assert!(anna.received(0xbe).unwrap().contact == print(BEN));
    assert_eq!(anna.sharing.taken.load(Ordering::Acquire), 2);
}

/// Makes names until the log takes no more.
fn fill(machine: &Machine) {
    let owner = Caller { uid: 0, gid: 0 };
    for number in 0.. {
        let name = format!("{number}");
        let made = machine
            .sharing
            .pod
            .create(ROOT, name.as_bytes(), 0o600, owner);
        match made {
            Ok(_) => {}
            Err(PodError::NoSpace) => return,
            Err(error) => panic!("{error}"),
        }
    }
}

#[tokio::test]
async fn what_finds_no_room_is_looked_at_again() {
    let mut anna = Machine::over(Rows::memory_of(Some(4 << 20)), true);
    anna.comes(EVE, &grant([0xee; 16]));
    anna.sharing.take_grants().await.unwrap();
    anna.comes(BEN, &grant([0xbe; 16]));
    fill(&anna);
    let refused = anna.sharing.take_grants().await;
    assert!(
        refused.as_ref().is_err_and(MessageError::passes),
        "{refused:?}"
    );
    assert!(anna.received(0xbe).is_none());
    assert_eq!(anna.sharing.taken.load(Ordering::Acquire), 1);
}

/// What comes again must not take the place of what another machine knew of it, and is still to be fetched.
#[tokio::test(start_paused = true)]
async fn nothing_is_taken_before_it_is_known_what_other_machines_took() {
    let mut anna = Machine::new();
    anna.comes(BEN, &grant([0xbe; 16]));
    let mail = Arc::clone(anna.sharing.people.mail());
    let list = || async {
        let way = MessageWay::Received;
        mail.answer(MessagesRequest::List { way, after: 0 }).await
    };
    anna.sharing.start(&Handle::current());
    tokio::time::sleep(Duration::from_secs(300)).await;
    assert!(anna.received(0xbe).is_none());
    let refused = list().await;
    assert!(matches!(refused, MessagesResponse::Refused { .. }));
    anna.sharing.people.reconciliation().look();
    tokio::time::sleep(Duration::from_secs(60)).await;
    assert!(anna.received(0xbe).is_some());
    assert!(matches!(list().await, MessagesResponse::Messages { .. }));
}

/// Also when the machine stopped between the message and its record, and when two look at the same time.
#[tokio::test]
async fn a_request_is_recorded_once() {
    let mut anna = Machine::new();
    anna.writes(BEN, MessageBody::Request(request()));
    let mail = anna.sharing.people.mail();
    let length = || {
        let names = anna.sharing.pod.state_names().unwrap();
        let files = names.iter().filter(|name| name.starts_with("audit"));
        let lengths = files.map(|name| anna.sharing.pod.state_file(name).unwrap().unwrap().1);
        lengths.sum::<u64>()
    };
    let happening = Happening::new(crate::format::audit::Kind::RequestReceived);
    let before = length();
    anna.sharing
        .people
        .audit()
        .record(&happening)
        .await
        .unwrap();
    let of_one = length() - before;
    let both = tokio::join!(mail.note_requests(), mail.note_requests());
    both.0.and(both.1).unwrap();
    let recorded = length();
    // One record, a little longer than that of nobody.
    assert!((of_one..of_one * 2).contains(&(recorded - before - of_one)));
    mail.note_requests().await.unwrap();
    assert_eq!(length(), recorded);
    assert!(anna.sharing.messages.unrecorded().unwrap().is_empty());
}
