//! Precedence, unknown keys and wrong values, as tables.

use super::{Effective, Environment, Flags, TABLE};
use std::path::PathBuf;

fn load(
    file: Option<&str>,
    environment: &[(&str, &str)],
    flags: &[(&'static str, &str)],
) -> Result<Effective, String> {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("clew.yaml");
    let file = file.map(|text| {
        std::fs::write(&path, text).unwrap();
        path
    });
    let environment = environment.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
    let values = flags.iter().map(|(name, value)| (*name, (*value).to_owned())).collect();
    let home = PathBuf::from(directory.path());
    Effective::load(&Flags { file, values }, &Environment::of(environment))
        .map_err(|error| error.to_string().replace(&home.display().to_string(), ""))
}

#[test]
fn the_nearer_layer_wins() {
    let file = "storage:\n  max-age: 3d\n";
    let variable = [("CLEW_STORAGE_MAX_AGE", "5d")];
    let flag = [("storage.max-age", "6d")];
    let check = |file: Option<&str>,
                 variable: &[(&str, &str)],
                 flag: &[(&'static str, &str)],
                 value: &str,
                 origin: &str| {
        let effective = load(file, variable, flag).unwrap();
        let row = TABLE.iter().position(|key| key.name == "storage.max-age").unwrap();
        assert_eq!((TABLE[row].show)(&effective.config), value);
        assert!(effective.origins[row].to_string().ends_with(origin), "{}", effective.origins[row]);
    };
    check(None, &[], &[], "7d", "default");
    check(Some(file), &[], &[], "3d", "clew.yaml:2");
    check(Some(file), &variable, &[], "5d", "CLEW_STORAGE_MAX_AGE");
    check(Some(file), &variable, &flag, "6d", "--storage-max-age");
    check(Some(file), &[("CLEW_STORAGE_MAX_AGE", "")], &[], "3d", "clew.yaml:2");
    check(Some("storage.max-age: 4d"), &[], &[], "4d", "clew.yaml:1");
    check(Some("storage:\n# nothing yet\n"), &[], &[], "7d", "default");
    check(Some(""), &[], &[], "7d", "default");
}

#[test]
fn mistakes_are_named() {
    let check = |file: &str, expect: &str| {
        let error = load(Some(file), &[], &[]).map(|_| ()).unwrap_err();
        assert!(error.contains(expect), "{error}\nlacks {expect}");
    };
    check(
        "otlp:\n  htp-address: 127.0.0.1:1\n",
        "/clew.yaml:2: unknown key `otlp.htp-address`; did you mean `otlp.http-address`?",
    );
    check("max-age: 3d", "did you mean `storage.max-age`?");
    check(
        "storage:\n  max-age: soon\n",
        "storage.max-age = `soon` (/clew.yaml:2) is wrong: expected a time with its unit",
    );
    check("storage:\n  max-bytes: 20 apples\n", "expected a size with its unit");
    check("otlp:\n  grpc-address: 4317\n", "expected an IP address and a port");
    check("log:\n  format: xml\n", "expected human or json");
    check("- a\n- b\n", "expected keys and values");
    check("otlp: [", "is not YAML");
    check(
        "otlp:\n  http-address: 127.0.0.1:4317\n",
        "otlp.grpc-address and otlp.http-address are both 127.0.0.1:4317",
    );
    check("query:\n  allowed-hosts:\n    - a: b\n", "neither a plain value nor a list");
    check(
        "sampling:\n  rest: 10%\n",
        "sampling.rest = `10%` (/clew.yaml:2) is wrong: expected a share from 0 to 1",
    );
    check("sampling:\n  rest: 0.1\n  keep: 'kind:'\n", "is wrong: expected a filter as in the query bar; ");
    check("sampling:\n  wait: 0s\n", "expected a time with its unit");
    check("sampling:\n  keep: status:error\n", "sampling.keep is set, but not sampling.rest");
}

#[test]
fn values_of_all_kinds_are_read() {
    let file = "otlp:\n  grpc-address: localhost:1\nquery:\n  allowed-hosts: [clew.example.com, other]\nlimits:\n  request-bytes: 1000\n";
    let effective = load(Some(file), &[("XDG_DATA_HOME", "/data")], &[]).unwrap();
    let config = effective.config;
    assert_eq!(config.otlp.grpc_address.to_string(), "127.0.0.1:1");
    assert_eq!(config.query.allowed_hosts, ["clew.example.com", "other"]);
    assert_eq!(config.limits.request_bytes.0, 1000);
    assert_eq!(config.storage.directory, PathBuf::from("/data/clew"));
}

#[test]
fn several_filters_are_one() {
    let file = "sampling:\n  rest: 0.1\n  keep:\n    - status:error\n    - 'kind:llm duration:>5s'\n";
    let config = load(Some(file), &[], &[]).unwrap().config;
    assert_eq!(config.sampling.keep, "(status:error) OR (kind:llm duration:>5s)");
    assert_eq!(config.sampling.rest.map(crate::config::Share::as_f64), Some(0.1));
    let variables = [("CLEW_SAMPLING_REST", "0"), ("CLEW_SAMPLING_KEEP", "status:error")];
    let config = load(None, &variables, &[("sampling.wait", "1s")]).unwrap().config;
    assert_eq!(
        (config.sampling.keep.as_str(), config.sampling.wait.to_string().as_str()),
        ("status:error", "1s")
    );
}

#[test]
fn what_is_shown_can_be_read_again() {
    let config = load(None, &[("HOME", "/somewhere")], &[]).unwrap().config;
    let mut again = config.clone();
    for key in &TABLE {
        (key.set)(&mut again, &(key.show)(&config)).unwrap();
    }
    assert_eq!(again, config);
    assert_eq!(config.storage.directory, PathBuf::from("/somewhere/.local/share/clew"));
}

#[test]
fn unknown_variables_are_told() {
    let warnings =
        load(None, &[("CLEW_OTLP_HTP_ADDRESS", "x"), ("CLEW_QUERY_PORT", "x")], &[]).unwrap().warnings;
    assert_eq!(warnings, ["CLEW_OTLP_HTP_ADDRESS is not a setting; did you mean CLEW_OTLP_HTTP_ADDRESS?"]);
}
