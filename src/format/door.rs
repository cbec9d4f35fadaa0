//! What is said at the door: the card of who comes, and what they ask for.

use zeroize::Zeroizing;

use crate::crypto::door::{DOOR_BODY_LEN, DoorBytes};
use crate::format::card::{SIGNED_CARD_LEN, SignedCard};
use crate::format::message::{Message, MessageBody};
use crate::format::wire::Malformed;

/// A request of somebody who may be unknown.
#[derive(Clone, PartialEq, Eq)]
pub struct Knock {
    /// Theirs. It names the key that signed all this.
    pub card: SignedCard,
    /// A request that answers nothing.
    pub message: Message,
}

impl Knock {
    /// The bytes with the zeros behind, ready to be sealed: `card 1544 ‖ message`.
    ///
    /// # Errors
    /// When the message is no such request, or too long.
    pub fn padded(&self) -> Result<DoorBytes, Malformed> {
        let message = Zeroizing::new(self.message.encode()?);
        let length = SIGNED_CARD_LEN.saturating_add(message.len());
        if !is_said(&self.message) || length > DOOR_BODY_LEN {
            return Err(KNOCK);
        }
        let mut padded = Zeroizing::new([0; DOOR_BODY_LEN]);
        let bytes = self.card.bytes().iter().chain(message.iter());
        padded
            .iter_mut()
            .zip(bytes)
            .for_each(|(to, from)| *to = *from);
        Ok(padded)
    }

    /// Reads what was opened. The signature of the card was checked when this returns; that its owner said this was not.
    ///
    /// # Errors
    /// When there is no card, or something else than such a request and zeros behind.
    pub fn decode_padded(bytes: &[u8]) -> Result<Self, Malformed> {
        let (card, message) = bytes.split_at_checked(SIGNED_CARD_LEN).ok_or(KNOCK)?;
        if bytes.len() != DOOR_BODY_LEN {
            return Err(KNOCK);
        }
        // The message first: the signature of a card is the costlier one.
        let message = Message::decode_with_zeros(message)?;
        if !is_said(&message) {
            return Err(KNOCK);
        }
        Ok(Self {
            card: SignedCard::read(card)?,
            message,
        })
    }
}

const KNOCK: Malformed = Malformed("request at the door");

fn is_said(message: &Message) -> bool {
    matches!(message.body, MessageBody::Request(_)) && message.answers.is_none()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::crypto::Secret;
    use crate::crypto::identity::sign_card;
    use crate::crypto::keys::RootKey;
    use crate::crypto::phrase::Phrase;
    use crate::format::card::Card;
    use crate::format::message::{AccessRequest, MessageId};
    use crate::types::limits::{PURPOSE_MAX, REQUEST_TEXTS_MAX};
    use crate::types::{PlainText, Rights, Timespec};

    fn card() -> SignedCard {
        let phrase = Phrase::from_entropy(&Secret::from_bytes(&[0; 32]));
        let identity = RootKey::derive(&phrase.seed(), None).identity(0);
        let card = Card {
            number: 0,
            identity_number: 0,
            epoch: 0,
            made: Timespec { secs: 1, nanos: 2 },
            identity: identity.public_key(),
            sign: [1; 32],
            x25519: [2; 32],
            xwing: Box::new([3; 1216]),
            previous: [0; 32],
            successor: None,
        };
        let chunk = sign_card(&identity, 0, &card.encode()).unwrap();
        SignedCard::read(chunk.bytes()).unwrap()
    }

    fn knock(what: usize, purpose: usize) -> Knock {
        let text = |length| {
            let text = PlainText::parse(&"x".repeat(length));
            text.unwrap_or_else(|error| panic!("{error}"))
        };
        Knock {
            card: card(),
            message: Message {
                id: MessageId([1; 16]),
                time: Timespec { secs: 2, nanos: 3 },
                answers: None,
                body: MessageBody::Request(AccessRequest {
                    what: text(what),
                    purpose: text(purpose),
                    rights: Rights::WRITE,
                    from: Some(1),
                    until: Some(2),
                }),
            },
        }
    }

    #[test]
    fn the_longest_request_fits_beside_a_card() {
        let longest = knock(REQUEST_TEXTS_MAX - PURPOSE_MAX, PURPOSE_MAX);
        let padded = longest.padded().unwrap();
        assert!(Knock::decode_padded(padded.as_slice()) == Ok(longest));
        assert!(knock(1024, PURPOSE_MAX).padded().is_err());
    }

    #[test]
    fn nothing_but_a_request_is_said_there() {
        let mut answer = knock(1, 1);
        answer.message.answers = Some(MessageId([2; 16]));
        assert!(answer.padded().is_err());
        let mut arrived = answer.clone();
        arrived.message.body = MessageBody::Arrived;
        assert!(arrived.padded().is_err());
        for other in [answer, arrived] {
            let mut bytes = knock(1, 1).padded().unwrap();
            let message = other.message.encode().unwrap();
            bytes[SIGNED_CARD_LEN..].fill(0);
            bytes[SIGNED_CARD_LEN..][..message.len()].copy_from_slice(&message);
            assert!(Knock::decode_padded(bytes.as_slice()).is_err());
        }
    }

    #[test]
    fn the_card_is_one_and_zeros_stand_behind() {
        let good = knock(1, 1).padded().unwrap();
        for at in [0, 100, SIGNED_CARD_LEN - 1, DOOR_BODY_LEN - 1] {
            let mut changed = good.clone();
            changed[at] ^= 1;
            assert!(Knock::decode_padded(changed.as_slice()).is_err(), "{at}");
        }
        assert!(Knock::decode_padded(&good[..DOOR_BODY_LEN - 1]).is_err());
    }
}
