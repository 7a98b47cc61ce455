//! The operations of the API, and which method and path lead to which.

use hyper::Method;

/// One operation of the API.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Operation {
    /// `POST /api/v1/index/retrieve`
    SearchIndex,
    /// `GET /api/v1/log`
    GetLogInfo,
    /// `GET /api/v1/log/publicKey`
    GetPublicKey,
    /// `GET /api/v1/log/proof`
    GetLogProof,
    /// `POST /api/v1/log/entries`
    CreateLogEntry,
    /// `GET /api/v1/log/entries`
    GetLogEntryByIndex,
    /// `GET /api/v1/log/entries/{entryUUID}`
    GetLogEntryByUuid,
    /// `POST /api/v1/log/entries/retrieve`
    SearchLogQuery,
}

/// Where a method and a path lead.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Match<'a> {
    /// To an operation, with its path parameter, still escaped.
    Operation(Operation, &'a str),
    /// To none with this method, but to one with each of these.
    OtherMethod(&'static [&'static str]),
    /// To none.
    Unknown,
}

const ENTRIES: &str = "/api/v1/log/entries";
const ENTRY: &str = "/api/v1/log/entries/{entryUUID}";
const RETRIEVE: &str = "/api/v1/log/entries/retrieve";
const INDEX: &str = "/api/v1/index/retrieve";
const LOG: &str = "/api/v1/log";
const PUBLIC_KEY: &str = "/api/v1/log/publicKey";
const PROOF: &str = "/api/v1/log/proof";

impl Operation {
    /// All of them.
    pub(crate) const ALL: [Self; 8] = [
        Self::SearchIndex,
        Self::GetLogInfo,
        Self::GetPublicKey,
        Self::GetLogProof,
        Self::CreateLogEntry,
        Self::GetLogEntryByIndex,
        Self::GetLogEntryByUuid,
        Self::SearchLogQuery,
    ];

    /// Its operation ID in the OpenAPI document.
    pub(crate) fn id(self) -> &'static str {
        match self {
            Self::SearchIndex => "searchIndex",
            Self::GetLogInfo => "getLogInfo",
            Self::GetPublicKey => "getPublicKey",
            Self::GetLogProof => "getLogProof",
            Self::CreateLogEntry => "createLogEntry",
            Self::GetLogEntryByIndex => "getLogEntryByIndex",
            Self::GetLogEntryByUuid => "getLogEntryByUUID",
            Self::SearchLogQuery => "searchLogQuery",
        }
    }

    /// All operation IDs, for an error text.
    pub(crate) fn ids() -> String {
        Self::ALL.map(Self::id).join(", ")
    }

    /// Its name in the answer when it is switched off.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::SearchIndex => "Search Index API",
            Self::GetLogInfo => "Get Log Info API",
            Self::GetPublicKey => "Get Public Key API",
            Self::GetLogProof => "Get Log Proof API",
            Self::CreateLogEntry => "Create Entry API",
            Self::GetLogEntryByIndex => "Get Log Entry by Index API",
            Self::GetLogEntryByUuid => "Get Log Entry by UUID API",
            Self::SearchLogQuery => "Search Log Query API",
        }
    }

    /// Its path.
    pub(crate) fn template(self) -> &'static str {
        match self {
            Self::SearchIndex => INDEX,
            Self::GetLogInfo => LOG,
            Self::GetPublicKey => PUBLIC_KEY,
            Self::GetLogProof => PROOF,
            Self::CreateLogEntry | Self::GetLogEntryByIndex => ENTRIES,
            Self::GetLogEntryByUuid => ENTRY,
            Self::SearchLogQuery => RETRIEVE,
        }
    }

    /// Its method.
    pub(crate) fn method(self) -> Method {
        match self {
            Self::SearchIndex | Self::CreateLogEntry | Self::SearchLogQuery => Method::POST,
            _ => Method::GET,
        }
    }
}

/// Finds the operation for a cleaned, escaped path. Case counts.
pub(super) fn find<'a>(method: &Method, path: &'a str) -> Match<'a> {
    let fixed = |get: Option<Operation>, post: Option<Operation>| {
        let (found, allowed): (_, &[&str]) = match (get, post) {
            (Some(_), Some(_)) => (pick(method, get, post), &["GET", "POST"]),
            (Some(_), None) => (pick(method, get, post), &["GET"]),
            _ => (pick(method, get, post), &["POST"]),
        };
        found.map_or(Match::OtherMethod(allowed), |found| Match::Operation(found, ""))
    };
    match path {
        INDEX => fixed(None, Some(Operation::SearchIndex)),
        LOG => fixed(Some(Operation::GetLogInfo), None),
        PUBLIC_KEY => fixed(Some(Operation::GetPublicKey), None),
        PROOF => fixed(Some(Operation::GetLogProof), None),
        ENTRIES => fixed(Some(Operation::GetLogEntryByIndex), Some(Operation::CreateLogEntry)),
        RETRIEVE if method != Method::GET => {
            // With GET this is the ID of an entry, though not one that could be.
            match fixed(None, Some(Operation::SearchLogQuery)) {
                Match::OtherMethod(_) => Match::OtherMethod(&["GET", "POST"]),
                found => found,
            }
        }
        _ => match path.strip_prefix(ENTRIES).and_then(|rest| rest.strip_prefix('/')) {
            Some(id) if !id.is_empty() && !id.contains('/') => {
                match fixed(Some(Operation::GetLogEntryByUuid), None) {
                    Match::Operation(found, _) => Match::Operation(found, id),
                    other => other,
                }
            }
            _ => Match::Unknown,
        },
    }
}

fn pick(method: &Method, get: Option<Operation>, post: Option<Operation>) -> Option<Operation> {
    match *method {
        Method::GET => get,
        Method::POST => post,
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_operation_is_found_where_it_says() {
        for operation in Operation::ALL {
            let path = operation.template().replace("{entryUUID}", "abc");
            let parameter = if path.ends_with("abc") { "abc" } else { "" };
            let found = find(&operation.method(), &path);
            assert_eq!(found, Match::Operation(operation, parameter), "{path}");
        }
    }

    #[test]
    fn other_methods_and_other_paths() {
        let allowed = |method: Method, path| match find(&method, path) {
            Match::OtherMethod(allowed) => allowed.join(","),
            other => panic!("{other:?}"),
        };
        assert_eq!(allowed(Method::DELETE, ENTRIES), "GET,POST");
        assert_eq!(allowed(Method::HEAD, LOG), "GET");
        assert_eq!(allowed(Method::GET, INDEX), "POST");
        assert_eq!(allowed(Method::PUT, RETRIEVE), "GET,POST");
        assert_eq!(allowed(Method::POST, "/api/v1/log/entries/abc"), "GET");
        for path in ["/", "/api/v1", "/API/v1/log", "/api/v1/log/entries/a/b", "/api/v1/version"] {
            assert_eq!(find(&Method::GET, path), Match::Unknown, "{path}");
        }
        let by_id = Match::Operation(Operation::GetLogEntryByUuid, "retrieve");
        assert_eq!(find(&Method::GET, RETRIEVE), by_id);
    }
}
