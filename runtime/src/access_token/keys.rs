//! Keys of access tokens: which one signs, and which one a token names. A key has one algorithm, so a token cannot
//! choose how it is verified (RFC 8725 §3.1).

use anyhow::Context;
use jsonwebtoken::{
    Algorithm, DecodingKey, EncodingKey, Header, Validation,
    jwk::{Jwk, JwkSet, PublicKeyUse},
};
use secrecy::ExposeSecret;

use super::{AUDIENCE, ISSUER};
use crate::config::{PemKey, TokenKeys};

/// One that signs, and all that verify.
pub struct Keys {
    header: Header,
    signing: EncodingKey,
    verifying: VerifyingKeys,
}

/// Of a process that issues no tokens: the public half of a private key is enough.
pub struct VerifyingKeys {
    keys: Vec<Key>,
    public: JwkSet,
}

/// A key that verifies.
pub(super) struct Key {
    /// `None`: of tokens that name none.
    id: Option<String>,
    pub(super) verifying: DecodingKey,
    pub(super) validation: Validation,
}

impl Key {
    fn new(id: Option<&str>, verifying: DecodingKey, algorithm: Algorithm) -> Self {
        Self { id: id.map(str::to_owned), verifying, validation: validation(algorithm) }
    }
}

fn validation(algorithm: Algorithm) -> Validation {
    let mut validation = Validation::new(algorithm);
    validation.set_issuer(&[ISSUER]);
    validation.set_audience(&[AUDIENCE]);
    validation.set_required_spec_claims(&["exp", "iss", "aud", "sub"]);
    // The library would ask this machine's clock: `Tokens::verify` compares the times.
    validation.validate_exp = false;
    validation.validate_nbf = false;
    validation
}

impl Keys {
    /// Of these settings.
    ///
    /// # Errors
    /// When none can sign, and for a PEM file that has no Ed25519 key.
    pub fn new(settings: &TokenKeys) -> anyhow::Result<Self> {
        let Building { signing, verifying, published } = Building::of(settings)?;
        let (header, signing) =
            signing.context("no key signs: set JWT_SECRET, JWT_SECRETS or JWT_PRIVATE_KEY")?;
        Ok(Self { header, signing, verifying: VerifyingKeys::of_all(verifying, published) })
    }

    /// Those that verify, the signing one among them.
    pub const fn verifying(&self) -> &VerifyingKeys {
        &self.verifying
    }

    /// The key of new tokens.
    pub(super) const fn signing(&self) -> (&Header, &EncodingKey) {
        (&self.header, &self.signing)
    }
}

impl VerifyingKeys {
    /// Of these settings; none may be among them.
    ///
    /// # Errors
    /// For a PEM file that has no Ed25519 key.
    pub fn new(settings: &TokenKeys) -> anyhow::Result<Self> {
        let Building { verifying, published, .. } = Building::of(settings)?;
        Ok(Self::of_all(verifying, published))
    }

    const fn of_all(keys: Vec<Key>, published: Vec<Jwk>) -> Self {
        Self { keys, public: JwkSet { keys: published } }
    }

    /// Without one every token is refused.
    pub const fn is_empty(&self) -> bool {
        self.keys.is_empty()
    }

    /// The key that this header names; `None` if there is none, and if it is of another algorithm.
    pub(super) fn of(&self, header: &Header) -> Option<&Key> {
        let key = self.keys.iter().find(|key| key.id == header.kid)?;
        key.validation.algorithms.contains(&header.alg).then_some(key)
    }

    /// For other services that check tokens. Secrets are never part of it.
    pub const fn published(&self) -> &JwkSet {
        &self.public
    }
}

#[derive(Default)]
struct Building {
    /// The first of those that can.
    signing: Option<(Header, EncodingKey)>,
    verifying: Vec<Key>,
    published: Vec<Jwk>,
}

impl Building {
    fn of(settings: &TokenKeys) -> anyhow::Result<Self> {
        let mut keys = Self::default();
        if let Some(private) = &settings.private {
            keys.private(private).with_context(|| {
                format!("JWT_PRIVATE_KEY: {} is not an Ed25519 private key (PEM, PKCS #8)", private.id)
            })?;
        }
        for secret in &settings.secrets {
            keys.secret(secret.id.as_deref(), secret.key.expose_secret());
        }
        for public in &settings.public {
            keys.public(public).with_context(|| {
                format!("JWT_PUBLIC_KEYS: {} is not an Ed25519 public key (PEM, SPKI)", public.id)
            })?;
        }
        Ok(keys)
    }

    fn secret(&mut self, id: Option<&str>, secret: &[u8]) {
        let algorithm = Algorithm::HS256;
        self.verifying.push(Key::new(id, DecodingKey::from_secret(secret), algorithm));
        self.sign_with(id, EncodingKey::from_secret(secret), algorithm);
    }

    fn private(&mut self, PemKey { id, pem }: &PemKey) -> anyhow::Result<()> {
        let key = EncodingKey::from_ed_pem(pem.expose_secret().as_bytes())?;
        self.publish(id, Jwk::from_encoding_key(&key, Algorithm::EdDSA)?)?;
        self.sign_with(Some(id), key, Algorithm::EdDSA);
        Ok(())
    }

    fn public(&mut self, PemKey { id, pem }: &PemKey) -> anyhow::Result<()> {
        let key = DecodingKey::from_ed_pem(pem.expose_secret().as_bytes())?;
        self.publish(id, Jwk::from_decoding_key(&key, Some(Algorithm::EdDSA))?)
    }

    fn publish(&mut self, id: &str, mut jwk: Jwk) -> anyhow::Result<()> {
        self.verifying.push(Key::new(Some(id), DecodingKey::from_jwk(&jwk)?, Algorithm::EdDSA));
        jwk.common.key_id = Some(id.to_owned());
        jwk.common.public_key_use = Some(PublicKeyUse::Signature);
        self.published.push(jwk);
        Ok(())
    }

    fn sign_with(&mut self, id: Option<&str>, key: EncodingKey, algorithm: Algorithm) {
        let header = Header { kid: id.map(str::to_owned), ..Header::new(algorithm) };
        self.signing.get_or_insert((header, key));
    }
}
