//! What the tests of this crate share: known keys, and a way to sign whatever an attacker might.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ring::rand::SystemRandom;
use ring::rsa::PublicKeyComponents;
use ring::signature::{
    ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, Ed25519KeyPair, KeyPair, RSA_PKCS1_SHA256, RsaKeyPair,
};
use serde_json::{Value, json};

use crate::signer::Signer;

/// A moment of trust time.
pub(crate) const NOW: i64 = 1_800_000_000;
/// The private key of RFC 8037 appendix A.1.
pub(crate) const SEED: [u8; 32] = *b"\x9d\x61\xb1\x9d\xef\xfd\x5a\x60\xba\x84\x4a\xf4\x92\xec\x2c\xc4\
    \x44\x49\xc5\x69\x7b\x32\x69\x19\x70\x3b\xac\x03\x1c\xae\x7f\x60";
/// Its thumbprint, by appendix A.3.
pub(crate) const KID: &str = "kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k";
/// The key of somebody else.
pub(crate) const OTHER_SEED: [u8; 32] = [7; 32];
/// Who signs with these keys.
pub(crate) const ISSUER: &str = "https://id.example";

/// Keys that OpenSSL made.
const RSA: &[u8] = include_bytes!("fixture/rsa-2048.pk8");
const P256: &[u8] = include_bytes!("fixture/p256.pk8");

/// A signer with the known key, whose issuer is not the development one.
pub(crate) fn signer() -> Signer {
    Signer::from_pkcs8(&pkcs8(&SEED), ISSUER).unwrap()
}

/// The same with a key on P-256.
pub(crate) fn p256_signer() -> Signer {
    Signer::from_pkcs8(P256, ISSUER).unwrap()
}

/// A private key as OpenSSL writes it: PKCS#8 version 1.
pub(crate) fn pkcs8(seed: &[u8; 32]) -> Vec<u8> {
    let mut document = vec![0x30, 0x2e, 2, 1, 0, 0x30, 5, 6, 3, 0x2b, 0x65, 0x70, 4, 0x22, 4, 0x20];
    document.extend_from_slice(seed);
    document
}

/// The public part of the RSA key.
pub(crate) fn rsa_jwk() -> Value {
    let key = RsaKeyPair::from_pkcs8(RSA).unwrap();
    let public: PublicKeyComponents<Vec<u8>> = key.public_key().into();
    json!({ "kty": "RSA", "kid": "rsa", "n": encode(public.n), "e": encode(public.e), "use": "sig" })
}

/// Base64url of a text.
pub(crate) fn encode(text: impl AsRef<[u8]>) -> String {
    URL_SAFE_NO_PAD.encode(text)
}

/// The two texts, correctly signed with a key.
pub(crate) fn sign(seed: &[u8; 32], header: &str, claims: &str) -> String {
    let key = Ed25519KeyPair::from_seed_unchecked(seed).unwrap();
    seal(header, claims, |signed| key.sign(signed).as_ref().to_vec())
}

/// The same with the key on P-256.
pub(crate) fn sign_p256(header: &str, claims: &str) -> String {
    let random = SystemRandom::new();
    let key = EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, P256, &random).unwrap();
    seal(header, claims, |signed| key.sign(&random, signed).unwrap().as_ref().to_vec())
}

/// The same with the RSA key.
pub(crate) fn sign_rsa(header: &str, claims: &str) -> String {
    let key = RsaKeyPair::from_pkcs8(RSA).unwrap();
    seal(header, claims, |signed| {
        let mut signature = vec![0; key.public().modulus_len()];
        key.sign(&RSA_PKCS1_SHA256, &SystemRandom::new(), signed, &mut signature).unwrap();
        signature
    })
}

/// The two texts under a signature made somehow.
pub(crate) fn seal(header: &str, claims: &str, sign: impl Fn(&[u8]) -> Vec<u8>) -> String {
    let signed = format!("{}.{}", encode(header), encode(claims));
    let signature = sign(signed.as_bytes());
    format!("{signed}.{}", encode(signature))
}
