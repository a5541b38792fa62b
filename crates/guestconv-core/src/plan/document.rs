//! A plan as a document: what `plan --json` writes can be kept, reviewed, signed, and handed back to be carried out.

use super::{PLAN_SCHEMA, Plan, PlanError};
use crate::tree::hex;
use sha2::{Digest, Sha256};

impl Plan {
    /// Returns the plan as JSON with a line feed at its end, byte for byte what `plan --json` writes.
    pub fn to_document(&self) -> String {
        let text = serde_json::to_string_pretty(self).expect("a plan has no key that is no text");
        // JSON need not escape these, and a guest's texts may hold them; outside of texts there are none.
        let mut plain = String::with_capacity(text.len() + 1);
        for c in text.chars() {
            match c {
                '\u{7f}'..='\u{9f}' => plain.push_str(&format!("\\u{:04x}", u32::from(c))),
                c => plain.push(c),
            }
        }
        plain.push('\n');
        plain
    }

    /// Returns the plan of a document that [`Plan::to_document`] made.
    ///
    /// # Errors
    /// `plan-invalid` if it is none, or of another version.
    pub fn of_document(text: &str) -> Result<Self, PlanError> {
        let invalid = |why: String| {
            PlanError::new(
                "plan-invalid",
                format!("the plan cannot be read: {why}; hand in what plan --json wrote"),
            )
        };
        let plan: Self = serde_json::from_str(text).map_err(|error| invalid(error.to_string()))?;
        if plan.schema != PLAN_SCHEMA {
            return Err(invalid(format!("its schema is {}, and only {PLAN_SCHEMA} is known", plan.schema)));
        }
        Ok(plan)
    }

    /// Returns the SHA-256 of the document, in lower-case hex: what `sha256sum` says of the file.
    pub fn sha256(&self) -> String {
        hex(&Sha256::digest(self.to_document()))
    }

    /// Fails unless this plan, which was kept, is still what planning with the same wishes gives. What the host lacks is no
    /// part of that: a plan may be made on one and carried out on another.
    ///
    /// # Errors
    /// `plan-outdated`, and where the two part.
    pub fn require_same(&self, now: &Self) -> Result<(), PlanError> {
        if self.of_any_host() == now.of_any_host() {
            return Ok(());
        }
        let steps = self.steps.iter().zip(&now.steps).find(|(kept, now)| kept != now);
        let where_they_part = match steps {
            Some((kept, now)) if kept.id == now.id => format!("the step {} is another one now", kept.id),
            Some((kept, now)) => {
                format!("where the plan has the step {}, the guest needs {} now", kept.id, now.id)
            }
            None => match (self.steps.get(now.steps.len()), now.steps.get(self.steps.len())) {
                (Some(gone), _) => format!("the guest does not need the step {} now", gone.id),
                (_, Some(new)) => format!("the guest needs the step {}, too, now", new.id),
                _ => "the steps are the same, but not the hardware, the systems or the findings".to_owned(),
            },
        };
        let message = format!(
            "the plan is not what this guest needs: {where_they_part}; the guest was changed since, or it is another guest \
             or another version of guestconv: plan again, and look at the new plan"
        );
        Err(PlanError::new("plan-outdated", message))
    }

    /// Returns the plan without the findings about the host that it was made on.
    fn of_any_host(&self) -> Self {
        let mut plan = self.clone();
        plan.findings.retain(|finding| !finding.code.starts_with("host-"));
        plan
    }
}

#[cfg(test)]
mod tests;
