//! What is set wins over what stands behind it.

use super::*;

#[test]
fn defaults() {
    let settings = Settings::default();
    assert_eq!(settings.listen().to_string(), LISTEN);
    assert_eq!(settings.metrics_listen().unwrap().to_string(), METRICS_LISTEN);
    assert_eq!(settings.data_dir(), Path::new("cairn-data"));
    assert_eq!(settings.attestation_bytes_max(), Some(102_400));
}

#[test]
fn a_flag_wins_over_the_file() {
    let file: Settings = toml::from_str("hostname = 'file'\nlisten = '127.0.0.1:1'").unwrap();
    let flags = Settings { hostname: Some("flag".into()), ..Settings::default() };
    let settings = flags.over(file);
    assert_eq!(settings.hostname.as_deref(), Some("flag"));
    assert_eq!(settings.listen().port(), 1);
}

#[test]
fn an_unknown_setting_in_the_file_is_named() {
    let error = toml::from_str::<Settings>("hostnam = 'x'").unwrap_err().to_string();
    assert!(error.contains("hostnam"), "{error}");
}

#[test]
fn metrics_can_be_off() {
    let settings: Settings = toml::from_str("metrics_listen = 'off'").unwrap();
    assert_eq!(settings.metrics_listen(), None);
    let off = Settings { attestation_storage: Some(false), ..Settings::default() };
    assert_eq!(off.attestation_bytes_max(), None);
}
