use super::*;

#[tokio::test]
async fn one_who_shares_too_much_keeps_nobody_else_back() {
    let mut anna = Machine::new();
    for number in 0..GRANTS_MAX as u64 {
        let mut id = [0; 16];
        id[..8].copy_from_slice(&number.to_be_bytes());
        let arrived = anna.sharing.received.arrives(print(EVE), grant(id), at(5));
        assert_eq!(arrived.unwrap(), Arrival::New);
    }
    anna.comes(EVE, &grant([0xee; 16]));
    anna.comes(BEN, &grant([0xbe; 16]));
    anna.sharing.step().await;
    assert!(anna.received(0xee).is_none());
    assert!(anna.received(0xbe).unwrap().contact == print(BEN));
    assert_eq!(anna.sharing.taken.load(Ordering::Acquire), 2);
}
