use super::*;
use crate::crypto::identity::{sign_public_key, xwing_public_key};
use hpke::kem::X25519HkdfSha256;

struct Person {
    print: Fingerprint,
    sign: Secret<32>,
    xwing: KemXwingSeed,
}

fn person(byte: u8) -> Person {
    Person {
        print: Fingerprint([byte; 32]),
        sign: Secret::from_bytes(&[byte + 100; 32]),
        xwing: KemXwingSeed::restore(Secret::from_bytes(&[byte + 200; 32])),
    }
}

fn place(index: u64) -> MessagePlace {
    MessagePlace {
        owner: Owner([1; 20]),
        topic: Topic([2; 32]),
        index,
    }
}

fn body() -> MessageBytes {
    let mut body = Zeroizing::new([0; MESSAGE_BODY_LEN]);
    body[..5].copy_from_slice(b"hello");
    body
}

fn seal(from: &Person, to: &Person, index: u64, seed: u8) -> Box<MessagePayload> {
    let between = Correspondents {
        sender: &from.print,
        recipient: &to.print,
    };
    let seed = Secret::from_bytes(&[seed; 32]);
    let key = xwing_public_key(&to.xwing);
    seal_message(&body(), &place(index), between, (&from.sign, &key), seed).unwrap()
}

fn open(payload: &[u8], from: &Person, to: &Person, index: u64) -> Result<(), NoMessage> {
    let between = Correspondents {
        sender: &from.print,
        recipient: &to.print,
    };
    let signer = sign_public_key(&from.sign);
    let opened = open_message(payload, &place(index), between, &signer, &to.xwing)?;
    assert_eq!(*opened, *body());
    Ok(())
}

#[test]
fn the_recipient_opens_it_and_nobody_else() {
    let (anna, ben, eve) = (person(1), person(2), person(3));
    let sealed = seal(&anna, &ben, 7, 1);
    assert!(*sealed == *seal(&anna, &ben, 7, 1), "the same again");
    assert!(*sealed != *seal(&anna, &ben, 7, 2));
    assert_eq!(open(sealed.as_slice(), &anna, &ben, 7), Ok(()));
    assert_eq!(open(sealed.as_slice(), &anna, &eve, 7), Err(NoMessage));
    // Not for another place, not by another signer, not by the recipient himself.
    assert_eq!(open(sealed.as_slice(), &anna, &ben, 8), Err(NoMessage));
    assert_eq!(open(sealed.as_slice(), &eve, &ben, 7), Err(NoMessage));
    assert_eq!(open(sealed.as_slice(), &ben, &ben, 7), Err(NoMessage));
}

#[test]
fn another_length_is_refused() {
    let (anna, ben) = (person(1), person(2));
    let sealed = seal(&anna, &ben, 7, 1);
    let longer = [sealed.as_slice(), &[0]].concat();
    for wrong in [&sealed[..4095], &longer, &[], &sealed[..1120]] {
        assert_eq!(open(wrong, &anna, &ben, 7), Err(NoMessage));
    }
}

#[test]
fn a_changed_byte_is_noticed_wherever_it_is() {
    let (anna, ben) = (person(1), person(2));
    let sealed = seal(&anna, &ben, 7, 1);
    // Every byte of the head, the tag and the seams; the others in steps.
    let all = (0..PAYLOAD_MAX)
        .step_by(7)
        .chain(1110..1130)
        .chain(4070..4096);
    for at in all {
        let mut changed = sealed.clone();
        changed[at] ^= 1 << (at % 8);
        let opened = open(changed.as_slice(), &anna, &ben, 7);
        assert_eq!(opened, Err(NoMessage), "byte {at}");
    }
}

