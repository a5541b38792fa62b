//! Documents of the caller, which may come from somebody else: the description, and the libvirt domain.

use super::case::{Case, Expect, Subject};
use super::debian::Tree;
use super::shop::Shop;
use anyhow::Result;
use std::fs;
use std::os::unix::ffi::OsStrExt;

const fn refused_by(code: &'static str) -> Expect {
    Expect { inspect: "done", convert: code, copied: code, findings: &[] }
}

pub(super) const CASES: &[Case] = &[
    Case {
        name: "documents-entities",
        tries: "a description whose entities multiply to gigabytes",
        make: |shop| described(shop, entity_bomb("guestconv").as_bytes()),
        expect: refused_by("description-dtd"),
    },
    Case {
        name: "documents-external",
        tries: "a description with an entity that is a file of the host",
        make: |shop| {
            let text = format!(
                "<?xml version='1.0'?><!DOCTYPE guestconv [<!ENTITY x SYSTEM 'file://{}'>]><guestconv version='1'>&x;</guestconv>",
                shop.canary.display()
            );
            described(shop, text.as_bytes())
        },
        expect: refused_by("description-dtd"),
    },
    Case {
        name: "documents-deep",
        tries: "a description of a hundred thousand elements in each other",
        make: |shop| {
            described(shop, ("<guestconv version='1'>".to_owned() + &"<a>".repeat(100_000)).as_bytes())
        },
        expect: refused_by("description-not-xml"),
    },
    Case {
        name: "documents-wide",
        tries: "a description of half a million elements",
        make: |shop| {
            described(
                shop,
                format!("<guestconv version='1'>{}</guestconv>", "<a/>".repeat(500_000)).as_bytes(),
            )
        },
        expect: refused_by("description-too-large"),
    },
    Case {
        name: "documents-large",
        tries: "a description of 64 MiB",
        make: |shop| described(shop, format!("<guestconv a='{}'/>", "x".repeat(64 << 20)).as_bytes()),
        expect: refused_by("description-too-large"),
    },
    Case {
        name: "documents-noise",
        tries: "a description that is no text",
        make: |shop| described(shop, &super::shop::noise(3, 100_000)),
        expect: refused_by("document-unreadable"),
    },
    Case {
        name: "documents-terminal",
        tries: "a description with terminal codes in names of elements and values",
        make: |shop| {
            described(
                shop,
                "<guestconv version='1' target='kvm'><x\u{9b}2J a='&#27;[2J'>&#155;</x\u{9b}2J></guestconv>"
                    .as_bytes(),
            )
        },
        expect: refused_by("description-not-xml"),
    },
    Case {
        name: "documents-device",
        tries: "a description that is a device without end",
        make: |shop| {
            let mut subject = Subject::raw([Tree::new(shop)?.ext4(shop, &[])?]);
            subject.description = Some("/dev/zero".into());
            Ok(subject)
        },
        expect: refused_by("description-too-large"),
    },
    Case {
        name: "documents-domain-entities",
        tries: "a libvirt domain whose entities multiply to gigabytes",
        make: |shop| with_domain(shop, entity_bomb("domain").as_bytes()),
        expect: super::case::fails("domain-not-xml"),
    },
    Case {
        name: "documents-domain-external",
        tries: "a libvirt domain with an entity that is a file of the host",
        make: |shop| {
            let text = format!(
                "<!DOCTYPE domain [<!ENTITY x SYSTEM '{}'>]><domain><devices><interface><mac address='&x;'/></interface></devices></domain>",
                shop.canary.display()
            );
            with_domain(shop, text.as_bytes())
        },
        expect: super::case::fails("domain-not-xml"),
    },
    Case {
        name: "documents-domain-cards",
        tries: "a libvirt domain with thirty thousand network cards",
        make: |shop| {
            let cards: String = (0..30_000)
                .map(|n| {
                    format!(
                        "<interface type='x'><mac address='52:54:00:00:{:02x}:{:02x}'/></interface>",
                        n / 256,
                        n % 256
                    )
                })
                .collect();
            with_domain(shop, format!("<domain><devices>{cards}</devices></domain>").as_bytes())
        },
        expect: super::case::fails("nics-too-many"),
    },
    Case {
        name: "documents-disk-name",
        tries: "a disk whose name rules a terminal and is no UTF-8",
        make: |shop| {
            let disk = Tree::new(shop)?.ext4(shop, &[])?;
            let name = std::ffi::OsStr::from_bytes(b"disk\x1b[2J\xff\x9b.img");
            let renamed = shop.path("x").with_file_name(name);
            fs::rename(disk, &renamed)?;
            Ok(Subject::raw([renamed]))
        },
        expect: super::case::Expect { convert: "path-not-utf-8", ..super::case::converts(&[]) },
    },
];

/// A document that is a kilobyte and unpacks to gigabytes.
pub(super) fn entity_bomb(root: &str) -> String {
    let mut text = format!("<?xml version=\"1.0\"?>\n<!DOCTYPE {root} [\n<!ENTITY a0 \"aaaaaaaaaa\">\n");
    for number in 1..12 {
        let before = format!("&a{};", number - 1).repeat(10);
        text.push_str(&format!("<!ENTITY a{number} \"{before}\">\n"));
    }
    text + &format!("]>\n<{root} version='1'>&a11;</{root}>\n")
}

/// The plain guest with a description of its own.
fn described(shop: &Shop, document: &[u8]) -> Result<Subject> {
    let mut subject = Subject::raw([Tree::new(shop)?.ext4(shop, &[])?]);
    let file = shop.path("given.xml");
    fs::write(&file, document)?;
    subject.description = Some(file);
    Ok(subject)
}

/// The plain guest with a libvirt domain.
fn with_domain(shop: &Shop, document: &[u8]) -> Result<Subject> {
    let file = shop.path("domain.xml");
    fs::write(&file, document)?;
    let mut subject = Subject::raw([Tree::new(shop)?.ext4(shop, &[])?]);
    subject.wishes = vec!["--libvirt-xml".to_owned(), file.display().to_string()];
    Ok(subject)
}
