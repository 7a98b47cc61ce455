//! Cross-origin requests: browsers of any origin may read and write.

use hyper::header::{
    ACCESS_CONTROL_ALLOW_HEADERS, ACCESS_CONTROL_ALLOW_METHODS, ACCESS_CONTROL_ALLOW_ORIGIN,
    ACCESS_CONTROL_REQUEST_HEADERS, ACCESS_CONTROL_REQUEST_METHOD, HeaderMap, HeaderValue, ORIGIN,
    VARY,
};
use hyper::http::request::Parts;
use hyper::{Method, StatusCode};

use super::super::reply::empty;
use super::super::server::Reply;

const METHODS: [&str; 3] = ["GET", "POST", "HEAD"];
const HEADERS: [&str; 3] = ["accept", "content-type", "x-requested-with"];
const ANYWHERE: HeaderValue = HeaderValue::from_static("*");
const VARY_PREFLIGHT: &str =
    "Origin, Access-Control-Request-Method, Access-Control-Request-Headers";

/// The answer to a browser that asks whether it may; `None` when this is no such question.
pub(super) fn preflight(parts: &Parts) -> Option<Reply> {
    let headers = &parts.headers;
    let method = headers.get(ACCESS_CONTROL_REQUEST_METHOD).filter(|method| !method.is_empty())?;
    if parts.method != Method::OPTIONS {
        return None;
    }
    let mut reply = empty(StatusCode::NO_CONTENT);
    let out = reply.headers_mut();
    out.insert(VARY, HeaderValue::from_static(VARY_PREFLIGHT));
    let wanted = headers.get(ACCESS_CONTROL_REQUEST_HEADERS);
    let allowed = headers.get(ORIGIN).is_some_and(|origin| !origin.is_empty())
        && METHODS.iter().any(|known| method == known)
        && wanted.is_none_or(are_allowed);
    if allowed {
        out.insert(ACCESS_CONTROL_ALLOW_ORIGIN, ANYWHERE);
        out.insert(ACCESS_CONTROL_ALLOW_METHODS, method.clone());
        if let Some(wanted) = wanted.filter(|wanted| !wanted.is_empty()) {
            out.insert(ACCESS_CONTROL_ALLOW_HEADERS, wanted.clone());
        }
    }
    Some(reply)
}

fn are_allowed(wanted: &HeaderValue) -> bool {
    let Ok(wanted) = wanted.to_str() else { return false };
    let mut names = wanted.split(',').map(str::trim).filter(|name| !name.is_empty());
    names.all(|name| HEADERS.iter().any(|known| name.eq_ignore_ascii_case(known)))
}

/// Adds to any other answer what a browser needs to hand it to a page.
pub(super) fn mark(parts: &Parts, out: &mut HeaderMap) {
    out.insert(VARY, HeaderValue::from_static("Origin"));
    if parts.headers.contains_key(ORIGIN) && METHODS.contains(&parts.method.as_str()) {
        out.insert(ACCESS_CONTROL_ALLOW_ORIGIN, ANYWHERE);
    }
}

#[cfg(test)]
mod tests {
    use hyper::Request;

    use super::*;

    fn ask(headers: &[(&str, &str)]) -> Option<HeaderMap> {
        let mut request = Request::options("/api/v1/log");
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        preflight(&request.body(()).unwrap().into_parts().0).map(|reply| reply.headers().clone())
    }

    #[test]
    fn preflights() {
        assert!(ask(&[("Origin", "https://a")]).is_none());
        let origin = ("Origin", "https://a");
        let method = ("Access-Control-Request-Method", "POST");
        let yes = ask(&[origin, method, ("Access-Control-Request-Headers", "content-type")]);
        let yes = yes.unwrap();
        assert_eq!(yes["access-control-allow-origin"], "*");
        assert_eq!(yes["access-control-allow-methods"], "POST");
        assert_eq!(yes["access-control-allow-headers"], "content-type");
        for no in [
            ask(&[method]),
            ask(&[origin, ("Access-Control-Request-Method", "DELETE")]),
            ask(&[origin, method, ("Access-Control-Request-Headers", "accept, x-own")]),
        ] {
            let no = no.unwrap();
            assert_eq!(no.keys().collect::<Vec<_>>(), ["vary"]);
            assert_eq!(no["vary"], VARY_PREFLIGHT);
        }
    }
}
