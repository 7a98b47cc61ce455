//! ProtoJSON by serde: numbers of 64 bits as texts or numbers, bytes in either alphabet of base64,
//! `null` for what is not there. Two members of one name are refused by what serde derives.

use base64::Engine as _;
use base64::alphabet::{STANDARD, URL_SAFE};
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use serde::de::{Deserialize, Deserializer, Error};

const ANY_PADDING: GeneralPurposeConfig =
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent);
const EITHER: [GeneralPurpose; 2] =
    [GeneralPurpose::new(&STANDARD, ANY_PADDING), GeneralPurpose::new(&URL_SAFE, ANY_PADDING)];

/// Bytes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Bytes(pub(super) Vec<u8>);

impl<'de> Deserialize<'de> for Bytes {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = Option::<String>::deserialize(deserializer)?.unwrap_or_default();
        let decoded = EITHER.iter().find_map(|alphabet| alphabet.decode(&text).ok());
        decoded.map(Self).ok_or_else(|| D::Error::custom("bytes are not base64"))
    }
}

/// A number that is not negative; 0 if it is not there.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Number(pub(super) u64);

impl<'de> Deserialize<'de> for Number {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        #[derive(serde::Deserialize)]
        #[serde(untagged)]
        enum Written {
            Text(String),
            Number(i64),
            Null(()),
        }
        let number = match Written::deserialize(deserializer)? {
            Written::Text(text) => text.parse::<i64>().map_err(D::Error::custom)?,
            Written::Number(number) => number,
            Written::Null(()) => 0,
        };
        let number = u64::try_from(number).map_err(|_| D::Error::custom("a number is negative"))?;
        Ok(Self(number))
    }
}

/// A list; empty if it is null.
pub(super) fn list<'de, D, T>(deserializer: D) -> Result<Vec<T>, D::Error>
where
    D: Deserializer<'de>,
    T: Deserialize<'de>,
{
    Ok(Option::<Vec<T>>::deserialize(deserializer)?.unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(serde::Deserialize)]
    struct All {
        #[serde(default)]
        number: Number,
        #[serde(default)]
        bytes: Bytes,
        #[serde(default, deserialize_with = "list")]
        items: Vec<u8>,
    }

    #[test]
    fn what_protojson_writes_is_read() {
        for (text, number, bytes, items) in [
            (r#"{}"#, 0, &[][..], &[][..]),
            (r#"{"number":null,"bytes":null,"items":null}"#, 0, &[], &[]),
            (r#"{"number":"7","bytes":"+/8=","items":[1]}"#, 7, &[0xfb, 0xff], &[1]),
            (r#"{"number":7,"bytes":"-_8"}"#, 7, &[0xfb, 0xff], &[]),
        ] {
            let all: All = serde_json::from_str(text).unwrap();
            assert_eq!(
                (all.number.0, &*all.bytes.0, &*all.items),
                (number, bytes, items),
                "{text}"
            );
        }
        for text in [
            r#"{"number":-1}"#,
            r#"{"number":"-1"}"#,
            r#"{"number":"9223372036854775808"}"#,
            r#"{"number":1.5}"#,
            r#"{"number":1,"number":1}"#,
            r#"{"bytes":"+_8="}"#,
            r#"{"bytes":"*"}"#,
            r#"{"items":{}}"#,
        ] {
            assert!(serde_json::from_str::<All>(text).is_err(), "{text}");
        }
    }
}
