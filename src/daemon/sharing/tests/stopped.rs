//! Of whom something is known that makes it doubtful who reads, or writes.

use super::*;
use crate::format::rows::Contact;
use crate::sync::Followers;

impl Machine {
    /// What is pinned of Ben is another thing by now.
    fn knows_of_ben(&self, what: impl FnOnce(&mut Contact)) {
        let (rows, key) = (self.sharing.people.rows(), Key::contact_with(&print(BEN)));
        let mut contact = Contact::decode(&rows.get(&key).unwrap().unwrap()).unwrap();
        what(&mut contact);
        rows.put(key, contact.encode()).unwrap();
    }

    fn followed(&self) -> usize {
        Followers::followed(&*self.sharing).unwrap().len()
    }

    async fn sends(&self) {
        self.sharing.send_records(&*self.node).await.unwrap();
    }
}

/// Where it goes on cannot be told them yet, and what was made before waits in the feed of before.
#[tokio::test]
async fn who_has_the_keys_that_the_other_one_replaced_is_told_of_ends_alone() {
    let anna = Machine::with_card(false);
    let given = anna.shares(1);
    assert_eq!(anna.followed(), 1);
    anna.knows_of_ben(|contact| {
        let card = card(1, BEN, &Secret::from_bytes(&[BEN; 32]));
        *contact.card = card.bytes().try_into().unwrap();
    });
    anna.sharing.move_grants().unwrap();
    anna.sends().await;
    assert_eq!(anna.followed(), 0);
    assert!(anna.finds(&given).await.is_none());
    anna.sharing.end(&given, Ended::Revoked).await.unwrap();
    anna.sends().await;
    let (_, record) = anna.finds(&given).await.unwrap();
    assert!(record.state == RecordState::Ended(Ended::Revoked));
}

#[tokio::test]
async fn nothing_is_taken_of_who_may_be_somebody_else() {
    let mut anna = Machine::new();
    anna.comes(BEN, &grant([7; 16]));
    anna.sharing.take_grants().await.unwrap();
    let received = anna.received(7).unwrap();
    anna.sharing.bring(&received).await.unwrap();
    let given = anna.shares(1);
    let taken = async || anna.sharing.take_over_from(&received, &given).await.told();
    assert_eq!(taken().await, None);
    anna.knows_of_ben(|contact| contact.alarm = Some([9; 32]));
    let why = anna.sharing.bring(&received).await.unwrap_err();
    assert!(why.contains("nothing vouches for"), "{why}");
    assert_eq!(taken().await, Some(why));
    assert_eq!(anna.followed(), 0);
}

/// The machine that sent it is lost, and what it noted with it.
#[tokio::test]
async fn behind_an_end_in_the_network_nothing_is_told() {
    let (lost, anna) = (Machine::new(), Machine::new());
    let given = lost.shares(1);
    lost.sends().await;
    lost.sharing.end(&given, Ended::Revoked).await.unwrap();
    lost.sharing.send_records(&*anna.node).await.unwrap();

    anna.shares(1);
    anna.sends().await;
    assert_eq!(anna.says(1).0, "revoked");
    assert_eq!(anna.followed(), 0);
    assert_eq!(anna.publishes(&given, 2), Told::Already);
    anna.sends().await;
    let (index, record) = anna.finds(&given).await.unwrap();
    assert_eq!(index, 1);
    assert!(record.state == RecordState::Ended(Ended::Revoked));
}
