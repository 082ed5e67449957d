//! Base64 with the standard alphabet and padding (RFC 4648, section 4).
//!
//! Forty lines of our own, because it is all the product needs of it, the client's binary stays
//! small, and decoding is strict: exactly one text exists for each byte string.

const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
const PAD: u8 = b'=';

/// The text is not canonical base64.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not valid base64")]
pub struct Malformed;

/// Appends the base64 of `bytes`.
pub(crate) fn encode_into(bytes: &[u8], out: &mut Vec<u8>) {
    for chunk in bytes.chunks(3) {
        let word =
            chunk.iter().fold(0u32, |word, &byte| word << 8 | u32::from(byte)) << (8 * (3 - chunk.len()));
        for position in 0..4 {
            let digit = (word >> (18 - 6 * position)) as usize & 63;
            out.push(if position <= chunk.len() { ALPHABET[digit] } else { PAD });
        }
    }
}

/// The base64 of `bytes`.
pub(crate) fn encode(bytes: &[u8]) -> String {
    let mut out = Vec::with_capacity(bytes.len().div_ceil(3) * 4);
    encode_into(bytes, &mut out);
    String::from_utf8(out).expect("the alphabet is ASCII")
}

/// The bytes behind `text`.
pub(crate) fn decode(text: &str) -> Result<Vec<u8>, Malformed> {
    let text = text.as_bytes();
    if !text.len().is_multiple_of(4) {
        return Err(Malformed);
    }
    let mut out = Vec::with_capacity(text.len() / 4 * 3);
    let last = text.len() / 4;
    for (index, quad) in text.chunks(4).enumerate() {
        let kept = if index + 1 == last { quad.iter().position(|&byte| byte == PAD).unwrap_or(4) } else { 4 };
        decode_quad(quad, kept, &mut out)?;
    }
    Ok(out)
}

fn decode_quad(quad: &[u8], kept: usize, out: &mut Vec<u8>) -> Result<(), Malformed> {
    if kept < 2 || quad[kept..].iter().any(|&byte| byte != PAD) {
        return Err(Malformed);
    }
    let mut word = 0u32;
    for &byte in &quad[..kept] {
        word = word << 6 | digit(byte).ok_or(Malformed)?;
    }
    word <<= 6 * (4 - kept);
    let bytes = word.to_be_bytes();
    if bytes[kept..].iter().any(|&byte| byte != 0) {
        return Err(Malformed);
    }
    out.extend_from_slice(&bytes[1..kept]);
    Ok(())
}

fn digit(byte: u8) -> Option<u32> {
    let value = match byte {
        b'A'..=b'Z' => byte - b'A',
        b'a'..=b'z' => byte - b'a' + 26,
        b'0'..=b'9' => byte - b'0' + 52,
        b'+' => 62,
        b'/' => 63,
        _ => return None,
    };
    Some(u32::from(value))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn the_vectors_of_the_rfc() {
        let vectors = ["", "f", "fo", "foo", "foob", "fooba", "foobar"];
        let encoded = ["", "Zg==", "Zm8=", "Zm9v", "Zm9vYg==", "Zm9vYmE=", "Zm9vYmFy"];
        for (plain, text) in vectors.into_iter().zip(encoded) {
            assert_eq!(encode(plain.as_bytes()), text);
            assert_eq!(decode(text).as_deref(), Ok(plain.as_bytes()));
        }
    }

    #[test]
    fn anything_but_the_one_canonical_text_is_refused() {
        for text in ["Z", "Zg", "Zg=", "Zh==", "Zm9=", "Zg==Zg==", "=Zg=", "Z===", "====", "Zm 9v", "Zm-_"] {
            assert_eq!(decode(text), Err(Malformed), "{text}");
        }
    }

    proptest! {
        #[test]
        fn decoding_undoes_encoding(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            prop_assert_eq!(decode(&encode(&bytes)), Ok(bytes));
        }

        #[test]
        fn what_decodes_encodes_to_the_same_text(text in "[A-Za-z0-9+/=]{0,24}") {
            if let Ok(bytes) = decode(&text) {
                prop_assert_eq!(encode(&bytes), text);
            }
        }
    }
}
