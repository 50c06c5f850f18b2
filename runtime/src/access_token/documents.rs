//! Documents signed with the keys of access tokens, as a JWS (RFC 7515) of a type of its own: none of them is a token, and
//! no token is one of them.

use anyhow::{Context, ensure};
use jsonwebtoken::{Validation, decode, decode_header, encode};
use serde::{Serialize, de::DeserializeOwned};

use super::Keys;

impl Keys {
    /// The compact form. Its middle part is the JSON of `content`, in base64url: what is signed is these bytes.
    ///
    /// # Errors
    /// When it cannot be signed.
    pub fn sign(&self, typ: &str, content: &impl Serialize) -> anyhow::Result<String> {
        let (header, key) = self.signing();
        let mut header = header.clone();
        header.typ = Some(typ.to_owned());
        encode(&header, content, key).context("it cannot be signed")
    }

    /// What [`sign`](Self::sign) was given, if one of these keys has signed it.
    ///
    /// # Errors
    /// When none has, or it is of another type.
    pub fn open<T: DeserializeOwned>(&self, typ: &str, signed: &str) -> anyhow::Result<T> {
        let header = decode_header(signed).context("it is no JWS")?;
        let found = header.typ.as_deref().unwrap_or("of no type");
        ensure!(found == typ && header.crit.is_none(), "it is no {typ}: {found}");
        let key = self.verifying().of(&header).context("no key that is set has signed it")?;
        let mut validation = Validation::new(header.alg);
        validation.required_spec_claims.clear();
        validation.validate_exp = false;
        validation.validate_aud = false;
        let opened = decode::<T>(signed, &key.verifying, &validation);
        Ok(opened.context("the signature is not of the key that it names, or the content is another")?.claims)
    }
}
