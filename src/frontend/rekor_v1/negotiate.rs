//! `Content-Type` and `Accept`, as Rekor's router reads them.

use hyper::header::{ACCEPT, CONTENT_TYPE};
use hyper::http::request::Parts;

use super::super::body::Body;
use super::super::status::Problem;
use super::Operation;

/// Form of an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Offer {
    Json,
    Pem,
}

const JSON: &str = "application/json";
const PEM: &str = "application/x-pem-file";

/// Checks the type of the body, if there is one, and picks the form of the answer.
pub(super) async fn negotiate(
    operation: Operation,
    parts: &Parts,
    body: &mut Body,
) -> Result<Offer, Problem> {
    let with_body = body.has_data().await?;
    if with_body {
        check_content_type(&media_type(parts)?)?;
    }
    let (offers, list): (&[Offer], _) = match operation {
        Operation::GetPublicKey => {
            (&[Offer::Pem, Offer::Json], "application/x-pem-file application/json")
        }
        _ => (&[Offer::Json], JSON),
    };
    let accept: Vec<_> = parts.headers.get_all(ACCEPT).iter().collect();
    if accept.is_empty() {
        return Ok(offers[0]);
    }
    let accept: Vec<_> = accept.iter().filter_map(|value| value.to_str().ok()).collect();
    match best(&accept.join(","), offers) {
        Some(offer) => Ok(offer),
        // As in Rekor: who sends JSON is taken to understand it.
        None if with_body => Ok(Offer::Json),
        None => Err(Problem::NotAcceptable(list)),
    }
}

fn media_type(parts: &Parts) -> Result<String, Problem> {
    let Some(value) = parts.headers.get(CONTENT_TYPE).filter(|value| !value.is_empty()) else {
        return Ok("application/octet-stream".into());
    };
    let text = String::from_utf8_lossy(value.as_bytes());
    parse_media_type(&text).map_err(|why| {
        let text = format!("parsing Content-Type header from {text:?} failed, because mime: {why}");
        Problem::ContentType(text)
    })
}

fn check_content_type(found: &str) -> Result<(), Problem> {
    if found == JSON { Ok(()) } else { Err(Problem::MediaType(found.into())) }
}

/// `type/subtype` in lower case. Parameters must be well-formed and are ignored.
fn parse_media_type(text: &str) -> Result<String, &'static str> {
    let (base, parameters) = text.split_once(';').map_or((text, None), |(b, p)| (b, Some(p)));
    let base = base.trim().to_ascii_lowercase();
    let (kind, rest) = split_token(&base);
    if kind.is_empty() {
        return Err("no media type");
    }
    if !rest.is_empty() {
        let rest = rest.strip_prefix('/').ok_or("expected slash after first token")?;
        let (subtype, rest) = split_token(rest);
        if subtype.is_empty() {
            return Err("expected token after slash");
        }
        if !rest.is_empty() {
            return Err("unexpected content after media subtype");
        }
    }
    let mut rest = parameters.map_or("", str::trim);
    while !rest.is_empty() {
        rest = after_parameter(rest).ok_or("invalid media parameter")?;
    }
    Ok(base)
}

/// What follows `name=value` and its `;`.
fn after_parameter(text: &str) -> Option<&str> {
    let (name, rest) = split_token(text);
    let rest = rest.trim_start().strip_prefix('=')?.trim_start();
    let rest = match rest.strip_prefix('"') {
        Some(quoted) => quoted.split_once('"')?.1,
        None => {
            let (value, rest) = split_token(rest);
            if value.is_empty() { return None } else { rest }
        }
    };
    let rest = rest.trim_start();
    match rest.strip_prefix(';') {
        _ if name.is_empty() => None,
        Some(rest) => Some(rest.trim_start()),
        None => rest.is_empty().then_some(""),
    }
}

fn split_token(text: &str) -> (&str, &str) {
    let is_token = |c: char| c.is_ascii_graphic() && !"()<>@,;:\\\"/[]?=".contains(c);
    text.split_at(text.find(|c| !is_token(c)).unwrap_or(text.len()))
}

/// The offer that an `Accept` header likes best: higher weight first, then the more specific range,
/// then the earlier offer.
fn best(accept: &str, offers: &[Offer]) -> Option<Offer> {
    let mut best: Option<(f64, u8, Offer)> = None;
    for offer in offers {
        let name = if *offer == Offer::Json { JSON } else { PEM };
        for range in accept.split(',') {
            let mut parts = range.split(';');
            let range = parts.next().unwrap_or_default().trim().to_ascii_lowercase();
            let specific = match range.as_str() {
                "*/*" => 0,
                "application/*" => 1,
                range if range == name => 2,
                _ => continue,
            };
            let weight = parts.find_map(|part| part.trim().strip_prefix("q="));
            let weight = weight.map_or(Some(1.0), |weight| weight.parse().ok()).unwrap_or(0.0);
            let better = best.is_none_or(|(w, s, _)| weight > w || (weight == w && specific > s));
            if weight > 0.0 && better {
                best = Some((weight, specific, *offer));
            }
        }
    }
    best.map(|(_, _, offer)| offer)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn media_types() {
        for (text, parsed) in [
            ("application/json", Ok("application/json")),
            ("Application/JSON; charset=utf-8", Ok("application/json")),
            ("application/json;", Ok("application/json")),
            ("application/json; a=\"b c\"; d=e", Ok("application/json")),
            ("text", Ok("text")),
            (";;", Err("no media type")),
            ("application/", Err("expected token after slash")),
            ("application json", Err("expected slash after first token")),
            ("application/json x", Err("unexpected content after media subtype")),
            ("application/json; charset", Err("invalid media parameter")),
        ] {
            assert_eq!(parse_media_type(text), parsed.map(String::from), "{text}");
        }
    }

    #[test]
    fn accepted_forms() {
        let both = [Offer::Pem, Offer::Json];
        for (accept, form) in [
            ("*/*", Some(Offer::Pem)),
            ("application/json", Some(Offer::Json)),
            ("application/*", Some(Offer::Pem)),
            ("application/json, */*;q=0.1", Some(Offer::Json)),
            ("text/html", None),
            ("application/json;q=0", None),
            ("text/html, application/x-pem-file;q=0.2", Some(Offer::Pem)),
            ("*/*, application/json", Some(Offer::Json)),
        ] {
            assert_eq!(best(accept, &both), form, "{accept}");
        }
        assert_eq!(best("application/x-pem-file", &[Offer::Json]), None);
    }
}
