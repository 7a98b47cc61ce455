//! The few things to look at: home page, `/ping`, the API's description and a page that shows it.

use hyper::{Method, StatusCode};

use super::super::reply::typed;
use super::super::server::Reply;
use super::path::clean;

/// A static answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Page {
    /// The state of the log, for people.
    Home,
    /// One byte, for probes.
    Ping,
    /// OpenAPI 2.0.
    OpenApi,
    /// The same, for people.
    Docs,
}

impl Page {
    /// The page at a path. Only `/ping` minds the method.
    pub(super) fn at(method: &Method, path: &str) -> Option<Self> {
        match path {
            "/" => Some(Self::Home),
            "/swagger.json" => Some(Self::OpenApi),
            path if path.eq_ignore_ascii_case("/ping") => {
                (*method == Method::GET || *method == Method::HEAD).then_some(Self::Ping)
            }
            path if path.starts_with("/docs") && clean(path) == "/docs" => Some(Self::Docs),
            _ => None,
        }
    }

    /// Its path.
    pub(super) fn path(self) -> &'static str {
        match self {
            Self::Home => "/",
            Self::Ping => "/ping",
            Self::OpenApi => "/swagger.json",
            Self::Docs => "/docs",
        }
    }

    /// Its text.
    pub(super) fn answer(self) -> Reply {
        let (content_type, text) = match self {
            Self::Home => ("text/html", include_str!("home.html")),
            Self::Ping => ("text/plain", "."),
            Self::OpenApi => ("application/json", include_str!("swagger.json")),
            Self::Docs => ("text/html; charset=utf-8", include_str!("docs.html")),
        };
        typed(StatusCode::OK, content_type, text)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::Value;

    use super::super::Operation;

    #[test]
    fn the_description_has_every_operation() {
        let document: Value = serde_json::from_str(include_str!("swagger.json")).unwrap();
        for operation in Operation::ALL {
            let method = operation.method().as_str().to_ascii_lowercase();
            let described = &document["paths"][operation.template()][&method];
            assert_eq!(described["operationId"], operation.id(), "{operation:?}");
        }
        let pretty = serde_json::to_string_pretty(&document).unwrap();
        let written: Vec<&str> = include_str!("swagger.json").trim_end().lines().collect();
        assert_eq!(written.len(), pretty.lines().count(), "indented by two spaces");
    }

    #[test]
    fn every_reference_of_the_description_leads_somewhere() {
        let document: Value = serde_json::from_str(include_str!("swagger.json")).unwrap();
        let mut open = vec![&document];
        while let Some(value) = open.pop() {
            if let Some(path) = value["$ref"].as_str() {
                assert!(document.pointer(&path[1..]).is_some(), "{path}");
            }
            match value {
                Value::Object(map) => open.extend(map.values()),
                Value::Array(list) => open.extend(list),
                _ => {}
            }
        }
    }

    #[test]
    fn pages_load_nothing_from_elsewhere() {
        for page in [include_str!("home.html"), include_str!("docs.html")] {
            assert!(!page.contains("http"), "only relative addresses");
        }
    }
}
