//! Documents that are read from files.

use guestconv_core::plan::Plan;

pub(super) fn documents(input: &[u8]) {
    let Some((kind, text)) = input.split_first() else { return };
    match kind % 2 {
        0 => plan(text),
        _ => crate::commit::fuzzing::documents(text),
    }
}

fn plan(text: &[u8]) {
    let Ok(plan) = serde_json::from_slice::<Plan>(text) else { return };
    let hostile = plan.to_string().chars().find(|c| c.is_control() && *c != '\n' && *c != '\t');
    assert_eq!(hostile, None, "a control character reaches a terminal");
    let again = serde_json::to_vec(&plan).unwrap();
    assert_eq!(serde_json::from_slice::<Plan>(&again).unwrap(), plan);
}
