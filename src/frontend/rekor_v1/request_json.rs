//! Request bodies of the two searches, read with the manners of Go's `encoding/json`: only the
//! first value counts, member names match in any case, `null` is absent.

use serde::Deserialize as _;
use serde_json::{Map, Value};

use super::super::status::Problem;

/// A search body's members.
pub(super) struct Members {
    map: Map<String, Value>,
    body: &'static str,
}

impl Members {
    /// Reads the members; `body` is what the API calls this body.
    pub(super) fn parse(bytes: &[u8], body: &'static str) -> Result<Self, Problem> {
        if bytes.iter().all(u8::is_ascii_whitespace) {
            return Err(Problem::required(body, "body"));
        }
        let value = Value::deserialize(&mut serde_json::Deserializer::from_slice(bytes));
        match value {
            Ok(Value::Object(map)) => Ok(Self { map, body }),
            Ok(Value::Null) => Ok(Self { map: Map::new(), body }),
            Ok(_) => Err(malformed(body, "it is not an object")),
            Err(error) if error.is_eof() => Err(malformed(body, "unexpected EOF")),
            Err(error) => Err(malformed(body, &error.to_string())),
        }
    }

    /// A member, an exact spelling first.
    pub(super) fn get(&self, name: &str) -> Option<&Value> {
        let any_case = || self.map.iter().find(|(found, _)| found.eq_ignore_ascii_case(name));
        let value = self.map.get(name).or_else(|| any_case().map(|(_, value)| value));
        value.filter(|value| !value.is_null())
    }

    /// A text; an empty one counts as absent.
    pub(super) fn text(&self, name: &str) -> Result<Option<&str>, Problem> {
        match self.get(name) {
            None => Ok(None),
            Some(Value::String(text)) => Ok(Some(text.as_str()).filter(|text| !text.is_empty())),
            Some(_) => Err(self.malformed(&format!("{name} is not a string"))),
        }
    }

    /// A list.
    pub(super) fn list(&self, name: &str) -> Result<Option<&[Value]>, Problem> {
        match self.get(name) {
            None => Ok(None),
            Some(Value::Array(list)) => Ok(Some(list)),
            Some(_) => Err(self.malformed(&format!("{name} is not an array"))),
        }
    }

    /// An object, itself read in the same way.
    pub(super) fn object(&self, name: &str) -> Result<Option<Self>, Problem> {
        match self.get(name) {
            None => Ok(None),
            Some(Value::Object(map)) => Ok(Some(Self { map: map.clone(), body: self.body })),
            Some(_) => Err(self.malformed(&format!("{name} is not an object"))),
        }
    }

    /// The answer to a body that cannot be read, whatever is wrong with it.
    pub(super) fn malformed(&self, why: &str) -> Problem {
        malformed(self.body, why)
    }
}

fn malformed(body: &str, why: &str) -> Problem {
    Problem::Malformed(format!("parsing {body} body from \"\" failed, because {why}"))
}
