//! What can be set of the front doors.

use hyper::header::HeaderName;

use super::limits::Limits;
use super::rekor_v1::Operation;
use crate::config::Settings;
use crate::limits::{REQUEST_BODY_BYTES_DEFAULT, V2_REQUEST_BODY_BYTES_DEFAULT};

/// Settings of the front doors, checked.
#[derive(Clone, Debug)]
pub struct FrontendSettings {
    /// Largest request body.
    pub max_request_body_bytes: usize,
    /// The same for API v2, if it is less.
    pub max_request_body_bytes_v2: usize,
    /// Header that carries a request's ID into the log.
    pub request_id_header: HeaderName,
    /// Caps on connections, times and memory.
    pub limits: Limits,
    pub(crate) disabled: Vec<Operation>,
}

/// A setting that cannot be.
#[derive(Debug, thiserror::Error)]
pub enum FrontendSettingsError {
    /// No such operation.
    #[error("enabled_api_endpoints: there is no {found:?}, only {}", Operation::ids())]
    UnknownOperation {
        /// As it was set.
        found: String,
    },
    /// Not a header name.
    #[error("request_id_header: {found:?} cannot be the name of a header")]
    HeaderName {
        /// As it was set.
        found: String,
    },
    /// Nothing could be sent to the log.
    #[error("max_request_body_bytes must be at least 1")]
    NoBody,
}

impl Default for FrontendSettings {
    fn default() -> Self {
        Self {
            max_request_body_bytes: REQUEST_BODY_BYTES_DEFAULT,
            max_request_body_bytes_v2: V2_REQUEST_BODY_BYTES_DEFAULT,
            request_id_header: HeaderName::from_static("x-request-id"),
            limits: Limits::default(),
            disabled: Vec::new(),
        }
    }
}

impl FrontendSettings {
    /// Checks what was set.
    ///
    /// # Errors
    /// As [`FrontendSettingsError`] says.
    pub fn from_settings(settings: &Settings) -> Result<Self, FrontendSettingsError> {
        let max_request_body_bytes = settings.max_request_body_bytes();
        let mut checked = Self { max_request_body_bytes, ..Self::default() };
        if let Some(bytes) = settings.max_request_body_bytes {
            checked.max_request_body_bytes_v2 = bytes;
        }
        if checked.max_request_body_bytes == 0 {
            return Err(FrontendSettingsError::NoBody);
        }
        if let Some(found) = &settings.request_id_header {
            let name = HeaderName::try_from(found);
            checked.request_id_header =
                name.map_err(|_| FrontendSettingsError::HeaderName { found: found.clone() })?;
        }
        if let Some(ids) = &settings.enabled_api_endpoints {
            checked.enable_only(ids)?;
        }
        Ok(checked)
    }

    /// Switches off all operations but these, named by their operation IDs.
    ///
    /// # Errors
    /// [`FrontendSettingsError::UnknownOperation`] for a name that is none.
    pub fn enable_only(&mut self, ids: &[impl AsRef<str>]) -> Result<(), FrontendSettingsError> {
        let ids: Vec<&str> = ids.iter().map(|id| id.as_ref().trim()).collect();
        let unknown = ids.iter().find(|id| Operation::ALL.iter().all(|known| known.id() != **id));
        if let Some(found) = unknown {
            return Err(FrontendSettingsError::UnknownOperation { found: (*found).into() });
        }
        let off = Operation::ALL.into_iter().filter(|known| !ids.contains(&known.id()));
        self.disabled = off.collect();
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_named_operations_are_on() {
        let enabled = vec!["getLogInfo".into(), " getPublicKey".into()];
        let settings = Settings { enabled_api_endpoints: Some(enabled), ..Settings::default() };
        let disabled = FrontendSettings::from_settings(&settings).unwrap().disabled;
        assert_eq!(disabled.len(), 6);
        assert!(!disabled.contains(&Operation::GetLogInfo));
    }

    #[test]
    fn what_cannot_be_is_named() {
        let check = |settings: Settings| {
            FrontendSettings::from_settings(&settings).unwrap_err().to_string()
        };
        let typo = Some(vec!["getLoginfo".into()]);
        let text = check(Settings { enabled_api_endpoints: typo, ..Settings::default() });
        assert!(text.contains("getLoginfo") && text.contains("getLogInfo"), "{text}");
        let header = Some("x y".into());
        check(Settings { request_id_header: header, ..Settings::default() });
        check(Settings { max_request_body_bytes: Some(0), ..Settings::default() });
    }
}
