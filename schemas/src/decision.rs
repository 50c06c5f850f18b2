//! The proof that a worker decided an event. Edges publish into the same logs and have no key to make one, so what only
//! workers may decide, above all who is a member, counts only with it.

use std::{fmt, str::FromStr};

use crate::id::Seq;

/// Of a deployment: 32 random bytes that workers alone can read.
#[derive(Clone)]
pub struct DecisionKey(pub [u8; 32]);

/// Where a decision belongs. Events that were decided together are stored together.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Basis {
    /// The conversation has nothing between this seq and the first event that was decided.
    pub after: Seq,
    /// Which one of them it is, from 1.
    pub place: u32,
}

/// Of one event: it was decided on this basis by whoever has the key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Proof {
    basis: Basis,
    /// Compared in constant time, as this type is.
    mac: blake3::Hash,
}

/// Text that is no proof.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not a proof of a decision")]
pub struct NoProof;

impl DecisionKey {
    /// `payload`: the event's bytes, which name its conversation and its id.
    #[must_use]
    pub fn prove(&self, basis: Basis, payload: &[u8]) -> Proof {
        Proof { basis, mac: self.mac(basis, payload) }
    }

    /// On which basis the event was decided; `None`: the proof is of another event, basis or deployment.
    #[must_use]
    pub fn verify(&self, proof: &Proof, payload: &[u8]) -> Option<Basis> {
        (self.mac(proof.basis, payload) == proof.mac).then_some(proof.basis)
    }

    fn mac(&self, Basis { after, place }: Basis, payload: &[u8]) -> blake3::Hash {
        let mut hasher = blake3::Hasher::new_keyed(&self.0);
        hasher.update(b"natter decision 1").update(&after.to_be_bytes()).update(&place.to_be_bytes());
        hasher.update(payload).finalize()
    }
}

impl fmt::Display for Proof {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { basis: Basis { after, place }, mac } = self;
        write!(f, "{after}.{place}.{}", mac.to_hex())
    }
}

impl FromStr for Proof {
    type Err = NoProof;

    fn from_str(text: &str) -> Result<Self, NoProof> {
        let mut words = text.splitn(3, '.');
        let mut word = || words.next().ok_or(NoProof);
        let after = word()?.parse().map_err(|_| NoProof)?;
        let place = word()?.parse().map_err(|_| NoProof)?;
        let mac = blake3::Hash::from_hex(word()?).map_err(|_| NoProof)?;
        Ok(Self { basis: Basis { after, place }, mac })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const KEY: DecisionKey = DecisionKey([7; 32]);
    const BASIS: Basis = Basis { after: 41, place: 2 };

    #[test]
    fn a_proof_holds_for_its_event_its_basis_and_its_key_alone() {
        let proof = KEY.prove(BASIS, b"event");
        assert_eq!(KEY.verify(&proof, b"event"), Some(BASIS));
        assert_eq!(KEY.verify(&proof, b"another"), None);
        assert_eq!(DecisionKey([8; 32]).verify(&proof, b"event"), None);
        for basis in [Basis { after: 42, ..BASIS }, Basis { place: 1, ..BASIS }] {
            assert_eq!(KEY.verify(&Proof { basis, ..proof }, b"event"), None);
        }
    }

    #[test]
    fn a_proof_survives_its_text_and_other_text_is_none() {
        let proof = KEY.prove(BASIS, b"event");
        let text = proof.to_string();
        assert_eq!(text.parse(), Ok(proof));
        let cut = &text[..text.len() - 1];
        for other in ["", "41", "41.2", "41.2.", "x.2.00", cut, &format!("{text}0")] {
            assert_eq!(other.parse::<Proof>(), Err(NoProof), "{other}");
        }
    }
}
