use std::collections::HashSet;

use shared::problem::TraceId;

use super::*;

#[test]
fn every_code_has_a_row_and_a_name_of_its_own() {
    let names: HashSet<_> = Code::ALL.iter().map(|code| code.row().1).collect();
    assert_eq!(names.len(), Code::ALL.len());
    for code in Code::ALL {
        let (status, name, title) = code.row();
        assert!(status.is_client_error() || status.is_server_error(), "{name}");
        assert!(
            name.bytes().all(|byte| byte.is_ascii_uppercase() || byte == b'_'),
            "{name}"
        );
        assert!(title.ends_with('.'), "{name}");
    }
}

#[test]
fn the_cause_stays_inside() {
    let error = Error::internal("disk on fire");
    let trace: TraceId = "4bf92f3577b34da6a3ce929d0e0e4736".parse().unwrap();
    assert!(
        !serde_json::to_string(&error.to_problem(trace))
            .unwrap()
            .contains("fire")
    );
    assert_eq!(error.cause(), Some("disk on fire"));
}
