//! What a handle does: collects drives and cards, opens the guest at the first question, remembers the target.

use guestconv::core::description::Choices;
use guestconv::core::plan::{Nic, Plan, PlanOptions};
use guestconv::{ConvertOptions, DiskSpec, Error, ErrorKind, Guest, Options, Result};

/// A guest in the making, then opened.
#[derive(Default)]
pub(crate) struct Session {
    disks: Vec<DiskSpec>,
    nics: Vec<Nic>,
    target: Option<String>,
    guest: Option<Guest>,
}

impl Session {
    /// Adds a disk.
    pub(crate) fn add_drive(&mut self, disk: DiskSpec) -> Result<()> {
        if self.guest.is_some() {
            let message = "drives are added before the guest is inspected; make a new handle";
            return Err(Error::new(ErrorKind::InvalidArgument, "guest-opened", message));
        }
        self.disks.push(disk);
        Ok(())
    }

    /// Adds a card that the target will give, in the source's order.
    pub(crate) fn add_nic(&mut self, nic: Nic) {
        self.nics.push(nic);
    }

    /// Returns the description for a target as XML.
    pub(crate) fn inspect(&mut self, target: &str) -> Result<String> {
        self.target = Some(target.to_owned());
        let nics = self.nics.clone();
        Ok(self.guest()?.describe(target, &nics)?.to_xml())
    }

    /// Returns the plan as JSON.
    pub(crate) fn plan(&mut self, document: Option<&str>) -> Result<String> {
        let (plan, _) = self.planned(document)?;
        json(&plan)
    }

    /// Converts the guest.
    pub(crate) fn convert(&mut self, document: Option<&str>) -> Result<()> {
        let (plan, options) = self.planned(document)?;
        self.guest()?.convert(&plan, &options).map(|_| ())
    }

    /// Returns what is still missing, as JSON.
    pub(crate) fn verify(&mut self) -> Result<String> {
        let (target, options) = (self.target()?, self.options());
        json(&self.guest()?.verify(&target, &Choices::default(), &options)?)
    }

    fn planned(&mut self, document: Option<&str>) -> Result<(Plan, ConvertOptions)> {
        let (target, plan) = (self.target()?, self.options());
        let guest = self.guest()?;
        let choices = match document {
            Some(document) => guest.choices(&target, &plan.nics, document)?,
            None => Choices::default(),
        };
        let planned = guest.plan(&target, &choices, &plan)?;
        Ok((planned, ConvertOptions { choices, plan }))
    }

    fn options(&self) -> PlanOptions {
        PlanOptions { nics: self.nics.clone(), ..PlanOptions::default() }
    }

    fn target(&self) -> Result<String> {
        let message = "no target is known yet; call guestconv_inspect first";
        let missing = || Error::new(ErrorKind::InvalidArgument, "target-needed", message);
        self.target.clone().ok_or_else(missing)
    }

    fn guest(&mut self) -> Result<&mut Guest> {
        let guest = match self.guest.take() {
            Some(guest) => guest,
            None => Guest::open(self.disks.clone(), Options::default())?,
        };
        Ok(self.guest.insert(guest))
    }
}

fn json(document: &impl serde::Serialize) -> Result<String> {
    serde_json::to_string_pretty(document).map_err(|error| {
        Error::new(ErrorKind::InvalidArgument, "request-failed", format!("cannot write a document: {error}"))
    })
}