/// The recipient seals what he was told to somebody else: the signature inside names him and his key.
#[test]
fn it_cannot_be_passed_on_as_if_written_to_another() {
    let (anna, ben, eve) = (person(1), person(2), person(3));
    let sealed = seal(&anna, &ben, 7, 1);
    let key = <XWing as Kem>::PrivateKey::from_bytes(ben.xwing.secret().expose()).unwrap();
    let (front, back) = sealed.split_at(ENCAPSULATED_LEN);
    let plain = opened(&MESSAGE, front, back, &key, &place(7)).unwrap();
    let to = xwing_public_key(&eve.xwing);
    let to = <XWing as Kem>::PublicKey::from_bytes(to.as_slice()).unwrap();
    let mut random = Stream::new(Domain::MessageStream, Secret::from_bytes(&[9; 32]));
    let (encapsulated, mut context) = setup_sender_with_rng::<ChaCha20Poly1305, HkdfSha256, XWing>(
        &OpModeS::Base,
        &to,
        &MESSAGE.info(),
        &mut random,
    )
    .unwrap();
    let again = context.seal(&plain, &place(7).encoded()).unwrap();
    let passed_on = [encapsulated.to_bytes().as_slice(), &again].concat();
    assert_eq!(open(&passed_on, &anna, &eve, 7), Err(NoMessage));
    // It does open, and it is the signature that does not fit.
    let key = <XWing as Kem>::PrivateKey::from_bytes(eve.xwing.secret().expose()).unwrap();
    let (front, back) = passed_on.split_at(ENCAPSULATED_LEN);
    assert_eq!(
        *opened(&MESSAGE, front, back, &key, &place(7)).unwrap(),
        *plain
    );
}

/// The same message to the same person, sealed as `S` and `info` say, at the place where the right one would stand.
fn sealed_otherwise<S: Kem>(to: &S::PublicKey, info: &[u8]) -> Vec<u8> {
    let (anna, ben) = (person(1), person(2));
    let between = Correspondents {
        sender: &anna.print,
        recipient: &ben.print,
    };
    let mut random = Stream::new(Domain::MessageStream, Secret::from_bytes(&[9; 32]));
    let (encapsulated, mut context) = setup_sender_with_rng::<ChaCha20Poly1305, HkdfSha256, S>(
        &OpModeS::Base,
        to,
        info,
        &mut random,
    )
    .unwrap();
    let front = encapsulated.to_bytes();
    let key = xwing_public_key(&ben.xwing);
    let hash = signed_hash(
        (&MESSAGE, &place(7)),
        body().as_slice(),
        between,
        &key,
        &front,
    );
    let signature = SigningKey::from_bytes(anna.sign.expose()).sign(&hash);
    let plain = [&signature.to_bytes()[..], body().as_slice()].concat();
    let back = context.seal(&plain, &place(7).encoded()).unwrap();
    [front.as_slice(), &back].concat()
}

/// A message is sealed in one way. What says another suite, or uses the weaker half of the recipient's keys, is none,
/// though the right person signed it.
#[test]
fn what_is_sealed_in_another_way_is_none() {
    let (anna, ben) = (person(1), person(2));
    let key = xwing_public_key(&ben.xwing);
    let key = <XWing as Kem>::PublicKey::from_bytes(key.as_slice()).unwrap();
    let right = sealed_otherwise::<XWing>(&key, &MESSAGE.info());
    assert_eq!(open(&right, &anna, &ben, 7), Ok(()));
    let weaker = [0, 0x20, 0, 1, 0, 3];
    for wrong in [
        enc(&[ad::MESSAGE, &weaker]),
        enc(&[ad::MESSAGE]),
        Vec::new(),
    ] {
        let sealed = sealed_otherwise::<XWing>(&key, &wrong);
        assert_eq!(open(&sealed, &anna, &ben, 7), Err(NoMessage));
    }
    // X25519 alone, to the half of the key that it is; padded to the length of a message.
    let half = xwing_public_key(&ben.xwing);
    let half = <X25519HkdfSha256 as Kem>::PublicKey::from_bytes(&half[1184..]).unwrap();
    let mut sealed = sealed_otherwise::<X25519HkdfSha256>(&half, &MESSAGE.info());
    assert_eq!(open(&sealed, &anna, &ben, 7), Err(NoMessage));
    sealed.splice(0..0, vec![0; PAYLOAD_MAX - sealed.len()]);
    assert_eq!(open(&sealed, &anna, &ben, 7), Err(NoMessage));
}

#[test]
fn a_key_that_is_none_is_refused() {
    let (anna, ben) = (person(1), person(2));
    let between = Correspondents {
        sender: &anna.print,
        recipient: &ben.print,
    };
    let seed = Secret::from_bytes(&[1; 32]);
    let key = [0xff; XWING_LEN];
    let sealed = seal_message(&body(), &place(0), between, (&anna.sign, &key), seed);
    assert_eq!(sealed.err(), Some(NoKey));
}
